import type { Node } from "libpg-query";
import { Analysis, type Defined, NeedsDefinition } from "./analysis.js";
import { catalogFromRows } from "./catalog-loader.js";
import { condition } from "./conditions.js";
import { expression } from "./expressions.js";
import { Parser } from "./parser/parser.js";
import { query } from "./query.js";
import { SHOP_ROWS } from "./shop.fixture.js";
import { actionOf, statement } from "./statements.js";

/** What nesting costs, in the steps of understanding that are counted, and never by the clock. */
const DEEPEST_VIEW = 60;
const views = Array.from({ length: DEEPEST_VIEW + 1 }, (_, i) => ({
  oid: String(90_000 + i),
  schema: "public",
  name: `v${i}`,
  kind: "v" as const,
  type: String(91_000 + i),
  definition: i ? `select a.id from public.v${i - 1} a, public.v${i - 1} b` : "select id from public.customers",
  rules: false,
}));
const catalog = catalogFromRows("nesting", {
  ...SHOP_ROWS,
  relations: [...SHOP_ROWS.relations, ...views],
  columns: [
    ...SHOP_ROWS.columns,
    ...views.map(({ oid }) => ({
      relation: oid,
      attnum: 1,
      name: "id",
      type: "23",
      notNull: false,
      generatedFrom: null,
    })),
  ],
});

let parser: Parser;
beforeAll(() => {
  parser = new Parser({ timeLimitMs: 60_000, maxNodes: 100_000, maxDepth: 1_000 });
});
afterAll(() => parser.close());

async function cost(text: string): Promise<number> {
  const answer = await parser.parse(text);
  if (answer.kind !== "parsed") throw new Error(answer.reason);
  const node = answer.tree.stmts![0]!.stmt!;
  const definitions = new Map<Defined, readonly Node[] | null>();
  for (;;) {
    const analysis = new Analysis(
      { catalog, searchPath: ["public"] },
      definitions,
      { query, expression, condition },
      actionOf(node),
    );
    try {
      statement(analysis, node);
      return analysis.cost;
    } catch (error) {
      if (!(error instanceof NeedsDefinition)) throw error;
      const parsed = await parser.parse(error.source as string);
      definitions.set(error.of, parsed.kind === "parsed" ? (parsed.tree.stmts ?? []).map(({ stmt }) => stmt!) : null);
    }
  }
}

/** How much more the second half of 60 levels costs than the first half of 30. Doubling a level would be millions. */
async function growth(make: Make): Promise<number> {
  const [few, more, most] = [await cost(make(15)), await cost(make(30)), await cost(make(60))] as const;
  return (most - more) / (more - few);
}

type Make = (depth: number) => string;

const nested = (open: string, inner: string, close: string) => (depth: number) =>
  `${open.repeat(depth)}${inner}${close.repeat(depth)}`;
const selects = (make: (depth: number) => string) => (depth: number) => `select ${make(depth)}`;
const chain = (first: string, next: (i: number) => string) => (depth: number) =>
  `with ${[first, ...Array.from({ length: depth }, (_, i) => next(i))].map((q, i) => `c${i} as (${q})`).join(", ")} select * from c${depth}`;

