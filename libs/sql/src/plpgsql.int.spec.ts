import pg from "pg";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { serverContext } from "./catalog.fixture.js";
import type { SqlContext } from "./catalog.js";
import { createUnderstander, type Understander } from "./understander.js";
import type { StatementFacts } from "./understanding.js";

/**
 * What code in PL/pgSQL does, held against what the server does with it: every e-mail address and tag holds the mark, and
 * wherever it turns up, it must have been foreseen.
 */
const MARK = "zqx7";
const SCHEMA = `
  create table people (id int primary key, email text, boss int, tags text[]);
  create table orders (id int primary key, person int, note text);
  create table log (what text);
  create type pair as (a text, b text);
  create type mood as enum ('glad', 'sad');
  insert into people select n, '${MARK}mail' || n, 1, array['t', '${MARK}tag'] from generate_series(1, 3) n;
  insert into orders select n, n, 'note' from generate_series(1, 9) n;
  create function peek(int) returns text language sql stable as 'select email from public.people where id = $1';
  create function unread() returns int language plpgsql as $$ begin execute 'select 1'; return 1; end $$;
  create procedure told(who int, out mail text) language plpgsql as $$ begin select email into mail from people where id = who; end $$;
  create schema aside;
  create table aside.log (what text);
  create function shown_mood(mood) returns text language sql as 'select email from public.people limit 1';
`;

interface Case {
  /** Arguments and what it returns. */
  readonly takes: string;
  readonly code: string;
  /** In place of a SELECT of it with 1 for each argument. */
  readonly call?: string;
  readonly more?: string;
}
const cases: Case[] = [];
/** A function made before all tests; `NAME` stands for it. */
function made(takes: string, code: string, more: Partial<Case> = {}): number {
  return cases.push({ takes, code, ...more }) - 1;
}
const callOf = (at: number): string => {
  const { takes, call = `select * from NAME(${/^\(\s*\)|^\(out/.test(takes) ? "" : "1"})` } = cases[at]!;
  return call.replaceAll("NAME", `made_${at}`);
};

let database: FreshDatabase;
let client: pg.Client;
let sql: Understander;
let context: SqlContext;

beforeAll(async () => {
  database = await freshDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(SCHEMA);
  const refused: string[] = [];
  for (const [at, { takes, code, more = "" }] of cases.entries()) {
    const name = `made_${at}`;
    const create = takes.startsWith("procedure") ? "procedure" : "function";
    const text = `create ${create} ${name}${takes.replace("procedure", "")} language plpgsql ${more} as $body$ ${code.replaceAll("NAME", name)} $body$`;
    await client.query(text).catch((error) => refused.push(`${error.message}: ${text}`));
  }
  expect(refused).toEqual([]);
  context = await serverContext(client);
  sql = createUnderstander();
});
afterAll(async () => {
  await sql?.close();
  await client?.end();
  await database?.drop();
});

async function facts(text: string): Promise<StatementFacts> {
  const { statements, problems } = await sql.understand(text, context);
  expect(problems).toEqual([]);
  return statements[0]!;
}

const actions = ({ operations }: StatementFacts) => operations.map(({ action }) => action.replace("sql:", ""));
const isUnread = ({ operations }: StatementFacts) =>
  operations.some(({ code }) => code.unread.some((name) => name.includes("made_")));
const outputsOf = ({ outputs }: StatementFacts) =>
  (outputs ?? []).map(({ sources, leaks }) =>
    leaks ? "anything" : [...new Set(sources.map(({ table, column }) => `${table}.${column}`))].sort().join(" "),
  );
const usesOf = ({ uses }: StatementFacts) =>
  uses.map(
    ({ action, column, ...use }) =>
      `${action} ${"use" in use ? use.use : use.target} ${column ? `${column.table}.${column.column}` : "*"}`,
  );

describe("a function is what its body does", () => {
  const CASES: readonly (readonly [string, string, readonly string[], Partial<Case>?])[] = [
    ["() returns int", "begin return 1; end", ["select"]],
    ["(n int) returns int", "declare x int := n; begin if x > 1 then x := 2; end if; return x; end", ["select"]],
    ["() returns text", "begin return (select email from people limit 1); end", ["select", "select"]],
    ["() returns void", "begin insert into log values ('x'); end", ["select", "insert"]],
    [
      "() returns void",
      "begin if exists (select from people) then delete from orders where id = 1; end if; end",
      ["select", "delete", "select"],
    ],
    ["() returns void", "begin call told(1, null); end", ["select", "select", "call"]],
    ["procedure()", "begin update orders set note = '' where id = 1; end", ["call", "update"], { call: "call NAME()" }],
    ["() returns int", "begin return nextval('s'); end", ["select", "nextval"]],
    ["() returns setof people", "begin return query select * from people; end", ["select", "select"]],
  ];
  test.each(CASES.map(([takes, code, expected, more]) => [takes, code, expected, made(takes, code, more)] as const))(
    "%s %s",
    async (_, __, expected, at) => {
      const found = await facts(callOf(at));
      expect(isUnread(found)).toBe(false);
      expect(actions(found).sort()).toEqual([...expected].sort());
    },
  );
});

