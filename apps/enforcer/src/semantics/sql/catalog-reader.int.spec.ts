import pg from "pg";
import type { ResourcePart } from "#commands";
import { joinOwn } from "#sql";
import { type FreshDatabase, freshDatabase } from "../../../../../test/servers/postgres.js";
import type { Upstreams } from "../../connection/upstreams.js";
import { type CatalogRead, readCatalog } from "./catalog-reader.js";

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

const read = async (before?: CatalogRead) => (await readCatalog(resource, upstreams, before))!;

test("what PostgreSQL brought is read once, and again when it has changed", async () => {
  const first = await read();
  expect(first.own.rows.functions.length).toBeGreaterThan(2000);
  expect(first.rest.functions).toEqual([]);

  await client.query(
    "create table t (id int, name text); create function f(i int) returns int language sql as 'select 1'",
  );
  const [second, whole] = [await read(first), await read()];
  expect(second.own).toBe(first.own);
  expect(second.rest.functions).toMatchObject([{ name: "f" }]);
  const [joined, all] = [joinOwn(second.own.rows, second.rest), joinOwn(whole.own.rows, whole.rest)];
  for (const name of ["relations", "columns", "functions"] as const)
    expect(sorted(joined[name])).toEqual(sorted(all[name]));

  await client.query("alter function pg_catalog.lower(text) volatile");
  const third = await read(second);
  const lower = third.own.rows.functions.filter(({ name, volatility }) => name === "lower" && volatility === "v");
  expect(lower).toHaveLength(1);
});

test("where nothing has changed nothing is read, and no lock is waited for", async () => {
  await client.query("create table locked (id int); create view seen as select id from locked");
  const first = await read();
  await client.query("begin; lock table locked");
  expect(await read(first)).toBeNull();
  await client.query("truncate locked; rollback");
  for (const change of [
    "create policy own on locked using (true)",
    "alter policy own on locked using (false)",
    "alter table locked alter id set default 1",
    "alter table locked add check (id > 0)",
    "create rule seen_too as on insert to locked do also select 1",
    "create index on locked ((id + 1))",
    "create domain positive as int check (value > 0)",
    "alter domain positive add check (value > 1)",
    "alter role current_user set search_path = nowhere",
    "alter role current_user reset search_path",
  ]) {
    const before = await read();
    await client.query(change);
    expect([change, await read(before)]).not.toEqual([change, null]);
  }
});
