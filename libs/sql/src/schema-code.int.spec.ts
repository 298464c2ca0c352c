import pg from "pg";
import type { Operation } from "#commands";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { serverContext } from "./catalog.fixture.js";
import type { SqlContext } from "./catalog.js";
import { createUnderstander, type Understander } from "./understander.js";

/** Code that is part of the schema (functions, triggers, defaults, foreign keys) and what it adds to a statement. */
const SCHEMA = `
  create table people (id int primary key, email text, boss int);
  create table orders (id int primary key, person int references people on delete cascade, note text);
  create table items (id int, orders int references orders on delete set null on update cascade);
  create table log (what text);

  create function mail_of(who int) returns text language sql stable as 'select email from people where id = who';
  create function pair(int, out a int, out b text) language sql as 'select id, email from people where id = $1';
  create function everyone() returns setof people language sql as 'select * from people';
  create function echo(text) returns text language sql immutable as 'select $1';
  create function modern(who int) returns text begin atomic select email from people where id = who; end;
  create function returns_it(n int) returns int return n + 1;
  create function noted(text) returns void language sql as 'insert into log values ($1)';
  create function forget(int) returns void language sql as 'delete from orders where id = $1';
  create function forget_all() returns void language sql as 'delete from orders';
  create function here() returns int language sql as 'select id from people limit 1';
  create function fixed_path() returns int language sql set search_path = public as 'select id from people limit 1';
  create function moves() returns text language sql as $$ select set_config('search_path', 'x', false) $$;
  create function moves_by_text(text) returns void language plpgsql as $$ begin execute 'SET LOCAL ' || 'Search_Path TO ' || $1; end $$;
  create function moves_itself() returns void language plpgsql set search_path = public as $$ begin set search_path = x; end $$;
  create function asks_path() returns text language plpgsql as $$ begin return current_setting('search_path'); end $$;
  create function named(text) returns text language sql as $$ select set_config('application_name', $1, false) $$;
  create function defines() returns void language sql as 'create table made (id int)';
  create function loops(int) returns int language sql as 'select 1';
  create or replace function loops(int) returns int language sql as 'select loops($1)';
  create function nested(int) returns text language sql as 'select mail_of($1) || mail_of($1)';
  create function hidden(int) returns int language plpgsql stable as $$ begin execute 'select 1'; return 1; end $$;
  create function owner() returns int language sql security definer as 'select 1';
  create function audit() returns trigger language plpgsql as 'begin return new; end';
  create trigger audits after insert or delete on items for each row execute function audit();
  create trigger asleep after update on items for each row execute function audit();
  alter table items disable trigger asleep;

  create domain level as int check (hidden(value) > 0);
  create table checked (id int default hidden(1), at level, kept int check (hidden(kept) = 1));
  create table guarded (id int);
  alter table guarded enable row level security;
  create policy p on guarded using (hidden(id) = 1);
  create type mood as enum ('a');
  create function of_mood(mood) returns int language sql as 'delete from log; select 1';
  create cast (mood as int) with function of_mood(mood) as implicit;
  create table moods (m mood);
  create view mails as select mail_of(id) as mail from people;
`;

let database: FreshDatabase;
let sql: Understander;
let context: SqlContext;

beforeAll(async () => {
  database = await freshDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(SCHEMA);
  context = await serverContext(client);
  await client.end();
  sql = createUnderstander();
});
afterAll(async () => {
  await sql?.close();
  await database?.drop();
});

async function operations(text: string): Promise<readonly Operation[]> {
  const { problems, operations } = await sql.understand(text, context);
  expect(problems).toEqual([]);
  return operations;
}
const short = (name: string) => name.replace("public.", "");
const actions = async (text: string) => (await operations(text)).map(({ action }) => action.replace("sql:", ""));
const all = async (text: string, pick: (operation: Operation) => readonly string[]) =>
  [...new Set((await operations(text)).flatMap(pick))].map(short).sort();
const sources = async (text: string) => {
  const { statements } = await sql.understand(text, context);
  return (statements.at(-1)?.outputs ?? []).map(({ sources, leaks }) =>
    leaks ? "anything" : sources.map(({ table, column }) => `${table}.${column}`).join(" "),
  );
};