describe("what could do anything is not read", () => {
  const CASES: readonly (readonly [string, string, Partial<Case>?])[] = [
    [
      "(n int) returns text",
      "declare v text; begin execute 'select email from people where id = ' || n into v; return v; end",
    ],
    ["(n int) returns setof text", "begin return query execute 'select email from people'; end"],
    [
      "(n int) returns setof text",
      "declare v text; begin for v in execute 'select email from people' loop return next v; end loop; end",
    ],
    [
      "(n int) returns text",
      "declare c refcursor; v text; begin open c for execute 'select email from people'; fetch c into v; return v; end",
    ],
    [
      "(n int) returns text",
      "declare c refcursor; v text; begin open c for select email from people; fetch c into v; return v; end",
    ],
    ["(n int) returns text", "begin return 1 / 0; exception when others then return sqlerrm; end"],
    [
      "(n int) returns text",
      "declare v text; begin return 1 / 0; exception when others then get stacked diagnostics v = message_text; return v; end",
    ],
    ["(n int) returns text", 'begin return 1 / 0; exception when others then return U&"sqlerr\\006d"; end'],
    ["(n int) returns text", "begin return 1 / 0; exception when others then return sqlstate; end"],
    [
      "(n int) returns text",
      "begin return 1 / 0; exception when others then declare e alias for sqlerrm; begin return e; end; end",
    ],
    ["(n int, out told text)", "begin told := 1 / 0; exception when others then told := sqlerrm; end"],
    ["(n int) returns text", "declare r record := (select p from people p limit 1); begin return r.email; end"],
    [
      "(n int) returns text",
      "declare r constant record default (select p from people p limit 1); begin return r.email; end",
    ],
    [
      "(n int) returns text",
      "declare /* r */ r -- ;\n people%rowtype = (select p from people p limit 1); begin return r.email; end",
    ],
    ["(n int) returns text", 'declare "r" record := (select p from people p limit 1); begin return r.email; end'],
    ["(n int) returns text", "declare R record := (select p from people p limit 1); begin return r.email; end"],
    ["(n int) returns int", "begin return unread(); end"],
    ["(n int) returns int", "begin return NAME(n); end"],
    ["(n int) returns int", "begin perform set_config('application_name', n::text, false); return 1; end"],
    ["(n int) returns int", "begin set local timezone = utc; insert into log values ('x'); return 1; end"],
    ["(n int) returns int", "begin create temp table t (); return 1; end"],
    ["(n int) returns int", "begin truncate log; return 1; end"],
    ["(n int) returns int", "begin return 1; end", { more: "set plpgsql.variable_conflict = use_variable" }],
    ["(n int) returns int", "#option dump\nbegin return 1; end"],
    ["procedure(n int)", "begin insert into log values ('x'); commit; end", { call: "call NAME(1)" }],
    ["(n int) returns int", "begin do $$ begin delete from log; end $$; return 1; end"],
    [
      "(n int, q text default query_to_xml('select email from people', true, true, '')::text) returns text",
      "begin return q; end",
    ],
    ["(n int, m text default peek(1)) returns text", "begin return m; end"],
  ];
  test.each(CASES.map(([takes, code, more]) => [takes, code, made(takes, code, more)] as const))(
    "%s %s",
    async (_, __, at) => {
      expect(isUnread(await facts(callOf(at)))).toBe(true);
    },
  );
});

