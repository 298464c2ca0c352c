import { Choice, Flag, Integer, Moment, Nested, NestedList, Text, Texts } from "../http/fields.js";
import { PageQuery } from "../http/pages.js";
import { ActorView, Principal } from "../http/views.js";

const STATUSES = ["pending", "approved", "rejected", "expired", "withdrawn", "consumed"];

export class ApprovalsQuery extends PageQuery {
  @Choice(STATUSES, { description: "Only these.", optional: true })
  status?: string;
  @Text({ description: "Only of this resource.", optional: true, example: "shop" })
  resource?: string;
}

export class Decision {
  @Choice(["approve", "reject"], { description: "Which way." })
  decision!: string;
  @Text({ description: "Why; recorded, and the requester is told.", optional: true, example: "ticket 42" })
  reason = "";
}

export class Vote {
  @Nested(() => ActorView, { description: "Whose.", optional: true })
  by?: ActorView;
  @Flag({ description: "Which way." })
  approve!: boolean;
  @Text({ description: "Why.", max: Number.POSITIVE_INFINITY })
  reason!: string;
  @Moment({ description: "When.", optional: true })
  at?: string;
}

export class Approval {
  @Text({ description: "Its id." })
  id!: string;
  @Choice(STATUSES, { description: "`consumed`: approved, and the command has been let through." })
  status!: string;
  @Nested(() => Principal, { description: "Who asks.", optional: true })
  requester?: Principal;
  @Text({ description: "On which resource.", example: "shop" })
  resource!: string;
  @Text({ description: "In which session." })
  session_id!: string;
  @Text({ description: "At which enforcer." })
  enforcer_id!: string;
  @Text({ description: "The exact text.", max: Number.POSITIVE_INFINITY, example: "alter table orders add note text" })
  statement!: string;
  @Texts({ description: "Its parameters.", max: Number.POSITIVE_INFINITY, atMost: 10_000 })
  parameters!: string[];
  @Text({ description: "SHA-256 of the exact command, in hex." })
  digest!: string;
  @Integer({ description: "The policies' epoch." })
  policy_epoch!: number;
  @Texts({ description: "The policies that hold it.", example: ["ddl-needs-a-person"] })
  policies!: string[];
  @Text({ description: "The approver group; empty: any approver.", example: "dba" })
  approvers!: string;
  @Integer({ description: "How many distinct people must approve.", example: 1 })
  quorum!: number;
  @Text({ description: "Why it is held.", max: Number.POSITIVE_INFINITY })
  reason!: string;
  @Text({
    description: "Why it was rejected or withdrawn, where that was said.",
    max: Number.POSITIVE_INFINITY,
    example: "the client has gone",
  })
  ended_because!: string;
  @Moment({ description: "Since when.", optional: true })
  requested_at?: string;
  @Moment({ description: "Until when it can be decided.", optional: true })
  expires_at?: string;
  @NestedList(() => Vote, { description: "So far." })
  votes!: Vote[];
  @Text({ description: "The approval in whose place it was asked for: the policy changed meanwhile. Empty: none." })
  replaces!: string;
  @Text({ description: "The approval that was asked for in its place. Empty: none." })
  replaced_by!: string;
  @Integer({ description: "Rises with every change; the ETag." })
  version!: number;
}
