import { create } from "@bufbuild/protobuf";
import { Transform as Read } from "class-transformer";
import { policyV1 } from "#contracts";
import { Choice, Integer, isLabelName, LabelName, Name, Nested, NestedList, Text, TextMap } from "../http/fields.js";
import { given, type Kind } from "./kind.js";

const identifier = { min: 1, max: 63 };

class ColumnSelector {
  @Name({ description: "The resource it is in.", example: "shop" })
  resource!: string;
  @Text({ description: "The schema.", ...identifier, optional: true, example: "public" })
  schema = "public";
  @Text({ description: "The table.", ...identifier, example: "customers" })
  table!: string;
  @Text({ description: "The column.", ...identifier, example: "email" })
  column!: string;
}

class Transform {
  // In YAML, `kind: null` without quotes is no text.
  @Read(({ value }) => (value === null ? "null" : value))
  @Choice(["redact", "null", "partial", "hash", "fixed"], { description: "How a value is hidden.", example: "partial" })
  kind!: string;
  @TextMap({
    description: "Of the kind: `keep_last` for partial, `value` for fixed.",
    optional: true,
    example: { keep_last: "4" },
  })
  options: Record<string, string> = {};
}

class LabelBody {
  @Text({ description: "What it means, for people.", optional: true, example: "E-mail addresses" })
  description = "";
  @NestedList(() => ColumnSelector, { description: "The columns it covers.", atMost: 1000 })
  columns!: ColumnSelector[];
  @Nested(() => Transform, { description: "How values are masked where no policy permits `reveal`." })
  transform!: Transform;
}

class DeclaredLabel extends LabelBody {
  @LabelName({ description: "Its name.", example: "pii.email" })
  name!: string;
}

class Label extends DeclaredLabel {
  @Integer({ description: "Rises with every change; the ETag.", example: 3 })
  version!: number;
}

const { putLabel, checkLabel, getLabel, listLabels, deleteLabel } = policyV1.Policy.method;

export const labels: Kind = {
  one: "label",
  many: "labels",
  summary: "A name for a kind of sensitive data, the columns it covers and its transform",
  schema: policyV1.LabelSchema,
  body: LabelBody,
  declared: DeclaredLabel,
  view: Label,
  example: {
    description: "E-mail addresses",
    columns: [{ resource: "shop", schema: "public", table: "customers", column: "email" }],
    transform: { kind: "redact" },
  },
  isName: isLabelName,
  async list(bus, page, call) {
    const { labels, next } = await bus.call(listLabels, create(policyV1.ListLabelsRequestSchema, { page }), call);
    return { items: labels, next };
  },
  get: (bus, name, call) => bus.call(getLabel, create(policyV1.GetLabelRequestSchema, { name }), call),
  put: (bus, label, precondition, call) =>
    bus.call(
      putLabel,
      create(policyV1.PutLabelRequestSchema, { label: label as policyV1.Label, ...given(precondition) }),
      call,
    ),
  async check(bus, label, call) {
    await bus.call(checkLabel, create(policyV1.CheckLabelRequestSchema, { label: label as policyV1.Label }), call);
  },
  async remove(bus, name, precondition, call) {
    await bus.call(deleteLabel, create(policyV1.DeleteLabelRequestSchema, { name, ...given(precondition) }), call);
  },
};