describe("its value shows what it is made of", () => {
  const CASES: readonly (readonly [string, string, readonly string[], Partial<Case>?])[] = [
    ["(n int) returns text", "begin return peek(n); end", ["people.email"]],
    [
      "(n int) returns text",
      "declare v text; begin select note into v from orders where id = n; return v; end",
      ["orders.note"],
    ],
    [
      "(n int) returns text",
      "declare v text; begin v := (select email from people where id = n); return upper(v); end",
      ["people.email"],
    ],
    [
      "(n int) returns int",
      "declare r people%rowtype; begin select * into r from people where id = n; return r.boss; end",
      ["people.boss"],
    ],
    [
      "(n int) returns text",
      "declare r people; begin select id, email, 7 into r from people where id = n; return r.email; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "declare r record; begin select id, email as mail into r from people where id = n; return r.mail; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "declare r record; x int; begin for r in select * from people loop x := r.id; end loop; return x; end",
      ["people.id"],
    ],
    [
      "(n int) returns text",
      "declare a text; b text; begin for i in 1..3 loop b := a; a := peek(1); end loop; return b; end",
      ["people.email"],
    ],
    ["(n int) returns text", "begin if peek(n) = 'x' then return 'yes'; end if; return 'no'; end", ["people.email"]],
    [
      "(n int) returns int",
      "declare i int := 0; begin while i < length(peek(n)) loop i := i + 1; end loop; return i; end",
      ["people.email"],
    ],
    [
      "(n int) returns int",
      "declare i int := 0; begin loop exit when i = length(peek(n)); i := i + 1; end loop; return i; end",
      ["people.email"],
    ],
    [
      "(n int) returns int",
      "declare c int := 0; begin for i in 1..length(peek(n)) loop c := c + 1; end loop; return c; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "begin case peek(n) when 'x' then return 'yes'; else return 'no'; end case; end",
      ["people.email"],
    ],
    [
      "(n int) returns int",
      "declare v text; c int := 0; begin foreach v in array (select tags from people where id = n) loop c := c + 1; end loop; return c; end",
      ["people.tags"],
    ],
    [
      "(n int) returns text",
      "declare v text; begin foreach v in array (select tags from people where id = n) loop null; end loop; return v; end",
      ["people.tags"],
    ],
    [
      "(n int) returns bool",
      `begin perform 1 from people where email = '${MARK}mail1'; return found; end`,
      ["people.email"],
    ],
    ["(n int) returns bool", "begin perform email from people where id = n; return found; end", ["people.id"]],
    [
      "(n int) returns int",
      `declare c int; begin update orders set note = '' where note like '${MARK}%'; get diagnostics c = row_count; return c; end`,
      ["orders.note"],
    ],
    [
      "(n int) returns text",
      "declare v text; begin begin v := peek(n); raise exception 'x'; exception when others then null; end; return v; end",
      ["people.email people.id"],
    ],
    [
      "(n int) returns int",
      "begin return (peek(n))::int; exception when others then return 0; end",
      ["people.email people.id"],
    ],
    ["(n int, out a int, out b text)", "begin a := n; b := peek(n); end", ["", "people.email"]],
    [
      "(n int) returns table (a int, b text)",
      "begin return query select id, email from people; end",
      ["people.id", "people.email"],
    ],
    [
      "(n int) returns table (a int, b text)",
      "begin for a, b in select id, email from people loop return next; end loop; end",
      ["people.id", "people.email"],
    ],
    [
      "(n int) returns table (a text, b text)",
      "begin b := peek(n); a := b; return next; end",
      ["people.email", "people.email"],
    ],
    [
      "(n int) returns people",
      "declare r people; begin select * into r from people; return r; end",
      ["people.id", "people.email", "people.boss", "people.tags"],
    ],
    [
      "(n int) returns people",
      "begin return (select p from people p limit 1); end",
      ["people.id", "people.email", "people.boss", "people.tags"],
    ],
    [
      "(n int) returns setof people",
      "declare r people%rowtype; begin for r in select * from people loop return next r; end loop; end",
      ["people.id", "people.email", "people.boss", "people.tags"],
    ],
    [
      "(n int) returns text",
      "declare v alias for n; w text; x alias for w; begin x := peek(v); return w; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "declare v alias for $1; w text; x alias for w; begin w := peek(v); return x; end",
      ["people.email"],
    ],
    ["(n text) returns text", "begin n := peek(1); return $1; end", ["people.email"]],
    ["(n text) returns text", "begin n := peek(1); return NAME.n; end", ["people.email"]],
    [
      "(n int) returns text",
      "<<b>> declare v text; begin declare v text := 'x'; begin b.v := peek(n); end; return v; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "<<b>> declare r record; begin select email as m into r from people; return b.r.m; end",
      ["people.email"],
    ],
    ["(n int) returns text", "declare v text[]; begin v[n] := peek(n); return v[1]; end", ["people.email"]],
    ["(n int) returns text", "declare r people; begin r.email := peek(n); return r; end", ["people.email"]],
    [
      "(n int) returns text",
      "declare r record; begin select 1 as a, 'x' as email into r; r.email := peek(n); return r.email; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "declare r record; begin declare r people; begin select 7 as email, email as id into r from people; return r.email; end; end",
      ["people.email"],
    ],
    [
      "(n int, out r people)",
      "begin select 7 as email, email as id into r from people; end",
      Array.from({ length: 4 }, () => "people.email"),
    ],
    [
      "(n int) returns pair",
      "declare r record; begin select 'x' as a, 'y' as b into r; if n = 1 then select email as b, 'y' as a into r from people; end if; return r; end",
      ["people.email", "people.email"],
    ],
    [
      "(n int) returns pair",
      "declare r record; begin select 'x' as x, email as x into r from people; return r; end",
      ["people.email", "people.email"],
    ],
    [
      "(n int) returns pair",
      "declare r pair; begin select 'x', email into r from people; return r; end",
      ["", "people.email"],
    ],
    ["(n int) returns pair", "declare r pair; begin r.b := peek(n); return r; end", ["", "people.email"]],
    [
      "(n int) returns text",
      "declare c cursor (k int) for select email from people where id = k; v text; begin for r in c(n) loop v := r.email; end loop; return v; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "declare c cursor (k text) for select k as x; v text; begin for r in c(peek(1)) loop v := r.x; end loop; return v; end",
      ["people.email"],
    ],
    ["(n int) returns text", "declare v text; begin call told(n, v); return v; end", ["people.email"]],
    ["(n int) returns text", "declare v text; begin call told(mail => v, who => n); return v; end", ["people.email"]],
    ["(n int) returns text", "declare v text := peek(n); w text; begin w := v; return w; end", ["people.email"]],
    [
      "(n int) returns text",
      "declare v text; begin v := peek(n); declare w text := v; begin return w; end; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "declare v text; begin insert into log select email from people where id = n returning what into v; return v; end",
      ["log.what people.email"],
    ],
    [
      "(n int) returns text",
      "#variable_conflict use_variable\ndeclare note text := peek(n); v text; begin select note into v from orders; return v; end",
      ["orders.note people.email"],
    ],
    [
      "(n int) returns text",
      "#variable_conflict use_column\ndeclare email text := 'x'; v text; begin select email into v from people; return v; end",
      ["people.email"],
    ],
    [
      "(n int) returns text",
      "#variable_conflict use_variable\ndeclare o record; v text; begin select peek(n) as note into o; select o.note into v from orders o; return v; end",
      ["orders.note people.email"],
    ],
    [
      "(n anyelement) returns anyelement",
      "declare v n%type; begin v := n; return v; end",
      ["people.email"],
      { call: "select NAME(email) from people" },
    ],
    ["(n int, m text default 'x') returns text", "begin return m; end", [""]],
    [
      "(n int) returns mood",
      "declare v mood; begin v := case peek(n) when 'x' then 'glad' else 'sad' end; return v; end",
      ["people.email"],
    ],
    ["(n int) returns text", "declare n text := peek(1); begin return n; end", ["people.email"]],
    [
      "(n int) returns text",
      "declare x text; begin select email, id into x, n from people; return x; end",
      ["people.email"],
    ],
    ["(n int) returns record", "begin return (peek(n), 1); end", ["people.email"], { call: "select NAME(1)" }],
    ["procedure(n int, inout m text)", "begin m := peek(n); end", ["people.email"], { call: "call NAME(1, '')" }],
    ["(n int) returns void", "begin perform peek(n); end", [""]],
  ];
  const each = CASES.map(([takes, code, expected, more]) => [takes, code, expected, made(takes, code, more)] as const);
  test.each(each)("%s %s", async (_, __, expected, at) => {
    const found = await facts(callOf(at));
    expect(isUnread(found)).toBe(false);
    expect(outputsOf(found)).toEqual(expected);
  });
});

