import pg from "pg";
import type { ResourcePart } from "#commands";
import { joinOwn } from "#sql";
import { type FreshDatabase, freshDatabase } from "../../../../../test/servers/postgres.js";
import type { Upstreams } from "../../connection/upstreams.js";
import { readCatalog } from "./catalog-reader.js";

let database: FreshDatabase;
let client: pg.Client;
let resource: ResourcePart;
const upstreams = {
  reach: (_resource, use) => use(resource.upstream.hosts[0]!),
} as Pick<Upstreams, "reach"> as Upstreams;

beforeAll(async () => {
  database = await freshDatabase();
  const { hostname, port, pathname, username, password } = new URL(database.url);
  process.env.COUNTERFOIL_TEST_CATALOG = password;
  resource = {
    name: "shop",
    protocol: "postgres",
    upstream: {
      hosts: [{ host: hostname, port: Number(port) }],
      database: pathname.slice(1),
      tls: "disable",
      ca: "",
      targetSessionAttrs: "any",
    },
    credential: { username, password: "env:COUNTERFOIL_TEST_CATALOG" },
    reads: "os",
  };
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

test("what PostgreSQL brought is read once, and again when it has changed", async () => {
  const first = await readCatalog(resource, upstreams, undefined);
  expect(first.own.rows.functions.length).toBeGreaterThan(2000);
  expect(first.rest.functions).toEqual([]);

  await client.query(
    "create table t (id int, name text); create function f(i int) returns int language sql as 'select 1'",
  );
  const [second, whole] = [
    await readCatalog(resource, upstreams, first.own),
    await readCatalog(resource, upstreams, undefined),
  ];
  expect(second.own).toBe(first.own);
  expect(second.rest.functions).toMatchObject([{ name: "f" }]);
  const [joined, all] = [joinOwn(second.own.rows, second.rest), joinOwn(whole.own.rows, whole.rest)];
  for (const name of ["relations", "columns", "functions"] as const)
    expect(sorted(joined[name])).toEqual(sorted(all[name]));

  await client.query("alter function pg_catalog.lower(text) volatile");
  const third = await readCatalog(resource, upstreams, second.own);
  const lower = third.own.rows.functions.filter(({ name, volatility }) => name === "lower" && volatility === "v");
  expect(lower).toHaveLength(1);
});
