import { type Bundle, type DescribedColumn, type MaskedLabel, NOTHING_MASKED, NOTHING_TOUCHED } from "#commands";
import type { TracedColumn } from "#sql";
import { maskedBy } from "../../../../../test/masks.js";
import { catalogOf, relation } from "./catalog.fixture.js";
import { MaskPlanner, type Returned } from "./mask-planner.js";

const column = (table: string, attnum: number, name: string) => ({
  relation: table,
  attnum,
  name,
  type: "25",
  notNull: false,
  generatedFrom: null,
});
const catalog = catalogOf({
  relations: [relation("10", "people"), relation("11", "people_2024"), relation("12", "other")],
  columns: [column("10", 1, "id"), column("10", 2, "email"), column("11", 2, "email"), column("12", 1, "x")],
  inheritance: [{ child: "11", parent: "10" }],
});

const masked: MaskedLabel[] = [{ label: "pii.email", transform: { kind: "fixed", options: { value: "hidden" } } }];
const bundle = {
  labels: [
    {
      name: "pii.email",
      columns: [{ resource: "r", schema: "public", table: "people", column: "email" }],
      transform: masked[0]!.transform,
    },
  ],
} as unknown as Bundle;
const planner = (hidden = masked, miss = () => {}) =>
  new MaskPlanner(bundle, "r", hidden, catalog, new Uint8Array(32), miss);

const traced = (change: Partial<TracedColumn> = {}): TracedColumn => ({
  name: "x",
  sources: [],
  direct: false,
  leaks: false,
  typeOid: 25,
  ...change,
});
const email = { schema: "public", table: "people", column: "email" };
const described = (tableOid = 0, attribute = 0): DescribedColumn => ({
  name: "x",
  tableOid,
  attribute,
  type: { oid: 25, format: "text" },
});
const returned = (outputs: TracedColumn[] | null, change: Partial<Returned> = {}): Returned => ({
  operations: [],
  unknownNames: [],
  statements: [{ outputs, bulk: null, bulkFormat: null }],
  ...change,
});
const shown = (of: Returned, columns: DescribedColumn[], by = planner()) =>
  by
    .plan(of)
    .columns(columns)
    .map((mask) => {
      const value = mask && maskedBy(mask, Buffer.from("a@b.c"), { oid: 25, format: "text" });
      return mask ? value && Buffer.from(value).toString() : "seen";
    });

test("nothing hidden from the principal: the plan that hides nothing, itself", () => {
  expect(planner([]).plan(returned([traced({ sources: [email] })]))).toBe(NOTHING_MASKED);
});

test.each([
  [
    "a column as it stands takes the label's transform",
    traced({ sources: [email], direct: true }),
    described(10, 2),
    "hidden",
  ],
  ["an expression is hidden whole", traced({ sources: [email] }), described(), "hidden"],
  ["lineage that misses what the server says", traced(), described(10, 2), "hidden"],
  [
    "the server that does not say what lineage knows",
    traced({ sources: [email], direct: true }),
    described(),
    "hidden",
  ],
  ["a partition's column", traced(), described(11, 2), "hidden"],
  ["every column of a table", traced({ sources: [{ ...email, column: "*" }] }), described(), "hidden"],
  ["what could hold anything", traced({ leaks: true }), described(), "hidden"],
  ["a table nobody knows", traced(), described(99, 1), "hidden"],
  ["another column", traced({ sources: [{ ...email, column: "id" }], direct: true }), described(10, 1), "seen"],
  ["another table", traced(), described(12, 1), "seen"],
  ["a constant", traced(), described(), "seen"],
])("%s", (_name, output, column, expected) => {
  const [value] = shown(returned([output]), [column]);
  if (expected === "seen") expect(value).toBe("seen");
  else expect(value).not.toContain?.("a@b.c");
  expect(value === "seen").toBe(expected === "seen");
});

test("where lineage and the server's description differ in number, everything is hidden", () => {
  expect(shown(returned([traced()]), [described(), described()])).not.toContain("seen");
  expect(shown(returned(null), [described()])).not.toContain("seen");
});

test("a table nobody knows is asked for", () => {
  let misses = 0;
  shown(
    returned([traced()]),
    [described(99, 1)],
    planner(masked, () => misses++),
  );
  expect(misses).toBe(1);
});

test("COPY by position, with its format", () => {
  const statement = {
    outputs: null,
    bulk: [traced(), traced({ sources: [email], direct: true })],
    bulkFormat: { kind: "csv" as const },
  };
  const plan = planner().plan({ operations: [], unknownNames: [], statements: [statement] });
  expect(plan.bulk!.map(({ mask }) => mask?.labels)).toEqual([undefined, ["pii.email"]]);
  expect(plan.bulkFormat).toEqual({ kind: "csv" });
});

test("each of several statements has its own plan; one too many is hidden whole", () => {
  const statements = [returned([traced()]).statements[0]!, returned([traced({ sources: [email] })]).statements[0]!];
  const plan = planner().plan({ operations: [], unknownNames: [], statements });
  const hides = (position: number) => plan.statement!(position).columns([described()])[0] !== null;
  expect([hides(0), hides(1), hides(2)]).toEqual([false, true, true]);
});

test("texts are scrubbed where they could quote a labelled value", () => {
  const operation = (action: string, tablesRead: string[]) => ({
    ...NOTHING_TOUCHED,
    action,
    tablesRead,
  });
  const scrubs = (change: Partial<Returned>) => planner().plan(returned([], change)).scrubTexts;
  expect(scrubs({ operations: [operation("sql:select", ["public.other"])] })).toBe(false);
  expect(scrubs({ operations: [operation("sql:select", ["public.people"])] })).toBe(true);
  expect(scrubs({ operations: [operation("sql:select", ["public.people_2024"])] })).toBe(true);
  expect(scrubs({ operations: [operation("sql:do", [])] })).toBe(true);
  expect(scrubs({ operations: [operation("sql:select", [])], unknownNames: ["x"] })).toBe(true);
  expect(scrubs({ operations: [operation("sql:drop_table", [])], unknownNames: ["x"] })).toBe(false);
});

test("a mask in part is for a column as it stands, whatever table and attribute the server names", () => {
  const partial = planner([{ label: "pii.email", transform: { kind: "partial", options: { keep_last: "2" } } }]);
  const seen = (direct: boolean) => {
    const of = returned([traced({ sources: [email], direct })]);
    const mask = partial.plan(of).columns([described(10, 2)])[0];
    return mask ? maskedBy(mask, Buffer.from("abcdef"), { oid: 25, format: "text" })?.toString() : "";
  };
  expect(seen(true)).toBe("****ef");
  expect(seen(false)).not.toContain("ef");
});

test("labels a plan hides are named", () => {
  expect(planner().labelsOf(returned([traced({ sources: [email] })]))).toEqual(["pii.email"]);
  expect(planner().labelsOf(returned([traced()]))).toEqual([]);
});