describe("what it stores comes from where its variables do", () => {
  const CASES: readonly (readonly [string, string, readonly string[]])[] = [
    [
      "(n int) returns void",
      "declare v text; begin select email into v from people where id = n; insert into log values (v); end",
      ["people.email"],
    ],
    [
      "(n int) returns void",
      "declare r record; begin for r in select * from people loop insert into log values (r.email); end loop; end",
      ["people.email"],
    ],
    [
      "(n int) returns void",
      "declare r record; begin for r in select * from people loop insert into log values (r.id); end loop; end",
      ["people.id"],
    ],
    [
      "(n int) returns void",
      "declare r people; begin select * into r from people limit 1; insert into log select r.email; update orders set note = r.email where id = n; end",
      ["people.email", "people.email"],
    ],
  ];
  test.each(CASES.map(([takes, code, expected]) => [takes, code, expected, made(takes, code)] as const))(
    "%s %s",
    async (_, __, expected, at) => {
      const found = await facts(callOf(at));
      expect(
        found.stores.map(({ sources }) => sources.map(({ table, column }) => `${table}.${column}`).join(" ")),
      ).toEqual(expected);
    },
  );
});

describe("which rows it writes is bounded, where it is each time", () => {
  const CASES: readonly (readonly [string, string, boolean, string?])[] = [
    ["(n int) returns void", "begin delete from orders where id = n; end", true],
    ["(n int) returns void", "begin delete from orders where id = n; end", false, "select NAME(id) from orders"],
    ["(n int) returns void", "declare v int; begin v := n + 1; delete from orders where id = v; end", true],
    [
      "(n int) returns void",
      "declare v int; begin select min(id) into v from orders where note = 'x'; delete from orders where id = v; end",
      true,
    ],
    ["(n int) returns void", "begin delete from orders; end", false],
    ["(n bool) returns void", "begin delete from orders where n; end", false, "select NAME(true)"],
    ["(n int) returns void", "begin for i in 1..9 loop delete from orders where id = i; end loop; end", false],
    [
      "(n int) returns void",
      "begin loop update orders set note = '' where id = n; n := n + 1; exit when n > 9; end loop; end",
      false,
    ],
    [
      "(n int) returns void",
      "declare v int[]; begin select array_agg(id) into v from orders; delete from orders where id = any(v); end",
      false,
    ],
    [
      "(n int) returns void",
      "declare v int[]; begin select array_agg(id) into v from orders where true; delete from orders where id = any(v); end",
      false,
    ],
    [
      "(n int) returns void",
      "#variable_conflict use_variable\ndeclare id int := n; begin delete from orders where id = n; end",
      false,
    ],
    [
      "(n int) returns void",
      "begin for i in 1..9 loop insert into people values (i) on conflict (id) do update set boss = 1; end loop; end",
      false,
    ],
  ];
  test.each(
    CASES.map(
      ([takes, code, expected, call]) => [takes, code, expected, made(takes, code, call ? { call } : {})] as const,
    ),
  )("%s %s: %s", async (_, __, expected, at) => {
    const found = await facts(callOf(at));
    expect(isUnread(found)).toBe(false);
    expect(found.operations.every(({ bounded }) => bounded)).toBe(expected);
    expect(
      found.operations.filter(({ action }) => action !== "sql:select").map(({ rowLimit }) => rowLimit),
    ).not.toContain(1);
  });
});

