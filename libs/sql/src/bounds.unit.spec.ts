import { SHOP_CONTEXT } from "./shop.fixture.js";
import { createUnderstander, type Understander } from "./understander.js";

/** Texts that are made to cost: each has an answer, by steps that are counted and not by the clock. */
let sql: Understander;
beforeAll(() => {
  // However busy the machine is: the clock is not what is tested.
  sql = createUnderstander({ timeLimitMs: 60_000 });
});
afterAll(() => sql.close());
const understand = (text: string) => sql.understand(text, SHOP_CONTEXT);
const times = (count: number, make: (i: number) => string, between = ",") =>
  Array.from({ length: count }, (_, i) => make(i)).join(between);

test.each([
  ["100,000 constants", `select * from orders where id in (${times(100_000, String)})`, ["sql:select"]],
  ["10,000 parameters", `delete from orders where id in (${times(10_000, (i) => `$${i + 1}`)})`, ["sql:delete"]],
  ["65,535 parameters", `insert into log (what) values ${times(65_535, (i) => `($${i + 1})`)}`, ["sql:insert"]],
  ["a literal of a megabyte", `select '${"x".repeat(1_000_000)}'`, ["sql:select"]],
  [
    "EXISTS in EXISTS",
    nested("exists (select 1 from orders where id = customers.id and ", 30),
    ["sql:delete", "sql:select"],
  ],
  [
    "IN in IN",
    `delete from customers where id in (${"select id from orders where id in (".repeat(30)}select 1${")".repeat(31)}`,
    ["sql:delete", "sql:select"],
  ],
  ["500 arms of an OR", `delete from orders where ${times(500, (i) => `id = ${i}`, " or ")}`, ["sql:delete"]],
  ["PREPARE of a long IN", `prepare p as select 1 where 1 in (${times(5_000, String)})`, ["sql:session"]],
])("%s is understood", async (_, text, actions) => {
  const { operations, problems } = await understand(text);
  expect(problems).toEqual([]);
  expect(operations.map(({ action }) => action)).toEqual(actions);
});

function nested(open: string, depth: number): string {
  return `delete from customers where ${open.repeat(depth)}true${")".repeat(depth)}`;
}

test.each([
  ["40 KB of 1+1", `select ${"1+".repeat(20_000)}1`, /nested|breaks/],
  [
    "stars that double",
    `with ${times(30, (i) => `c${i} as (select * from ${i ? `c${i - 1} a, c${i - 1} b` : "customers"})`)} select * from c29`,
    /1664 columns/,
  ],
  ["thousands of statements", times(3_000, () => "select 1", ";"), /2000 statements/],
  ["a thousand tables side by side", `select * from ${times(1_000, (i) => `customers c${i}`)}`, /complex|1664/],
  ["a text of more than a mebibyte", `select '${"x".repeat(1_100_000)}'`, /longer than/],
])("%s is refused, with the reason", async (_, text, reason) => {
  const { problems } = await understand(text);
  expect(problems[0]).toMatch(reason);
  expect((await understand("select 1")).problems).toEqual([]);
});

test("rows of many VALUES are counted", async () => {
  const { operations } = await understand(`insert into log (what) values ${times(5_000, () => "('x')")}`);
  expect(operations[0]).toMatchObject({ rowLimit: 5_000 });
});

test("what is no plain value stays in a long list", async () => {
  const { statements } = await understand(
    `select array[${times(200, String)}, email, ${times(200, String)}] from customers`,
  );
  expect(statements[0]!.outputs![0]!.sources).toMatchObject([{ column: "email" }]);
  const { operations } = await understand(`delete from orders where id in (${times(200, String)}, id, 5)`);
  expect(operations[0]!.bounded).toBe(false);
});
