import type { LabelPart } from "#commands";
import type { Catalog } from "#sql";
import { UnmatchedLabels } from "./unmatched-labels.js";

const catalog = (version: string, ...columns: string[]) =>
  ({
    version,
    relation: (schema: string, table: string) =>
      schema === "public" && table === "readers" ? { columns: columns.map((name) => ({ name })) } : undefined,
  }) as unknown as Catalog;
const on = (table: string, column: string, resource = "library") => ({ resource, schema: "", table, column });
const label: LabelPart = {
  name: "pii.name",
  transform: { kind: "redact", options: {} },
  columns: [on("readers", "name"), on("readers", "nme"), on("readr", "name"), on("nowhere", "name", "other")],
};

test("what a label names and the resource lacks is recorded, once for each policy and catalog", () => {
  const recorded: string[] = [];
  const recorder = {
    record: (_session: string, _fact: string, value: object) =>
      recorded.push(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? Number(v) : v))),
  };
  const unmatched = new UnmatchedLabels(recorder as never, { warn: () => {} } as never);
  const bundle = { epoch: 3, labels: [label] };
  unmatched.report(bundle, "library", catalog("a", "name"));
  unmatched.report(bundle, "library", catalog("a", "name"));
  const wrong = (column: string, epoch = 3) =>
    JSON.stringify({ resource: "library", label: "pii.name", column, policyEpoch: epoch });
  expect(recorded).toEqual([wrong("public.readers.nme"), wrong("public.readr.name")]);
  unmatched.report({ ...bundle, epoch: 4 }, "library", catalog("a", "name", "nme"));
  expect(recorded.slice(2)).toEqual([wrong("public.readr.name", 4)]);
  unmatched.report(bundle, "library", catalog("b"));
  expect(recorded).toHaveLength(6);
});