describe("what is asked of a value by way of it is the caller's question", () => {
  const CASES: readonly (readonly [string, string, readonly string[]])[] = [
    [
      "(n text) returns bool",
      "declare v text; begin select email into v from people limit 1; return v like n; end",
      ["filter other people.email"],
    ],
    [
      "(n text) returns bool",
      "declare v text; begin select email into v from people limit 1; if v = n then return true; end if; return false; end",
      ["filter other people.email"],
    ],
    [
      "(n text) returns bool",
      "declare v text := n; begin perform 1 from people where email = v; return found; end",
      ["filter join people.email"],
    ],
    [
      "(n text) returns bool",
      "begin perform 1 from people where email = n; return found; end",
      ["filter equality people.email"],
    ],
    ["(n text) returns bool", "begin perform 1 from people where email = 'fixed'; return found; end", []],
    [
      "(n text) returns text",
      "declare v text; w text; begin select email, tags[1] into v, w from people limit 1; return v || ' ' || coalesce(w, ''); end",
      [],
    ],
    [
      "(n text) returns void",
      "begin raise exception using errcode = left(peek(1), 5); end",
      ["filter equality people.id", "filter other people.email"],
    ],
  ];
  test.each(
    CASES.map(
      ([takes, code, expected]) => [takes, code, expected, made(takes, code, { call: "select NAME('x')" })] as const,
    ),
  )("%s %s", async (_, __, expected, at) => {
    const found = await facts(callOf(at));
    expect(isUnread(found)).toBe(false);
    expect([...new Set(usesOf(found))].sort()).toEqual(expected);
  });
});