test.each<[string, Make]>([
  ["subqueries as values", selects(nested("(select ", "1", ")"))],
  ["subqueries as values, of a column", (d) => `select ${nested("(select ", "id", ")")(d)} from customers`],
  ["subqueries with a WHERE", selects(nested("(select id from orders where id = ", "1", ")"))],
  ["subqueries in a cast", selects(nested("(select ", "1", ")::int"))],
  ["CASE, in its result", selects(nested("case when true then ", "1", " end"))],
  ["CASE, in its ELSE", selects(nested("case when true then 1 else ", "1", " end"))],
  ["CASE, in its condition", (d) => `select ${nested("case when ", "id = 1", " then true end")(d)} from orders`],
  ["CASE, in what it compares", (d) => `select ${nested("case ", "id", " when 1 then 2 end")(d)} from orders`],
  ["COALESCE", (d) => `select ${nested("coalesce(", "email", ", 'x')")(d)} from customers`],
  ["COALESCE as a condition", (d) => `select 1 from customers where ${nested("coalesce(", "id = 1", ", false)")(d)}`],
  ["function calls", (d) => `select ${nested("lower(", "email", ")")(d)} from customers`],
  ["functions of two", (d) => `select ${nested("concat(email, ", "email", ")")(d)} from customers`],
  ["GREATEST", (d) => `select ${nested("greatest(1, ", "id", ")")(d)} from customers`],
  ["arrays", (d) => `select ${nested("array[", "email", "]")(d)} from customers`],
  ["rows", (d) => `select ${nested("row(", "email", ", 1)")(d)} from customers`],
  ["casts", (d) => `select ${nested("(", "email", ")::text")(d)} from customers`],
  ["folds in a comparison", (d) => `select 1 from customers where ${nested("lower(", "email", ")")(d)} = 'x'`],
  ["operators", (d) => `select ${nested("(id + ", "id", ")")(d)} from customers`],
  ["comparisons", (d) => `select ${nested("(true = ", "(id = 1)", ")")(d)} from customers`],
  ["NOT", (d) => `delete from customers where ${nested("not (", "id = 1", ")")(d)}`],
  ["AND in OR", (d) => `delete from customers where ${nested("(id = 1 or (id = 2 and ", "id = 3", "))")(d)}`],
  ["IS TRUE", (d) => `delete from customers where ${nested("(", "id = 1", ") is true")(d)}`],
  ["subqueries in FROM", nested("select * from (", "select id from customers", ") s")],
  ["joins", (d) => `select 1 from ${nested("(orders cross join ", "customers", ")")(d)}`],
  ["WITH in WITH", nested("with c as (", "select id from customers", ") select * from c")],
  ["WITH after WITH", chain("select id from customers", (i) => `select id from c${i}`)],
  ["WITH after WITH, twice", chain("select id from customers", (i) => `select a.id from c${i} a, c${i} b`)],
  ["UNION to the left", nested("(", "select 1", ") union select 2")],
  ["UNION to the right", nested("select 1 union (", "select 2", ")")],
  ["EXISTS", (d) => `select 1 from orders where ${nested("exists (select 1 from orders where ", "true", ")")(d)}`],
  ["IN", (d) => `select 1 from orders where ${nested("id in (select id from orders where ", "true", ")")(d)}`],
  ["ARRAY()", selects(nested("array(select ", "1", ")"))],
  ["subscripts", (d) => `select tags${"[1]".repeat(d)} from docs`],
  ["fields", (d) => `select ${nested("(", "c", ").email")(d)} from customers c`],
  ["JSON", (d) => `select ${nested("json_build_object('a', ", "email", ")")(d)} from customers`],
  ["ordering in aggregates", (d) => `select ${nested("array_agg(1 order by ", "id", ")")(d)} from customers`],
  ["ORDER BY", (d) => `select 1 from customers order by ${nested("(select ", "id", ")")(d)}`],
  ["GROUP BY", (d) => `select 1 from customers group by ${nested("(select ", "id", ")")(d)}`],
  ["LIMIT", (d) => `select 1 limit ${nested("(select ", "1", ")")(d)}`],
  ["VALUES", nested("values ((", "select 1", "))")],
  [
    "a write by a value, to the left",
    (d) => `delete from customers where ${nested("(select id from orders where ", "1", " = id limit 1)")(d)} = id`,
  ],
  ["a write by CASE", (d) => `delete from customers where ${nested("case when id = 1 then ", "id = 2", " end")(d)}`],
  ["a write by a sum", (d) => `delete from customers where ${nested("(1 + ", "id", ")")(d)} = 5`],
  ["a write by COALESCE", (d) => `delete from customers where ${nested("coalesce(", "id", ", 1)")(d)} = 5`],
  ["an INSERT in WITH", nested("with c as (insert into log (id) ", "select 1", " returning id) select * from c")],

  ["views of views", (d) => `select * from v${d}`],
])("%s cost as much again for twice the depth", async (_, make) => {
  expect(await growth(make)).toBeLessThan(2.5);
});

/** Each level has rows of its own to ask about, which those below may be compared with. */
test.each<[string, Make]>([
  ["subqueries in FROM, LATERAL", nested("select * from orders o, lateral (", "select 1", ") s")],
  [
    "a write by EXISTS",
    (d) =>
      `delete from customers where ${nested("exists (select 1 from orders where id = customers.id and ", "true", ")")(d)}`,
  ],
  [
    "a write by IN",
    (d) => `delete from customers where ${nested("id in (select id from orders where ", "true", ")")(d)}`,
  ],
  [
    "a write by a value",
    (d) => `delete from customers where id = ${nested("(select id from orders where id = ", "1", ")")(d)}`,
  ],
  [
    "a write by NOT EXISTS",
    (d) =>
      `delete from customers where ${nested("not exists (select 1 from orders where id = customers.id and ", "true", ")")(d)}`,
  ],
])("%s cost four times as much for twice the depth", async (_, make) => {
  expect(await growth(make)).toBeLessThan(5);
});
