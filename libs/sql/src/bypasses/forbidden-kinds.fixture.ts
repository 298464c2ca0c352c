import { type Forbidden, forbids, forbidsEveryRow } from "./bypass.fixture.js";

/** What a statement is, however it is spelled and wherever it hides. */
export const FORBIDDEN_KINDS: readonly Forbidden[] = [
  ...forbids("DROP TABLE", "sql:drop_table", {
    "a comment for a space": "DROP/**/TABLE customers cascade",
    "many spaces": "drop   \n table\tcustomers cascade",
    "mixed case, quotes and a schema": 'dRoP tAbLe if exists public."customers" cascade',
    "a harmless word in comments around it": "/* select */ drop table customers cascade -- select",
    "a comment in a comment": "/* a /* nested */ select 1; */ drop table customers cascade",
    "a line comment that ends": "-- select 1; \ndrop table customers cascade",
    "a line comment that ends with a carriage return": "-- select 1\rdrop table customers cascade",
    "the second statement": "select 1; drop table customers cascade",
    "behind a semicolon in a literal": "select ';'; drop table customers cascade; select 2",
    "behind empty statements": ";;; drop table customers cascade;",
    "behind a dollar-quoted text": "select $q$;'$q$; drop table customers cascade",
    "behind an escape string": "select E'\\';drop table x;--'; drop table customers cascade",
    "behind a string continued on the next line": "select 'a'\n'b''; '; drop table customers cascade",
    "its name in Unicode escapes": 'drop table U&"\\0063ustomers" cascade',
    "its name in escapes of another character": "drop table U&\"!0063ustomers\" uescape '!' cascade",
    "one of several": "drop table orders, customers cascade",
    "a form feed for a space": "drop\u000ctable customers cascade",
    "a partition": "drop table events_2024",
    "IF EXISTS of one that is not there": "drop table if exists nothing_of_that_name",
    "in a transaction of its own": ["begin; drop table payments; rollback"],
    "a name too long": {
      sql: `drop table customers${"s".repeat(80)}`,
      blunt: "no table of the test has such a name",
    },
  }),
  ...forbids("DROP of other things", [], {
    "a schema, with all that is in it": { sql: "drop schema public cascade", does: ["sql:drop_schema"] },
    "all a user owns": {
      sql: "drop owned by current_user cascade",
      does: ["sql:role"],
      blunt: "the test's user is the one the system needs",
    },
    "what another owns": { sql: "drop owned by pg_monitor", does: ["sql:role"], blunt: "a role the system needs" },
    "giving away what one owns": {
      sql: "reassign owned by pg_monitor to current_user",
      does: ["sql:role"],
      blunt: "a role the system needs",
    },
    "a view": { sql: "drop view contacts cascade", does: ["sql:drop_view"] },
    "a materialized view": { sql: "drop materialized view contact_list", does: ["sql:drop_view"] },
    "a sequence behind a column": { sql: "drop sequence log_id_seq cascade", does: ["sql:drop_other"] },
    "a function by its types": { sql: "drop function secret(int) cascade", does: ["sql:drop_function"] },
    "a routine": { sql: "drop routine touch cascade", does: ["sql:drop_function"] },
    "a procedure": { sql: "drop procedure tidy(int)", does: ["sql:drop_function"] },
    "an index": { sql: "drop index customers_pkey_copy", does: ["sql:drop_index"] },
    "a constraint": { sql: "alter table customers drop constraint customers_pkey", does: ["sql:alter_table"] },
    "a column": { sql: "alter table customers drop column email cascade", does: ["sql:alter_table"] },
    "a type and the columns of it": { sql: "drop type mood cascade", does: ["sql:drop_other"] },
    "an extension with what depends on it": { sql: "drop extension plpgsql cascade", does: ["sql:drop_other"] },
    "a language": { sql: "drop language plpgsql cascade", does: ["sql:drop_other"], blunt: "the extension needs it" },
    "a database": { sql: ["drop database nothing_of_that_name"], does: ["sql:drop_other"], blunt: "there is none" },
    "a cast of the system": {
      sql: "drop cast (text as regclass)",
      does: ["sql:drop_other"],
      blunt: "the system needs it",
    },
  }),

  ...forbidsEveryRow("a DELETE of everything", "sql:delete", {
    plain: "delete from customers",
    "no space it needs": 'delete from"customers"',
    ONLY: "delete from only customers",
    "a star behind the name": "delete from customers *",
    "in a transaction": ["begin; delete from customers; rollback"],
    "EXPLAIN ANALYZE": "explain analyze delete from customers",
    "EXPLAIN with options": "explain (analyze true, costs off) delete from customers",
    "EXPLAIN, the last option wins": "explain (analyze off, analyze) delete from customers",
    "EXPLAIN, a number for true": "explain (analyze 1) delete from customers",
    "EXPLAIN ANALYZE VERBOSE, the old order": "explain analyze verbose delete from customers",
    "EXPLAIN (ANALYZE, FORMAT JSON)": "explain (analyze, format json, buffers) delete from customers",
    "a WITH that returns": "with d as (delete from customers returning *) select count(*) from d",
    "a WITH that nobody selects from": "with d as (delete from customers) select 1",
    "a WITH within a WITH": "with a as (with b as (select 1) select * from b), d as (delete from customers) table a",
    "a WITH of an INSERT": "with d as (delete from customers returning name) insert into log(what) select name from d",
    "a WITH of CREATE TABLE AS":
      "create table copy_of as with d as (delete from customers returning id) select * from d",
    "a WITH of a SELECT INTO": "with d as (delete from customers returning id) select * into copy_of from d",
    "COPY of its RETURNING": "copy (delete from customers returning *) to stdout",
    "COPY of a WITH": "copy (with d as (delete from customers returning id) select * from d) to stdout",
    "a view over the table": "delete from contacts",
    "a view, its columns in the WHERE": "delete from contacts where id = id",
    "PREPARE and EXECUTE": ["prepare p as delete from customers", "begin; execute p; rollback"],
    "PREPARE and EXECUTE in one text": {
      sql: ["begin; prepare p as delete from customers; execute p; rollback"],
      does: ["sql:session"],
      unbounded: false,
    },
    "EXPLAIN ANALYZE EXECUTE": ["prepare p as delete from customers", "begin; explain analyze execute p; rollback"],
    "WHERE CURRENT OF in a loop": {
      sql: "do $$ declare c cursor for select * from customers for update; begin for r in c loop delete from customers where current of c; end loop; end $$",
      does: ["sql:do"],
      unbounded: false,
    },
    "a rule's own": {
      sql: "create rule r as on insert to orders do also delete from customers",
      does: ["sql:create_other"],
      unbounded: false,
    },
    "a parent table's": "delete from people",
    "a partitioned table's": { sql: "delete from events where id = id or id is null" },
  }),
  ...forbidsEveryRow("an UPDATE of everything", "sql:update", {
    plain: "update customers set city = 'x'",
    "EXPLAIN ANALYZE": "explain (analyze 1) update customers set email = null",
    "a WITH behind a harmless statement":
      "select * from (select 1) s where exists (with x as (select 1) select * from x); with u as (update customers set city = '') select 1",
    "to its own value": "update customers set name = name",
    "to DEFAULT": "update customers set city = default",
    "several columns at once": "update customers set (name, city) = ('a', 'b')",
    "a view": "update contacts set name = 'x'",
  }),
  ...forbidsEveryRow("MERGE", "sql:merge", {
    "ON TRUE": {
      sql: "merge into customers c using (select 1) o on true when matched then delete",
      does: ["sql:merge", "sql:delete"],
    },
    "an UPDATE of all": {
      sql: "merge into payments using (select 1) s on true when matched then update set amount = 0",
      does: ["sql:merge", "sql:update"],
    },
    "with itself": "merge into customers c using customers s on c.id = s.id when matched then update set city = 'x'",
    "what the source has not": {
      sql: "merge into customers c using orders o on c.id = o.id + 100 when not matched by source then delete",
      since: 17,
    },
    "a condition that always holds":
      "merge into customers c using (select 1 as one) o on c.id = c.id when matched and one = one then delete",
    "a WITH of another DELETE": {
      sql: "with d as (delete from orders returning id) merge into customers c using d on c.id = d.id when matched then do nothing",
      does: ["sql:delete", "sql:merge"],
    },
  }),
  ...forbidsEveryRow("TRUNCATE", "sql:truncate", {
    plain: "truncate orders",
    "several, identities and dependants": "truncate table only orders, customers restart identity cascade",
    "a parent": "truncate people",
    "a partition": "truncate events_2024",
  }),

  ...forbids("CREATE TABLE AS and its kin", [], {
    plain: { sql: "create table copy_of as select * from orders", does: ["sql:create_table", "sql:select"] },
    "EXPLAIN ANALYZE": {
      sql: "explain analyze create table t as select * from orders",
      does: ["sql:create_table", "sql:select"],
    },
    "SELECT INTO": { sql: "select * into copy_of from orders", does: ["sql:create_table", "sql:select"] },
    "SELECT INTO of a UNION": {
      sql: "select id into copy_of from orders union select id from payments",
      does: ["sql:create_table", "sql:select"],
    },
    "SELECT INTO TABLE in parentheses": { sql: "(select id into copy_of from orders)", does: ["sql:create_table"] },
    "WITH NO DATA": { sql: "create table t as select * from orders with no data", does: ["sql:create_table"] },
    UNLOGGED: { sql: "select * into unlogged t from orders", does: ["sql:create_table"] },
    TABLE: { sql: "create table t as table orders", does: ["sql:create_table", "sql:select"] },
    VALUES: { sql: "create table t as values (1)", does: ["sql:create_table"] },
    EXECUTE: {
      sql: ["prepare p as select id from orders", "begin; create table t as execute p; rollback"],
      does: [],
    },
    "a materialized view": {
      sql: "create materialized view mv as select * from orders",
      does: ["sql:create_view", "sql:select"],
    },
    "a view": { sql: "create view v as select note from orders", does: ["sql:create_view", "sql:select"] },
    "a recursive view": {
      sql: "create recursive view v (n) as values (1) union all select n + 1 from v where n < 3",
      does: ["sql:create_view"],
    },
    "a view in another's place": {
      sql: "create or replace view contacts as select 1 as id, ''::text as name, ''::text as mail, ''::text as folded",
      does: ["sql:create_view"],
    },
    LIKE: { sql: "create table t (like customers including all)", does: ["sql:create_table"] },
    INHERITS: { sql: "create table t () inherits (people)", does: ["sql:create_table"] },
    "PARTITION OF": {
      sql: "create table t partition of events for values from ('2025-01-01') to ('2026-01-01')",
      does: ["sql:create_table"],
    },
    "a typed table": { sql: "create table t of pair", does: ["sql:create_table"] },
    "statements within CREATE SCHEMA": {
      sql: "create schema s create view v as select note from public.orders grant select on v to public",
      does: ["sql:create_schema", "sql:create_view", "sql:select", "sql:grant"],
    },
    "a default within CREATE SCHEMA": {
      sql: "create schema s create table t (a int default public.touch())",
      does: ["sql:create_schema", "sql:create_table", "sql:function_write"],
    },
    "a foreign table": {
      sql: "create foreign table t (a int) server abroad",
      does: ["sql:create_table", "sql:system"],
    },
  }),

  ...forbids("COPY", [], {
    "to a program": { sql: "copy orders to program 'cat > /dev/null'", does: ["sql:copy_program"] },
    "from a program": { sql: "copy orders from program 'true'", does: ["sql:copy_program", "sql:copy_in"] },
    "of a query, to a program": { sql: "copy (select 1) to program 'cat >/dev/null'", does: ["sql:copy_program"] },
    "the program's name in a dollar quote": {
      sql: "copy orders to program $$cat >/dev/null$$",
      does: ["sql:copy_program"],
    },
    "to a file": { sql: "copy orders to '/dev/null'", does: ["sql:copy_file"] },
    "from a file": { sql: "copy orders from '/dev/null'", does: ["sql:copy_file", "sql:copy_in"] },
    "of a query, to a file": { sql: "copy (select 1) to '/dev/null'", does: ["sql:copy_file"] },
    "from a file, the oldest syntax": {
      sql: "copy binary orders from '/dev/null'",
      does: ["sql:copy_file"],
      blunt: "an empty file is no binary one",
    },
    "from the client": {
      sql: "copy customers from stdin",
      does: ["sql:copy_in"],
      blunt: "the test's client sends no data",
    },
  }),

  ...forbids("code that comes with the command", [], {
    DO: { sql: "do $$ begin delete from customers; end $$", does: ["sql:do"] },
    "DO, the language first": {
      sql: "do language plpgsql 'begin execute ''drop table customers cascade''; end'",
      does: ["sql:do"],
    },
    "DO, its text in an escape string": { sql: "do E'begin \\x64elete from customers; end'", does: ["sql:do"] },
    CALL: { sql: "call tidy(1)", does: ["sql:call"] },
    "CALL in a DO": { sql: "do $$ begin call tidy(1); end $$", does: ["sql:do"] },
    "a function of one's own": {
      sql: "create function f() returns int language sql as 'delete from customers; select 1'",
      does: ["sql:create_function"],
    },
    "a function with a body that is parsed": {
      sql: "create function f() returns void begin atomic delete from customers; end",
      does: ["sql:create_function"],
    },
    "a function in another's place": {
      sql: "create or replace function touch() returns int language plpgsql as 'begin delete from customers; return 1; end'",
      does: ["sql:create_function"],
    },
    "a procedure": {
      sql: "create procedure p() language sql as 'delete from customers'",
      does: ["sql:create_function"],
    },
    "a trigger": {
      sql: "create trigger t before insert on orders for each row execute function on_row()",
      does: ["sql:create_trigger"],
    },
    "a constraint trigger": {
      sql: "create constraint trigger t after insert on orders for each row execute function on_row()",
      does: ["sql:create_trigger"],
    },
    "an event trigger": {
      sql: "create event trigger t on ddl_command_end execute function on_event()",
      does: ["sql:create_trigger"],
    },
    "an aggregate": {
      sql: "create aggregate a(int) (sfunc = int4pl, stype = int)",
      does: ["sql:create_other"],
    },
    "an operator": {
      sql: "create operator ### (function = texteq, leftarg = text, rightarg = text)",
      does: ["sql:create_other"],
    },
    "a cast": { sql: "create cast (mood as int) with function mood_number(mood)", does: ["sql:create_other"] },
    "a domain's check": { sql: "create domain d as int check (touch() = 1)", does: ["sql:create_other"] },
    "a conversion": {
      sql: "create conversion c for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8",
      does: ["sql:create_other"],
    },
    "an operator class": {
      sql: "create operator class c for type int4 using btree as operator 1 <",
      does: ["sql:create_other"],
    },
    "a language": { sql: "create language x handler plpgsql_call_handler", does: ["sql:system"] },
    "a row policy": { sql: "create policy p on customers using (touch() = 1)", does: ["sql:create_other"] },
    "a column's default": {
      sql: "alter table orders alter column note set default touch()::text",
      does: ["sql:alter_table", "sql:function_write"],
    },
    "a type computed by a call": {
      sql: "alter table customers alter city type text using touch()::text",
      does: ["sql:alter_table", "sql:function_write"],
    },
    "an index over a call": {
      sql: "create index on customers ((touch()))",
      does: ["sql:create_index", "sql:function_write"],
      blunt: "the function is not immutable",
    },
    "an index over a call that says it is immutable": {
      sql: "create index on customers (immutable_touch(id))",
      does: ["sql:create_index"],
    },
    "statistics over an expression": {
      sql: "create statistics s on lower(city), name from customers",
      does: ["sql:create_other"],
    },
  }),
];