describe("what becomes of an argument is the caller's question, whichever way the code takes", () => {
  const CASES = [
    "begin if n = 'x' then return 1; end if; return 2; end",
    "declare v int := n; begin return v; end",
    "begin raise exception 'x'; end",
    "begin for i in 1..length(n) loop null; end loop; return 1; end",
  ].map((code) => [code, made("(n text) returns int", code, { call: "select NAME(email) from people" })] as const);
  test.each(CASES)("%s", async (_, at) => {
    expect(usesOf(await facts(callOf(at)))).toContain("filter other people.email");
  });
});

test("functions that call functions, each in a loop, cost no more than there are", async () => {
  const chain = (at: number) => {
    const inner = at === 0 ? "(select email from people limit 1)" : `chain_${at - 1}(v) || chain_${at - 1}(v)`;
    return `create function chain_${at}(n text) returns text language plpgsql as $$ declare v text := n;
      begin loop v := ${inner}; exit when v is null; end loop; return v; end $$;`;
  };
  await client.query(Array.from({ length: 25 }, (_, at) => chain(at)).join("\n"));
  context = await serverContext(client);
  const found = await facts("select chain_24('x')");
  expect(outputsOf(found)).toEqual(["people.email"]);
  expect(found.operations.flatMap(({ code }) => code.unread)).toEqual([]);
});

describe("code that comes with the command", () => {
  const CASES: readonly (readonly [string, readonly string[], readonly string[], readonly string[]])[] = [
    ["begin null; end", ["do"], [], []],
    [
      "begin raise notice 'x'; delete from orders where id = 1; end",
      ["delete", "do"],
      [],
      ["filter equality orders.id"],
    ],
    [
      "declare v text; begin select email into v from people; insert into log values (v); end",
      ["do", "insert", "select"],
      ["people.email"],
      ["copy public.log.what people.email"],
    ],
    [
      "declare r record; begin for r in select * from people loop insert into log values (r.id); end loop; end",
      ["do", "insert", "select"],
      ["people.id"],
      ["copy public.log.what people.id"],
    ],
    [
      "begin if peek(1) like 'a%' then raise notice 'yes'; end if; end",
      ["do", "select"],
      [],
      ["filter equality people.id", "filter other people.email"],
    ],
    [
      "begin if exists (select from people where email like 'a%') then null; end if; end",
      ["do", "select"],
      [],
      ["filter pattern people.email"],
    ],
    ["declare v int; begin select email into v from people; end", ["do", "select"], [], ["filter other people.email"]],
    [
      "declare v varchar(3); begin select email into v from people; end",
      ["do", "select"],
      [],
      ["filter other people.email"],
    ],
    ["declare v mood; begin select email into v from people; end", ["do", "select"], [], ["filter other people.email"]],
    [
      "declare v text not null := ''; begin select email into v from people; end",
      ["do", "select"],
      [],
      ["filter other people.email"],
    ],
    ["declare v people.email%type; begin select email into v from people; end", ["do", "select"], [], []],
    [
      "declare v people.boss%type; begin select email into v from people; end",
      ["do", "select"],
      [],
      ["filter other people.email"],
    ],
    ["declare r people; begin select * into r from people; end", ["do", "select"], [], []],
    [
      "declare r people%rowtype; begin select boss, email, boss into r from people; end",
      ["do", "select"],
      [],
      ["filter other people.boss", "filter other people.email"],
    ],
    [
      "declare r people; begin r.boss := (select email from people limit 1); end",
      ["do", "select"],
      [],
      ["filter other people.email"],
    ],
    [
      "declare a int[]; begin a[length(peek(1))] := 1; end",
      ["do", "select"],
      [],
      ["filter equality people.id", "filter other people.email"],
    ],
    [
      "begin raise exception using errcode = left(peek(1), 5); end",
      ["do", "select"],
      [],
      ["filter equality people.id", "filter other people.email"],
    ],
    [
      "begin for i in 1..length(peek(1)) loop null; end loop; end",
      ["do", "select"],
      [],
      ["filter equality people.id", "filter other people.email"],
    ],
    [
      "declare c cursor for select email from people order by email; begin for r in c loop exit; end loop; end",
      ["do", "select"],
      [],
      ["order sort people.email"],
    ],
    [
      "declare v int := 0; begin loop exit when v = length(peek(1)); v := v + 1; end loop; insert into log values (v); end",
      ["do", "insert", "select"],
      ["people.email"],
      ["copy public.log.what people.email", "filter equality people.id", "filter other people.email"],
    ],
    ["begin call told(1, null); end", ["call", "do", "select"], [], ["filter equality people.id"]],
    // What is not read could copy anything to anywhere.
    ["begin execute 'select 1'; end", ["do"], [""], ["copy * *"]],
    [
      "begin perform set_config('search_path', 'aside', false); insert into log select email from people; end",
      ["do"],
      [""],
      ["copy * *"],
    ],
    [
      "declare r record := (select p from people p limit 1); begin insert into log values (r.email); end",
      ["do"],
      [""],
      ["copy * *"],
    ],
    [
      "begin insert into log values (1 / 0); exception when others then insert into log values (sqlerrm); end",
      ["do"],
      [""],
      ["copy * *"],
    ],
    ["begin perform unread(); end", ["do"], [""], ["copy * *"]],
    ["begin commit; end", ["do"], [""], ["copy * *"]],
    ["begin create table t (); end", ["do"], [""], ["copy * *"]],
    ["begin set role postgres; end", ["do"], [""], ["copy * *"]],
    ["nonsense", ["do"], [""], ["copy * *"]],
  ];
  test.each(CASES)("do %s", async (code, does, stores, asks) => {
    const found = await facts(`do $$ ${code} $$`);
    expect([...new Set(actions(found))].sort()).toEqual(does);
    expect(
      found.stores.map(({ sources }) => sources.map(({ table, column }) => `${table}.${column}`).join(" ")),
    ).toEqual(stores);
    expect([...new Set(usesOf(found))].sort()).toEqual(asks);
  });

  test("in another language it is not read", async () => {
    expect(usesOf(await facts("do language sql $$ select 1 $$"))).toEqual(["copy * *"]);
  });
});

