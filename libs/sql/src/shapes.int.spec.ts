import pg from "pg";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { serverContext } from "./catalog.fixture.js";
import type { SqlContext } from "./catalog.js";
import { createUnderstander, type Understander } from "./understander.js";

/** How many columns what stands in FROM has, and what they are called: on that hangs where a name's values come from. */
let database: FreshDatabase;
let sql: Understander;
let context: SqlContext;

beforeAll(async () => {
  database = await freshDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`
    create table customers (id int, name text, email text);
    create table docs (id int, tags text[], at tsvector, made customers[]);`);
  context = await serverContext(client);
  await client.end();
  sql = createUnderstander();
});
afterAll(async () => {
  await sql?.close();
  await database?.drop();
});

const shows = async (text: string) => {
  const { statements, problems } = await sql.understand(text, context);
  expect(problems).toEqual([]);
  return (statements[0]?.outputs ?? []).map(
    ({ sources, leaks }) => leaks || sources.some(({ column }) => column === "email"),
  );
};
const MAILS = "(select email from customers) c";

test.each([
  "select b from unnest(array['x'], array(select email from customers)) as u(a, b) left join (select ''::text as b where false) s using (b)",
  `select (select b from unnest(array['x'], array[email]) as u(a, b)) from ${MAILS}, (select 'z'::text as b) t`,
  "select b from rows from (unnest(array['x'], array(select email from customers)), unnest(array['y'])) as u(a, b, c)",
  `select (select description from json_populate_record(null::pg_description, json_build_object('description', email))) from ${MAILS}, (select 'z'::text as description) t`,
  `select (select description from json_populate_record(coalesce(null::pg_description), json_build_object('description', email))) from ${MAILS}, (select 'z'::text as description) t`,
  `select (select description from unnest(coalesce(array[json_populate_record(null::pg_description, json_build_object('description', email))])) u) from ${MAILS}, (select 'z'::text as description) t`,
  `select (select description from coalesce(json_populate_record(null::pg_description, json_build_object('description', email))) u) from ${MAILS}, (select 'z'::text as description) t`,
  `select (select lexeme from unnest(to_tsvector(email)) u) from ${MAILS}, (select 'z'::text as lexeme) t`,
  `select (select lexeme from unnest(email::tsvector) u) from ${MAILS}, (select 'z'::text as lexeme) t`,
  "select d from (select * from unnest('a:1') u, customers) s(a, b, c, d)",
  "select d from (unnest('a:1') u cross join customers c) as s(a, b, c, d)",
  "select e from (select * from docs, unnest(made) u, customers) s(a, b, c, d, x, y, z, e)",
  "select (json_populate_record(null::pg_replication_slots, json_build_object('xmin', ascii(substr(email, 1, 1))))).xmin from customers",
  "select xmin from (select 1) t, (select email from customers) c, json_populate_record(null::pg_replication_slots, json_build_object('xmin', ascii(substr(email, 1, 1))))",
  "select s.xmin from (select email from customers) c, json_populate_record(null::pg_replication_slots, json_build_object('xmin', ascii(substr(email, 1, 1)))) s",
  "select count(*) over w from customers window w as (order by email)",
  "select count(*) over (w rows 1 preceding) from customers window v as (partition by email), w as (v order by id)",
])("can show the value: %s", async (text) => {
  expect((await shows(text)).every(Boolean)).toBe(true);
});

test.each([
  [
    "select * from unnest(array(select email from customers), array['k']) as u(a, b) natural join (select 'k'::text as b) s",
    [false, true],
  ],
  ["select tag, c.id, email from customers c, docs, unnest(tags) tag", [false, false, true]],
  ["select * from docs, unnest(string_to_array('a,b', ',')) u", [false, false, false, false, false]],
  ["select * from customers, unnest(array['a'], array[1]) u(a, b)", [false, false, true, false, false]],
  ["select * from customers, unnest($1::text[], $2::int[]) u(a, b)", [false, false, true, false, false]],
  ["select * from customers join unnest(array[1]) with ordinality u(id, n) using (id)", [false, false, true, false]],
  ["select * from customers, generate_series(1, 3) n, lower('X') l", [false, false, true, false, false]],
  ["select * from customers, lateral unnest(array(select id from customers)) u", [false, false, true, false]],
  ["select * from customers, unnest(array[coalesce(name, '')]) u", [false, false, true, false]],
  ["select * from customers, coalesce(1, 2) u", [false, false, true, false]],
  [
    "select id, row_number() over w, count(*) over (w rows 1 preceding) from customers window w as (order by id)",
    [false, false, false],
  ],
  ["select c.xmin, ctid, c.tableoid from customers c", [false, false, false]],
])("and no more: %s", async (text, expected) => {
  expect(await shows(text)).toEqual(expected);
});