describe("a function in SQL is what its body does", () => {
  test.each([
    ["select mail_of(1)", ["select", "select"]],
    ["select forget(1)", ["select", "delete"]],
    ["select noted('x')", ["select", "insert"]],
    ["select * from mails", ["select", "select"]],
    ["select modern(1), returns_it(2)", ["select", "select", "select"]],
    ["select hidden(1)", ["select"]],
    ["select owner()", ["select", "select"]],
    // What cannot be told could do anything.
    ["select moves_itself()", ["select", "function_write"]],
    ["select asks_path()", ["select"]],
    ["select defines()", ["select", "function_write"]],
    ["select loops(1)", ["select", "select", "function_write"]],
  ])("%s", async (text, expected) => {
    expect(await actions(text)).toEqual(expected);
  });

  test("its tables are read and written", async () => {
    expect(await all("select mail_of(1)", ({ tablesRead }) => tablesRead)).toEqual(["people"]);
    expect(await all("select forget(1)", ({ tablesWritten }) => tablesWritten)).toEqual(["items", "orders"]);
  });

  test.each([
    ["select forget(1)", true],
    ["select forget($1)", true],
    ["select forget(id) from orders", false],
    ["select forget(generate_series(1, 9))", false],
    ["select forget_all()", false],
  ])("%s is bounded: %s", async (text, bounded) => {
    expect((await operations(text)).every((operation) => operation.bounded)).toBe(bounded);
  });

  test.each([
    ["select mail_of(1), echo(email), echo('x') from people", ["people.email", "people.email", ""]],
    ["select a, b from pair(1)", ["people.id", "people.email"]],
    ["select (pair(1)).b", ["people.email"]],
    ["select email, boss from everyone()", ["people.email", "people.boss"]],
    ["select nested(1)", ["people.email"]],
    ["select mail from mails", ["mails.mail people.email people.id"]],
    ["select hidden(1), loops(1)", ["anything", "anything"]],
  ])("%s shows %j", async (text, expected) => {
    const sorted = (list: string[]) => list.map((each) => each.split(" ").sort().join(" "));
    expect(sorted(await sources(text))).toEqual(sorted(expected));
  });

  test("what it stores comes from its arguments", async () => {
    const { statements } = await sql.understand("select noted(email) from people", context);
    expect(statements[0]!.stores).toMatchObject([
      { target: "public.log.what", sources: [{ table: "people", column: "email" }] },
    ]);
  });

  test("a harmless setting is not so by an argument, which may be anything", async () => {
    expect(await actions("select named(email) from people")).toContain("set");
    const { statements } = await sql.understand("select named(email) from people", context);
    expect(statements[0]!.stores).toMatchObject([{ sources: [{ table: "people", column: "email" }] }]);
    expect(await actions("select set_config('application_name', $1, false)")).toEqual(["select"]);
    expect(await actions("select set_config('application_name', email, false) from people")).toContain("set");
    expect(await actions("select set_config('search_path', $1, false)")).toContain("set");
  });

  test.each([
    "select set_config('search_path', 'x', false) where false",
    "select set_config('search_path', 'x', false), fixed_path()",
    "select case when false then set_config('search_path', 'x', false) end",
    "insert into orders (id) values (1) returning set_config('search_path', 'x', false)",
    "explain analyze select set_config('search_path', 'x', false)",
  ])("what may leave the search_path another is not understood: %s", async (text) => {
    const { problems } = await sql.understand(text, context);
    expect(problems).toEqual([expect.stringMatching(/search_path: do that by SET|may set the search_path/)]);
  });

  test.each(["select moves()", "select moves_by_text('x')"])("what names mean is unsettled by %s", async (text) => {
    const { statements } = await sql.understand(text, context);
    expect(statements[0]!.session[0]).toEqual({ kind: "unsettles" });
  });

  test.each([
    "select pg_catalog.set_config('search_path', '', false)",
    "select set_config('search_path', 'x', true) as path, set_config('lock_timeout', '1', true)",
  ])("what surely sets it is: %s", async (text) => {
    const { problems, statements } = await sql.understand(text, context);
    expect(problems).toEqual([]);
    expect(statements[0]!.session).toMatchObject([{ kind: "searchPath" }]);
  });

  test("its names follow the search_path, unless it has its own", async () => {
    const { problems } = await sql.understand("select set_config('search_path', 'x', false), here()", context);
    expect(problems).toEqual([expect.stringContaining("in two commands")]);
    const elsewhere = { ...context, searchPath: ["nowhere", "public"], temporary: ["people"] };
    const [statement] = (await sql.understand("select public.here()", elsewhere)).statements;
    expect(statement!.operations.flatMap(({ tablesRead }) => tablesRead)).toContain("pg_temp.people");
  });
});