/** Wherever an expression can stand. `LEAK` reads people. */
const PLACES: readonly string[] = [
  "declare v text := LEAK; begin end",
  "declare v constant text default LEAK; begin end",
  "begin declare v text = LEAK; begin end; end",
  "declare v text; begin v := LEAK; end",
  "declare v text[]; begin v[length(LEAK)] := 'x'; end",
  "declare v text[]; begin v[1:length(LEAK)] := '{}'; end",
  "declare r record; begin select 1 as a into r; r.a := length(LEAK); end",
  "begin if LEAK = 'x' then end if; end",
  "begin if false then elsif LEAK = 'x' then end if; end",
  "begin if false then else perform LEAK; end if; end",
  "begin if false then perform LEAK; end if; end",
  "begin if false then elsif true then perform LEAK; end if; end",
  "begin case LEAK when 'x' then else end case; end",
  "begin case 'x' when LEAK then else end case; end",
  "begin case when LEAK = 'x' then else end case; end",
  "begin case when true then perform LEAK; end case; end",
  "begin case when false then null; else perform LEAK; end case; end",
  "begin loop perform LEAK; exit; end loop; end",
  "begin loop exit when LEAK is not null; end loop; end",
  "begin <<l>> for i in 1..2 loop continue l when LEAK is not null; end loop; end",
  "begin while LEAK is null loop end loop; end",
  "begin while true loop perform LEAK; exit; end loop; end",
  "begin for i in length(LEAK)..100 loop end loop; end",
  "begin for i in 1..length(LEAK) loop end loop; end",
  "begin for i in reverse 100..1 by length(LEAK) loop end loop; end",
  "begin for i in 1..1 loop perform LEAK; end loop; end",
  "declare r record; begin for r in select LEAK loop end loop; end",
  "declare r record; begin for r in select 1 loop perform LEAK; end loop; end",
  "declare r record; begin for r in execute 'select $1' using LEAK loop end loop; end",
  "declare r record; begin for r in execute LEAK loop end loop; end",
  "declare c cursor for select LEAK; begin for r in c loop end loop; end",
  "declare c cursor (p text) for select p; begin for r in c(LEAK) loop end loop; end",
  "declare c cursor (p text) for select p; begin for r in c(p := LEAK) loop perform 1; end loop; end",
  "declare c cursor for select 1; begin for r in c loop perform LEAK; end loop; end",
  "declare c cursor (p text) for select p; begin open c(LEAK); end",
  "declare c refcursor; begin open c for select LEAK; end",
  "declare c refcursor; begin open c for execute 'select $1' using LEAK; end",
  "declare c cursor for select 1; begin open c; fetch absolute length(LEAK) from c into n; end",
  "declare c scroll cursor for select 1; begin open c; move absolute length(LEAK) from c; end",
  "declare v text; begin foreach v in array array[LEAK] loop end loop; end",
  "declare v text; begin foreach v in array array['x'] loop perform LEAK; end loop; end",
  "begin raise notice '%', LEAK; end",
  "begin raise notice 'x' using detail = LEAK; end",
  "begin raise notice using message = LEAK, hint = 'x'; end",
  "begin raise exception using errcode = LEAK; end",
  "begin assert LEAK is not null; end",
  "begin assert true, LEAK; end",
  "begin perform LEAK; end",
  "declare v text; begin select LEAK into v; end",
  "declare v text; begin select LEAK into strict v; end",
  "begin insert into log values (LEAK); end",
  "declare v text; begin insert into log values ('x') returning LEAK into v; end",
  "begin update orders set note = LEAK where id = 1; end",
  "begin delete from orders where note = LEAK; end",
  "begin with w as (select LEAK) insert into log select * from w; end",
  "begin call told(length(LEAK), null); end",
  "begin execute 'select $1' using LEAK; end",
  "begin execute LEAK; end",
  "begin begin perform LEAK; end; end",
  "begin begin null; exception when others then perform LEAK; end; end",
  "begin begin perform LEAK; exception when others then null; end; end",
];

