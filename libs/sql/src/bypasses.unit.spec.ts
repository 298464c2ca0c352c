import { readFileSync } from "node:fs";
import { SHOP_CONTEXT } from "./shop.fixture.js";
import { createUnderstander, type Understander } from "./understander.js";
import type { TracedColumn, Understanding } from "./understanding.js";

/**
 * bypasses.json: statements over the shop that are to be seen through, and ordinary ones that only look dangerous.
 * - guardrails: `does` must be among the operations; `unbounded`: one of them writes without bounds
 * - masking: outputs (by position) that can show a labelled column, and those that can't
 * - stores: where labelled values are copied to
 * - ordinary: does exactly this, within bounds
 */
interface Bypasses {
  guardrails: { sql: string; does?: string[]; unbounded?: boolean; notUnderstood?: boolean }[];
  masking: { sql: string; masked: number[]; clear?: number[] }[];
  stores: { sql: string; stores: string[] }[];
  ordinary: { sql: string; does: string[] }[];
}
const CASES: Bypasses = JSON.parse(readFileSync(new URL("../bypasses.json", import.meta.url), "utf8"));
const LABELLED = new Set([
  "public.customers.email",
  "public.customers.phone",
  "public.customers.card",
  "public.events.email",
  "public.people.ssn",
]);

const labelled = ({ leaks, sources }: TracedColumn): boolean =>
  leaks || sources.some((s) => s.column === "*" || LABELLED.has(`${s.schema}.${s.table}.${s.column}`));

function shown({ statements }: Understanding): readonly TracedColumn[] {
  return statements.flatMap((statement) => {
    const declared = statement.session.flatMap((effect) => (effect.kind === "declares" ? effect.outputs : []));
    return [...(statement.outputs ?? []), ...(statement.bulk ?? []), ...declared];
  });
}

let sql: Understander;
beforeAll(() => {
  sql = createUnderstander();
});
afterAll(() => sql.close());
const understand = (text: string) => sql.understand(text, SHOP_CONTEXT);

test("the list is long, and names no statement twice", () => {
  const all = Object.values(CASES).flatMap((cases) => (cases as { sql: string }[]).map((c) => c.sql));
  expect(all.length).toBeGreaterThan(250);
  expect(CASES.ordinary.length).toBeGreaterThan(30);
});

describe("guardrails", () => {
  test.each(CASES.guardrails)("$sql", async ({ sql: text, does = [], unbounded, notUnderstood }) => {
    const { operations, problems } = await understand(text);
    if (notUnderstood) {
      expect(problems).not.toEqual([]);
      return;
    }
    expect(problems).toEqual([]);
    const actions = operations.map((operation) => operation.action);
    expect(actions).toEqual(expect.arrayContaining(does));
    if (unbounded) expect(operations.some((operation) => !operation.bounded)).toBe(true);
  });
});

describe("masking", () => {
  test.each(CASES.masking)("$sql", async ({ sql: text, masked, clear = [] }) => {
    const understanding = await understand(text);
    expect(understanding.problems).toEqual([]);
    const outputs = shown(understanding);
    for (const i of masked) expect({ i, masked: outputs[i] && labelled(outputs[i]) }).toEqual({ i, masked: true });
    for (const i of clear) expect({ i, masked: outputs[i] && labelled(outputs[i]) }).toEqual({ i, masked: false });
  });
});

describe("stores", () => {
  test.each(CASES.stores)("$sql", async ({ sql: text, stores }) => {
    const { statements, problems } = await understand(text);
    expect(problems).toEqual([]);
    const labels = statements.flatMap((s) => s.stores.filter(labelled).map((stored) => stored.target));
    expect([...new Set(labels)].sort()).toEqual([...stores].sort());
  });
});

describe("ordinary", () => {
  test.each(CASES.ordinary)("$sql", async ({ sql: text, does }) => {
    const understanding = await understand(text);
    expect(understanding.problems).toEqual([]);
    const actions = new Set(understanding.operations.map((operation) => operation.action));
    expect([...actions].sort()).toEqual([...does].sort());
    expect(understanding.operations.filter((operation) => !operation.bounded)).toEqual([]);
    expect(understanding.unknownNames).toEqual([]);
  });
});