describe("what runs besides is named", () => {
  test("triggers, by what they are for", async () => {
    const triggers = (text: string) => all(text, ({ code }) => code.triggers);
    expect(await triggers("insert into items values (1)")).toEqual(["audit"]);
    expect(await triggers("update items set id = 1")).toEqual([]);
    expect(await triggers("select * from items")).toEqual([]);
    expect(await triggers("merge into items i using orders o on true when not matched then insert values (1)")).toEqual(
      ["audit"],
    );
  });

  test.each([
    ["insert into checked (kept) values (1)", ["hidden"]],
    ["select * from checked", []],
    ["select * from guarded", ["hidden"]],
    ["select 1::level", ["hidden"]],
    ["select m + 1 from moods", ["of_mood"]],
    ["select 'a'::mood::int", ["of_mood"]],
    ["select 1::int", []],
  ])("%s calls %j", async (text, expected) => {
    expect(await all(text, ({ functions }) => functions.filter((name) => name.startsWith("public.")))).toEqual(
      expected,
    );
  });

  test("a cast does what its function does", async () => {
    expect(await actions("select 'a'::mood::int")).toEqual(["select", "delete", "select"]);
  });

  test("rows that follow by foreign keys", async () => {
    const written = (text: string) => all(text, ({ tablesWritten }) => tablesWritten);
    expect(await written("delete from people where id = 1")).toEqual(["items", "orders", "people"]);
    expect(await written("update orders set note = 'x' where id = 1")).toEqual(["orders"]);
    expect(await written("update orders set id = 2 where id = 1")).toEqual(["items", "orders"]);
    expect(await written("truncate people cascade")).toEqual(["items", "orders", "people"]);
  });

  test("whose word counts for what", async () => {
    const facts = (await operations("select owner(), hidden(1), random()"))[0]!.code;
    expect(facts).toEqual({
      volatile: ["public.owner", "pg_catalog.random"],
      userDefined: ["public.owner", "public.hidden"],
      definer: ["public.owner"],
      unread: ["public.hidden"],
      triggers: [],
    });
  });
});

test.each([
  ["select * from people limit 10", 10],
  ["select * from people limit '10' offset 5", 10],
  ["(select * from people limit 3) union all select * from people limit 7", 7],
  ["select 1", 1],
  ["values (1), (2)", 2],
  ["insert into log values ('a'), ('b'), ('c')", 3],
  ["insert into log default values", 1],
  ["insert into log select email from people limit 4", 4],
  ["select * from people", null],
  ["select * from people limit $1", null],
  ["select * from people limit all", null],
  ["select * from people limit 5 * 10", null],
  ["select * from people order by id fetch first 5 rows with ties", null],
  ["select generate_series(1, 100)", null],
  ["select unnest(array[1, 2])", null],
  ["update people set email = '' where id = 1", null],
])("the text of %s says %s rows", async (text, rows) => {
  expect((await operations(text))[0]!.rowLimit).toBe(rows);
});

test.each([
  ["select rolpassword from pg_authid", true],
  ["select a from pg_authid a", true],
  ["table pg_shadow", true],
  ["copy pg_user_mapping to stdout", true],
  ["select 1 from pg_authid where rolpassword like 'S%'", true],
  ["select option_value from information_schema.user_mapping_options", true],
  ["select count(*) from pg_hba_file_rules", true],
  ["select rolname from pg_authid", false],
  ["select usename from pg_user", false],
])("%s reaches for credentials: %s", async (text, reaches) => {
  expect((await actions(text)).includes("system")).toBe(reaches);
});