describe("no place where an expression stands is overlooked", () => {
  test.each(PLACES)("%s", async (code) => {
    const block = code.replaceAll("LEAK", "(select email from people limit 1)");
    // The server takes it for what it looks like.
    await client.query(`create function looks(n int) returns void language plpgsql as $body$ ${block} $body$`);
    await client.query("drop function looks");
    const found = await facts(`do $$ declare n int; begin ${block}; end $$`);
    const reads = found.operations.some(({ tablesRead }) => tablesRead.includes("public.people"));
    const opaque = usesOf(found).includes("copy * *");
    // Of what is made when it runs, or read from a cursor, nothing is said.
    expect({ reads, opaque }).toEqual(
      /execute|open c/.test(code) ? { reads: false, opaque: true } : { reads: true, opaque: false },
    );
  });

  test.each([
    ["set returns", "return next LEAK; return query select LEAK; return query values (LEAK);"],
    ["returns", "return LEAK;"],
  ])("%s", async (kind, code) => {
    for (const each of code.split(";").filter((one) => one.trim())) {
      const name = `gives_${kind.length}_${code.indexOf(each)}`;
      const value = each.replaceAll("LEAK", "(select email from people limit 1)");
      await client.query(
        `create function ${name}() returns ${kind === "returns" ? "" : "setof"} text language plpgsql as $body$ begin ${value}; end $body$`,
      );
      context = await serverContext(client);
      const found = await facts(`select * from ${name}()`);
      expect(outputsOf(found)).toEqual(["people.email"]);
    }
  });
});

test("nothing is shown, stored or changed that was not foreseen", async () => {
  const state = async () => {
    const tables = ["public.people", "public.orders", "public.log", "aside.log"];
    const rows = await Promise.all(tables.map((table) => client.query(`select t::text from ${table} t order by 1`)));
    return new Map(tables.map((table, i) => [table, JSON.stringify(rows[i]!.rows)]));
  };
  await client.query("set statement_timeout = '5s'");
  const before = await state();
  const wrong: string[] = [];
  let marked = 0;
  for (const [at, { takes, code }] of cases.entries()) {
    const text = callOf(at);
    const { operations, outputs, stores } = await facts(text);
    await client.query("begin");
    const result = await client.query({ text, rowMode: "array" }).catch(() => null);
    const after = result ? await state() : before;
    await client.query("rollback");
    const opaque = operations.some(({ action }) => action === "sql:function_write");
    for (const [i, output] of (outputs ?? []).entries()) {
      const shows = result?.rows.some((row: unknown[]) => JSON.stringify(row[i] ?? null).includes(MARK));
      if (shows) marked += 1;
      const traced = output.leaks || output.sources.some(({ table }) => table === "people");
      if (shows && !traced) wrong.push(`shown: ${takes} ${code}`);
    }
    for (const [table, rows] of after) {
      if (rows === before.get(table) || opaque) continue;
      if (!operations.some(({ tablesWritten }) => tablesWritten.includes(table)))
        wrong.push(`changed: ${takes} ${code}`);
      const copied = stores.some(
        ({ target, sources }) => target.startsWith(table) && sources.some((s) => s.table === "people"),
      );
      if (rows.includes(MARK) && !before.get(table)!.includes(MARK) && !copied) wrong.push(`stored: ${takes} ${code}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(marked).toBeGreaterThan(30);
});
