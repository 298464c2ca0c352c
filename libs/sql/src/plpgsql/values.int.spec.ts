import { type Case, isUnread, MARK, outputsOf, People } from "./people.fixture.js";

const people = new People();

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
  const each = CASES.map(
    ([takes, code, expected, more]) => [takes, code, expected, people.made(takes, code, more)] as const,
  );
  test.each(each)("%s %s", async (_, __, expected, at) => {
    const found = await people.facts(people.callOf(at));
    expect(isUnread(found)).toBe(false);
    expect(outputsOf(found)).toEqual(expected);
  });
});

test("no value is shown that was not foreseen", async () => {
  expect(await people.foreseen()).toBeGreaterThan(30);
});
