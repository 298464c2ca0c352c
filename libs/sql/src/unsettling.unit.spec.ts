import { saysSo, Unsettling } from "./unsettling.js";

test.each([
  "begin perform set_config($1, $2, false); end",
  "begin set schema 'x'; end",
  "begin set local role x; end",
  "begin reset all; end",
  "begin close $1; open $1 for select 1; end",
  "begin execute $1; end",
  "begin execute 'se' || 't x = 1'; end",
  "begin execute format('%s', $1); end",
  "begin return query execute (a || b); end",
  "begin execute 'call ' || $1; end",
  'select U&"set\\005fconfig"($1, $2, false)',
])("it could: %s", (text) => expect(saysSo("plpgsql", text)).toBe(true));

test.each([
  "begin update t set note = 'x' where id = $1; end",
  "begin execute 'select 1'; end",
  "begin execute format('insert into %I select $1.*', tg_table_name) using new; end",
  "begin execute $q$ delete from x $q$; end",
  "begin for r in execute 'with x as (select 1) table x' loop end loop; end",
  "begin return new; end",
])("it could not: %s", (text) => expect(saysSo("plpgsql", text)).toBe(false));

test("what cannot be had and what is in another language could", () => {
  expect(saysSo("plpgsql", null)).toBe(true);
  expect(saysSo("plpython3u", "pass")).toBe(true);
});

test("what calls one could too, and an aggregate by its functions", () => {
  const routine = (oid: string, name: string, body: string | null, more = {}) =>
    ({ oid, name, body, kind: "f", language: "plpgsql", userDefined: true, ...more }) as never;
  const all = new Unsettling([
    routine("1", "Moves", "begin reset all; end"),
    routine("2", "calls", 'begin perform "Moves"(); end'),
    routine("3", "far", "begin perform calls(); end"),
    routine("4", "summed", "calls", { kind: "a", language: "internal" }),
    routine("5", "quiet", "begin return 1; end"),
    routine("6", "of C", null, { language: "c" }),
    routine("7", "counted", "int8inc", { kind: "a", language: "internal" }),
  ]);
  expect(["1", "2", "3", "4", "5", "6", "7"].filter((oid) => all.has(oid))).toEqual(["1", "2", "3", "4"]);
  expect(all.isNamedIn("do something(far(1))")).toBe(true);
  expect(all.isNamedIn("quiet()")).toBe(false);
});
