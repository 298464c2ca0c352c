import { actions, type Case, isUnread, outputsOf, People, usesOf } from "./people.fixture.js";

const people = new People();

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
  test.each(
    CASES.map(([takes, code, expected, more]) => [takes, code, expected, people.made(takes, code, more)] as const),
  )("%s %s", async (_, __, expected, at) => {
    const found = await people.facts(people.callOf(at));
    expect(isUnread(found)).toBe(false);
    expect(actions(found).sort()).toEqual([...expected].sort());
  });
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
  test.each(CASES.map(([takes, code, more]) => [takes, code, people.made(takes, code, more)] as const))(
    "%s %s",
    async (_, __, at) => {
      expect(isUnread(await people.facts(people.callOf(at)))).toBe(true);
    },
  );
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
  test.each(CASES.map(([takes, code, expected]) => [takes, code, expected, people.made(takes, code)] as const))(
    "%s %s",
    async (_, __, expected, at) => {
      const found = await people.facts(people.callOf(at));
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
      ([takes, code, expected, call]) =>
        [takes, code, expected, people.made(takes, code, call ? { call } : {})] as const,
    ),
  )("%s %s: %s", async (_, __, expected, at) => {
    const found = await people.facts(people.callOf(at));
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
      ([takes, code, expected]) =>
        [takes, code, expected, people.made(takes, code, { call: "select NAME('x')" })] as const,
    ),
  )("%s %s", async (_, __, expected, at) => {
    const found = await people.facts(people.callOf(at));
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
  ].map(
    (code) => [code, people.made("(n text) returns int", code, { call: "select NAME(email) from people" })] as const,
  );
  test.each(CASES)("%s", async (_, at) => {
    expect(usesOf(await people.facts(people.callOf(at)))).toContain("filter other people.email");
  });
});

test("functions that call functions, each in a loop, cost no more than there are", async () => {
  const chain = (at: number) => {
    const inner = at === 0 ? "(select email from people limit 1)" : `chain_${at - 1}(v) || chain_${at - 1}(v)`;
    return `create function chain_${at}(n text) returns text language plpgsql as $$ declare v text := n;
      begin loop v := ${inner}; exit when v is null; end loop; return v; end $$;`;
  };
  await people.client.query(Array.from({ length: 25 }, (_, at) => chain(at)).join("\n"));
  await people.lookAgain();
  const found = await people.facts("select chain_24('x')");
  expect(outputsOf(found)).toEqual(["people.email"]);
  expect(found.operations.flatMap(({ code }) => code.unread)).toEqual([]);
});

test("nothing is shown, stored or changed that was not foreseen", async () => {
  await people.foreseen();
});
