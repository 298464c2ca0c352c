import { type Shown, type Stored, shows, stores } from "./bypass.fixture.js";

/** What puts a value in another place, and shows it there. */
export const SHOWN_COPIES: readonly Shown[] = [
  ...shows("a copy", {
    "a temporary view": "create temp view orders as select email as note from customers; select note from orders",
    "a temporary table": "create temp table orders as select email as note from customers; select note from orders",
    "a temporary table, selected from": [
      "create temp table kept as select email from customers",
      "select lower(email) from kept",
    ],
    "SELECT INTO": ["select email as e into temp kept from customers", "select lower(e) from kept"],
    "a view": ["begin; create view copied as select phone as p from customers", "select upper(p) from copied"],
    "a view of a view": ["begin; create view copied as select mail as m from contacts", "select upper(m) from copied"],
    "a materialized view": [
      "begin; create materialized view copied as select phone as p from customers",
      "select upper(p) from copied",
    ],
    "a recursive view": [
      "begin; create recursive view copied (p) as select phone from customers union all select p from copied where false",
      "select p from copied",
    ],
    "a table like it, filled": [
      "begin; create table copied (like customers)",
      "insert into copied table customers",
      "select lower(email) from copied",
    ],
    "what its mask shows of a value": "update customers set card = 'abcd' || substr(card, 1, 4) returning card",
    "what its mask shows of a value, read later": [
      "begin",
      "update customers set card = 'abcd' || substr(card, 1, 4) where id = 1",
      "select card from customers",
    ],
    "what its mask shows of another's value":
      "insert into customers (id, name, card) select id + 100, name, repeat('x', 9) || substr(card, 1, 4) from customers returning card",
    "another column": ["begin", "update customers set name = email where id = 1", "select name from customers"],
    "another table": ["begin", "insert into log (what) select email from customers", "select what from log"],
    "another table, by EXECUTE": [
      "begin",
      "prepare p as insert into log (what) select email from customers",
      "execute p",
      "select what from log",
    ],
    "another table, by DO": [
      "begin",
      "do $$ begin insert into log (what) select email from customers; end $$",
      "select what from log",
    ],
    "another table, by a function": [
      "begin",
      "create function told() returns int language plpgsql as $$ begin insert into log (what) select email from customers; return 1; end $$",
      "select told()",
      "select what from log",
    ],
    "another table, by a procedure": [
      "begin",
      "create procedure told() language sql as 'insert into log (what) select email from customers'",
      "call told()",
      "select what from log",
    ],
    "another table, by COPY": { sql: ["begin", "copy log (what) from program 'echo zqx7'", "select what from log"] },
    "another table, by MERGE": [
      "begin",
      "merge into log l using customers c on l.id = c.id when matched then update set what = c.email",
      "select what from log",
    ],
    "another table, by a conflict": [
      "begin",
      "insert into log (id, what) values (1, 'x') on conflict (id) do update set what = (select max(email) from customers)",
      "select what from log",
    ],
    "another table, its name made": [
      "begin",
      "do $$ begin execute 'create table made as select email from customers'; end $$",
      "select * from made",
    ],
    "a new column's default": [
      "begin",
      "create function mail() returns text language sql as 'select max(email) from public.customers'; alter table orders add column m text default mail()",
      "select m from orders",
    ],
    "a generated column": [
      "begin",
      "alter table customers add column twin text generated always as (lower(email)) stored",
      "select lower(twin) from customers",
    ],
    "a generated column of a function": [
      "begin",
      "alter table orders add column twin text generated always as (immutable_secret(customer_id)) stored",
      "select lower(twin) from orders",
    ],
    "a column computed anew": [
      "begin",
      "alter table customers alter column city type text using email",
      "select lower(city) from customers",
    ],
    "a trigger that comes with PostgreSQL": [
      "begin",
      "alter table customers add column t tsvector",
      "create trigger t before update on customers for each row execute function tsvector_update_trigger(t, 'pg_catalog.simple', email)",
      "update customers set email = email || '0' where id = 1",
      "select t::text from customers",
    ],
    "a trigger": [
      "begin",
      "create function t() returns trigger language plpgsql as $$ begin new.note = (select max(email) from customers); return new; end $$; create trigger t before update on orders for each row execute function t()",
      "update orders set note = 'x' where id = 1",
      "select note from orders",
    ],
    "a rule": [
      "begin",
      "create rule r as on update to orders do also insert into log (what) select email from customers",
      "update orders set note = 'x' where id = 1",
      "select what from log",
    ],
    "a rule that shows": [
      "begin",
      "create rule r as on delete to orders do instead select email from customers",
      "delete from orders where id = 1",
    ],
    "a large object": [
      "begin",
      "select lo_from_bytea(4711, string_agg(email, '')::bytea) from customers",
      "select lo_get(4711)",
    ],
    "a role's setting": {
      sql: [
        "begin",
        "do $$ begin execute format('alter role current_user set app.x = %L', (select email from customers limit 1)); end $$",
        "select setconfig from pg_db_role_setting",
      ],
    },
    "an enumeration's value": {
      sql: [
        "begin",
        "do $$ begin execute format('create type told as enum (%L)', (select email from customers limit 1)); end $$",
        "select enum_range(null::told)",
      ],
    },
    "a function's text": {
      sql: [
        "begin",
        "do $$ begin execute format('create function told() returns text language sql as %L', 'select ' || quote_literal((select email from customers limit 1))); end $$",
        "select prosrc from pg_proc where proname = 'told'",
      ],
    },
    "an index's expression": [
      "begin",
      "create index made on customers (lower(email)); analyze customers",
      "select most_common_vals, histogram_bounds::text from pg_stats where tablename = 'made'",
    ],
    "extended statistics": [
      "begin",
      "create statistics told (mcv) on email, phone from customers; analyze customers",
      "select most_common_vals from pg_stats_ext where statistics_name = 'told'",
    ],
  }),
];

