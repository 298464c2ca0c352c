import { catalogFromRows } from "./catalog-loader.js";
import { searchedSchemas } from "./searched-schemas.js";
import { SHOP_ROWS } from "./shop.fixture.js";
import { createUnderstander } from "./understander.js";

const schemas = Object.entries({ public: true, app: true, bob: true, closed: false });
const catalog = catalogFromRows("1", { ...SHOP_ROWS, schemas: schemas.map(([name, usable]) => ({ name, usable })) });

test.each([
  ["schemas as they are named", ["app", "public"], {}, ["app", "public"], true],
  ["a schema that may not be used", ["closed", "public"], {}, ["public"], true],
  ["one that is yet to be made", ["new"], {}, ["new"], true],
  ["the schema of who it is", ["$user", "public"], { role: "bob" }, ["bob", "public"], true],
  ["who it is without a schema", ["$user", "public"], { role: "eve" }, ["public"], true],
  [
    "another role, of whose rights nothing is known",
    ["$user", "closed"],
    { role: "bob", foreign: true },
    ["bob", "closed"],
    false,
  ],
  ["nobody knows who", ["app"], { role: null, foreign: true }, ["app"], false],
  ["nobody knows whose schema", ["$user", "app"], { role: null, foreign: true }, [...catalog.schemas.keys()], false],
  ["nobody knows where", null, { role: "bob" }, [...catalog.schemas.keys()], false],
] as const)("%s", (_why, path, who, searched, certain) => {
  expect(searchedSchemas(path, { catalog, ...who })).toEqual({ schemas: searched, certain });
});

test("a name that could be two things is not understood, unless it is one in the order that is known", async () => {
  const sql = createUnderstander();
  const among = async (text: string, more: object) => {
    const { problems, operations } = await sql.understand(text, { catalog, searchPath: ["app", "public"], ...more });
    return problems.length > 0 ? problems : operations.flatMap(({ tablesRead }) => tablesRead);
  };
  const other = { role: "bob", foreign: true };
  const customers = "select email from customers";
  expect(await among(customers, {})).toEqual(["app.customers"]);
  expect(await among(customers, other)).toEqual([expect.stringMatching(/^customers could be app.customers or public/)]);
  expect(await among("select id from orders", other)).toEqual(["public.orders"]);
  expect(await among(customers, { ...other, searchPath: ["public"] })).toEqual(["public.customers"]);
  expect(await among("select id from orders", { searchPath: null })).toEqual(["public.orders"]);
  expect(await among("select email from app.customers", { searchPath: null })).toEqual(["app.customers"]);
  await sql.close();
});
