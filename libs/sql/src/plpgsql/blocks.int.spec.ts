import { actions, outputsOf, People, usesOf } from "./people.fixture.js";

const people = new People();

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
    const found = await people.facts(`do $$ ${code} $$`);
    expect([...new Set(actions(found))].sort()).toEqual(does);
    expect(
      found.stores.map(({ sources }) => sources.map(({ table, column }) => `${table}.${column}`).join(" ")),
    ).toEqual(stores);
    expect([...new Set(usesOf(found))].sort()).toEqual(asks);
  });

  test("in another language it is not read", async () => {
    expect(usesOf(await people.facts("do language sql $$ select 1 $$"))).toEqual(["copy * *"]);
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
    await people.client.query(`create function looks(n int) returns void language plpgsql as $body$ ${block} $body$`);
    await people.client.query("drop function looks");
    const found = await people.facts(`do $$ declare n int; begin ${block}; end $$`);
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
      await people.client.query(
        `create function ${name}() returns ${kind === "returns" ? "" : "setof"} text language plpgsql as $body$ begin ${value}; end $body$`,
      );
      await people.lookAgain();
      const found = await people.facts(`select * from ${name}()`);
      expect(outputsOf(found)).toEqual(["people.email"]);
    }
  });
});