/** Where a labelled value would be shown to whoever reads there: refused unless the label reaches it. */
export const STORED: readonly Stored[] = [
  ...stores("what a function keeps", {
    "the number of a lock": {
      sql: "select pg_advisory_xact_lock(ascii(card)) from customers",
      stores: ["pg_advisory_xact_lock()"],
    },
    "where a sequence stands": {
      sql: "select setval('log_id_seq', ascii(card)) from customers",
      stores: ["setval()"],
    },
    "a setting": { sql: "select set_config('app.x', email, true) from customers", stores: ["set_config()"] },
    "a notification": { sql: "select pg_notify('x', email) from customers", stores: ["pg_notify()"] },
    "a message in the log": {
      sql: "select pg_logical_emit_message(true, 'x', email) from customers",
      stores: ["pg_logical_emit_message()"],
    },
    "a large object": {
      sql: "select pg_catalog.lo_from_bytea(0, email::bytea) from customers",
      stores: ["lo_from_bytea()"],
    },
    "a seed": { sql: "select setseed(1.0 / ascii(card)) from customers", stores: ["setseed()"] },
    "how long it takes": { sql: "select pg_sleep(0.0001 * ascii(card)) from customers", stores: ["pg_sleep()"] },
  }),
  ...stores("what a column is filled with", {
    "a default": {
      sql: "alter table orders alter column note set default secret(1)",
      stores: ["public.orders.note"],
    },
    "a default of a new column": {
      sql: "alter table orders add column more text default secret(1)",
      stores: ["public.orders.more"],
    },
    "a default of a new column, in an expression": {
      sql: "alter table orders add column more int default length(secret(1))",
      stores: ["public.orders.more"],
    },
    "a default of a new table": {
      sql: "create table t (id int, x text default secret(1))",
      stores: ["public.t.x"],
    },
    "a default of a new temporary table": {
      sql: "create temp table t (id int, x text not null default upper(kept_mail(1)))",
      stores: ["pg_temp.t.x"],
    },
    "a default of a new table of a new schema": {
      sql: "create schema s create table t (x text default public.secret(1))",
      stores: ["public.t.x"],
    },
    "what a new table computes": {
      sql: "create table t (id int, x text generated always as (immutable_secret(id)) stored)",
      stores: ["public.t.x"],
    },
    "a default of a domain": { sql: "create domain d as text default secret(1)", stores: ["d"] },
    "a new default of a domain": { sql: "alter domain mail set default secret(1)", stores: ["mail"] },
    "the bound of a partition": {
      sql: "create table t partition of by_mail for values in (secret(1))",
      stores: ["public.t's bounds"],
    },
    "what is elsewhere": { sql: "create foreign table t (x text) server abroad", stores: ["public.t.*"] },
  }),
  ...stores("a copy", {
    "CREATE TABLE AS": { sql: "create table t as select email as x from customers", stores: ["public.t.x"] },
    "CREATE TEMP TABLE AS": { sql: "create temp table t (x) as select email from customers", stores: ["pg_temp.t.x"] },
    "SELECT INTO": { sql: "select email into t from customers", stores: ["public.t.email"] },
    "CREATE VIEW": { sql: "create view v as select email as x from customers", stores: ["public.v.x"] },
    "CREATE MATERIALIZED VIEW": {
      sql: "create materialized view v (y) as select email from customers",
      stores: ["public.v.y"],
    },
    "INSERT … SELECT": { sql: "insert into log(what) select email from customers", stores: ["public.log.what"] },
    "INSERT without columns": {
      sql: "insert into log select 1000, email from customers where id = 1",
      stores: ["public.log.what"],
    },
    "INSERT of a subquery": {
      sql: "insert into log(what) values ((select email from customers limit 1))",
      stores: ["public.log.what"],
    },
    "INSERT of an expression": {
      sql: "insert into log(what) select md5(email) || name from customers",
      stores: ["public.log.what"],
    },
    "INSERT of a variable, by DO": {
      sql: "do $$ declare v text; begin select email into v from customers; insert into log (what) values (v); end $$",
      stores: ["public.log.what"],
    },
    "INSERT of a record's field, by DO": {
      sql: "do $$ declare r record; begin for r in select id, email as m from customers loop insert into log (what) values (r.m); end loop; end $$",
      stores: ["public.log.what"],
    },
    "INSERT by a function in PL/pgSQL": { sql: "select keep_mail(1)", stores: ["public.log.what"] },
    "INSERT of a function": { sql: "insert into log(what) values (secret(1))", stores: ["public.log.what"] },
    "UPDATE of the same row": {
      sql: "update customers set city = email where id = 1",
      stores: ["public.customers.city"],
    },
    "UPDATE FROM": {
      sql: "update orders set note = c.email from customers c where c.id = orders.customer_id",
      stores: ["public.orders.note"],
    },
    "UPDATE of several": {
      sql: "update customers set (city, name) = (email, phone) where id = 1",
      stores: ["public.customers.city", "public.customers.name"],
    },
    "UPDATE of a subquery": {
      sql: "update orders set (note, status) = (select email, 'x' from customers limit 1) where id = 1",
      stores: ["public.orders.note"],
    },
    "UPDATE through a view": { sql: "update contacts set name = mail where id = 1", stores: ["public.contacts.name"] },
    "MERGE, matched": {
      sql: "merge into log l using customers c on l.id = c.id when matched then update set what = c.email",
      stores: ["public.log.what"],
    },
    "MERGE, not matched": {
      sql: "merge into log l using customers c on l.id = c.id + 100 when not matched then insert (id, what) values (c.id + 500, c.email)",
      stores: ["public.log.what"],
    },
    "ON CONFLICT": {
      sql: "insert into log(id, what) values (1, 'x') on conflict (id) do update set what = (select max(email) from customers)",
      stores: ["public.log.what"],
    },
    "in a WITH": {
      sql: "with x as (insert into log(what) select email from customers) select 1",
      stores: ["public.log.what"],
    },
    "to a file": { sql: "copy (select email from customers) to '/dev/null'", stores: ["file"] },
    "to a program": { sql: "copy customers (email) to program 'cat > /dev/null'", stores: ["program"] },
  }),
];
