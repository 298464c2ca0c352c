import { Choice, Flag, Integer, Name, Nested, NestedList, Text, Texts } from "../http/fields.js";

export class SimulatedPrincipal {
  @Text({ description: "`<issuer>|<subject>`.", min: 1, example: "github|repo:acme/shop" })
  id!: string;
  @Text({ description: "The issuer; what stands before the `|` where absent.", optional: true })
  issuer?: string;
  @Text({ description: "The subject; what stands after the `|` where absent.", optional: true })
  subject?: string;
  @Text({ description: "For people.", optional: true })
  name = "";
  @Texts({ description: "Its groups.", optional: true, example: ["ci"] })
  groups: string[] = [];
  @Text({ description: "Its run.", optional: true })
  run = "";
  @Texts({ description: "Those it acts for.", optional: true })
  on_behalf_of: string[] = [];
}

export class Simulation {
  @Nested(() => SimulatedPrincipal, { description: "Who would do it." })
  principal!: SimulatedPrincipal;
  @Name({ description: "On which resource.", example: "shop" })
  resource!: string;
  @Text({ description: "What.", min: 1, max: 262_144, example: "delete from customers" })
  statement!: string;
}

export class MaskedColumn {
  @Text({ description: "The output column.", example: "email" })
  column!: string;
  @Texts({ description: "The labels it carries.", example: ["pii.email"] })
  labels!: string[];
  @Text({ description: "How it would be masked.", example: "partial" })
  transform!: string;
}

export class LabelUse {
  @Choice(["filter", "order", "copy"], { description: "What is done with the value besides showing it." })
  action!: string;
  @Text({ description: "The label.", example: "pii.email" })
  label!: string;
  @Text({ description: "`schema.table.column`; `*` where it could be any.", example: "public.customers.email" })
  column!: string;
  @Text({ description: "How, of `filter` and `order`.", example: "equality" })
  use!: string;
  @Text({ description: "Where to, of `copy`.", example: "public.log.what" })
  target!: string;
  @Flag({ description: "Whether policy permits it." })
  permitted!: boolean;
}

export class SimulatedVerdict {
  @Choice(["allow", "hold", "deny"], { description: "What would be decided." })
  verdict!: string;
  @Text({ description: "Why.", max: Number.POSITIVE_INFINITY })
  reason!: string;
  @Texts({ description: "The policies that decide.", example: ["say-which-rows"] })
  policies!: string[];
  @Integer({ description: "The policies' epoch." })
  epoch!: number;
  @Texts({ description: "What the statement does.", example: ["sql:delete"] })
  actions!: string[];
  @NestedList(() => MaskedColumn, { description: "Output columns that would be masked." })
  masks!: MaskedColumn[];
  @NestedList(() => LabelUse, {
    description: "What it does with values of labels that are masked, besides showing them.",
  })
  uses!: LabelUse[];
  @Text({ description: "Of a hold: the approver group; empty: any approver." })
  approvers!: string;
  @Integer({ description: "Of a hold: how many must approve." })
  quorum!: number;
  @Texts({ description: "What could not be known without the live catalog." })
  caveats!: string[];
}
