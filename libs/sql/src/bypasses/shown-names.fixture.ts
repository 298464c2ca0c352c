import { type Shown, shows } from "./bypass.fixture.js";

/** What gives a value another name. */
export const SHOWN_NAMES: readonly Shown[] = [
  ...shows("what names mean", {
    "a search_path set": "set search_path to nowhere, public; select email from customers",
    "a search_path set and left": {
      sql: ["begin; set local search_path = app; commit; select lower(email) from customers"],
    },
    "a search_path rolled back, in one text": [
      "begin; set search_path = app; rollback; select lower(email) from customers",
    ],
    "a search_path rolled back by the next text": [
      "begin; set search_path = app",
      "rollback; select lower(email) from customers",
    ],
    "a search_path set behind a ROLLBACK": [
      "set search_path = app",
      "begin; rollback; set search_path = public",
      "select lower(email) from customers",
    ],
    "a search_path committed in a text that fails": [
      "set search_path = app",
      "begin; set search_path = public; commit; select 1/0",
      "select lower(email) from customers",
    ],
    "a search_path rolled back to a savepoint": [
      "begin",
      "savepoint s",
      "set search_path = app",
      "rollback to s",
      "prepare p as select lower(email) from customers",
      "execute p",
    ],
    "a search_path by function": [
      "select set_config('search_path', 'app', false)",
      "begin",
      "rollback",
      "set search_path = app",
      "reset search_path",
      "select lower(email) from customers",
    ],
    ...Object.fromEntries(
      Object.entries({
        "no row sets": "select set_config('search_path', 'app', false) where false",
        "a CASE leaves out": "select case when false then set_config('search_path', 'app', false) end",
        "a LIMIT leaves out": "select set_config('search_path', 'app', false) limit 0",
        "a WITH that nobody reads sets": "with x as (select set_config('search_path', 'app', false)) select 1",
      }).map(([why, sql]) => [
        `a search_path that ${why}`,
        ["set search_path = public", sql, "select lower(email) from customers"],
      ]),
    ),
    "a search_path of a cursor that is not read": [
      "begin",
      "declare c cursor for select set_config('search_path', 'app', false)",
      "select lower(email) from customers",
    ],
    "a search_path of a cursor that is read later": [
      "begin",
      "declare c cursor for select set_config('search_path', 'public', false)",
      "set search_path = app",
      "fetch c",
      "select lower(email) from customers",
    ],
    "a search_path of a prepared statement": [
      "prepare p as select set_config('search_path', 'public', false)",
      "set search_path = app",
      "execute p",
      "select lower(email) from customers",
    ],
    "a search_path of a prepared statement that is kept": [
      "prepare p as select set_config('search_path', 'public', false)",
      "set search_path = app",
      "create temp table kept as execute p",
      "select lower(email) from customers",
    ],
    "a search_path by a function": [
      "set search_path = app",
      "select public.to_path('public')",
      "select lower(email) from customers",
    ],
    "a search_path by a function, by what it executes": [
      "set search_path = app",
      "select 1 where public.to_path_by_text('public') is null",
      "select lower(email) from customers",
    ],
    "a search_path by a function of SQL": [
      "set search_path = app",
      "select public.to_public()",
      "select lower(email) from customers",
    ],
    ...Object.fromEntries(
      Object.entries({
        "that has one of its own": "select public.path_of_its_own('public')",
        "that sets the schema": "select public.to_schema()",
        "that resets all": "select public.to_default()",
        "that puts its text together": "select public.to_path_in_parts('public')",
        "that is no volatile one": "select public.to_path_stable('public')",
        "that calls another": "select public.to_path_by_another()",
        "in what is not chosen before": "select 1 where public.to_path_stable('public') is null",
        "of a trigger": "insert into public.moved values (1)",
        "of a default": "insert into public.moved_by_default (id) values (1)",
        "of a rule": "insert into public.moved_by_rule values (1)",
        "that only EXPLAIN runs": "explain analyze select public.to_path_stable('public')",
        "in a temporary table": "create temp table kept as select public.to_path_stable('public') as path",
      }).map(([why, sql]) => [
        `a search_path by a function ${why}`,
        ["set search_path = app", sql, "select lower(email) from customers"],
      ]),
    ),
    "a search_path by a function, and another that follows it": [
      "set search_path = app",
      "select public.to_path_stable('public'), public.folded_mail()",
    ],
    "a search_path by a function, within one that follows it": [
      "set search_path = app",
      "select public.to_path_and_folded()",
    ],
    "a search_path by a function, then a statement prepared before": [
      "set search_path = app",
      "prepare p as select lower(email) from customers",
      "select public.to_path_stable('public')",
      "execute p",
    ],
    "a search_path by a function of a prepared statement": [
      "set search_path = app",
      "prepare p as select public.to_path_stable('public')",
      "execute p",
      "select lower(email) from customers",
    ],
    "a search_path by a function of a cursor": [
      "begin",
      "declare c cursor for select public.to_path_stable('public')",
      "set search_path = app",
      "move 1 in c",
      "select lower(email) from customers",
    ],
    "a search_path by a function of a cursor WITH HOLD": [
      "begin",
      "declare c cursor with hold for select public.to_path_stable('public')",
      "set search_path = app",
      "commit",
      "select lower(email) from customers",
    ],
    "a search_path by a function, in one text": [
      "set search_path = app",
      "select public.to_path_stable('public'); select lower(email) from customers",
    ],
    "another role by a function": {
      sql: [
        'set search_path = "$user", app',
        "select public.become('shop_other')",
        "select lower(email) from customers",
      ],
    },
    "a search_path in what a write returns": [
      "begin",
      "set search_path = app",
      "insert into public.log (what) values ('x') returning set_config('search_path', 'public', false)",
      "select lower(email) from customers",
    ],
    "a search_path that is reset with all": [
      "set search_path = app",
      "reset all",
      "select lower(email) from customers",
    ],
    "a search_path that is discarded": ["set search_path = app", "discard all", "select lower(email) from customers"],
    "a search_path that was the session's": [
      "set search_path = app",
      "set search_path to default",
      "select lower(email) from customers",
    ],
    "a search_path in a function's name": [
      "set search_path = app, public",
      "select shout(email) from public.customers",
    ],
    "another table of that name first": {
      sql: "set search_path to app; select email from customers; reset search_path",
      masked: [],
      clear: [0],
      blunt: "it is no labelled value",
    },
    "a temporary table that is gone": [
      "begin; create temp table customers (id int, email text) on commit drop; commit",
      "select lower(email) from customers",
    ],
    "a temporary table that was dropped": [
      "create temp table customers (id int, email text)",
      "drop table pg_temp.customers",
      "select lower(email) from customers",
    ],
    "a temporary table that was discarded": [
      "create temp table customers (id int, email text)",
      "discard temp",
      "select lower(email) from customers",
    ],
    "a temporary table that was rolled back": [
      "begin; create temp table customers (id int, email text)",
      "rollback",
      "select lower(email) from customers",
    ],
    "a temporary table that was rolled back to": [
      "begin; savepoint s; create temp table customers (id int, email text)",
      "rollback to s; select lower(email) from customers",
    ],
    "a temporary table behind the path": [
      "set search_path = public, pg_temp",
      "create temp table customers (id int, email text)",
      "select lower(email) from customers",
    ],
    "a temporary function": [
      "create function pg_temp.f() returns text language sql as 'select email from public.customers limit 1'",
      "select pg_temp.f()",
    ],
    "a function in another's place": {
      sql: "create or replace function lower(text) returns text language sql as 'select email from customers'; select lower('x')",
      blunt: "pg_catalog comes first",
    },
    "a function nearer than the system's": [
      "begin; create function app.lower(text) returns text language sql as 'select email from public.customers'; set local search_path = app, pg_catalog",
      "select lower('x')",
      "rollback",
    ],
    "an operator nearer than the system's": [
      "begin; create function app.f(int, int) returns text language sql as 'select email from public.customers'; create operator app.+ (function = app.f, leftarg = int, rightarg = int); set local search_path = app, pg_catalog",
      "select 1 + 2",
      "rollback",
    ],
    "a column with another name": [
      "begin",
      "alter table customers rename column email to e2",
      "select lower(e2) from customers",
    ],
    "a column with another name, committed": [
      "alter table people rename column ssn to s2",
      "select lower(s2) from people",
      "alter table people rename column s2 to ssn",
    ],
    "columns that change names": {
      sql: "alter table customers rename email to x; alter table customers rename city to email; select lower(x), lower(email), name from customers",
      masked: [0, 1, 2],
    },
    "a table with another name": ["begin", "alter table customers rename to others", "select lower(email) from others"],
    "a table in another schema": [
      "alter table refs set schema app",
      "select lower(mail) from app.refs",
      "alter table app.refs set schema public",
    ],
    "another schema name": ["begin", "alter schema public rename to p2", "select lower(email) from p2.customers"],
    "a partition that leaves": [
      "begin",
      "alter table events detach partition events_2024",
      "select lower(email) from events_2024",
    ],
    "a child that leaves": ["begin", "alter table employees no inherit people", "select lower(ssn) from employees"],
    "a table dropped and made anew": [
      "begin",
      "create table c2 as table customers; drop table customers cascade; alter table c2 rename to customers",
      "select lower(email) from customers",
    ],
    ...Object.fromEntries(
      Object.entries({
        "that is dropped": "drop table app.customers",
        "that has another name": "alter table app.customers rename to c9",
        "that moves to another schema": "create schema elsewhere; alter table app.customers set schema elsewhere",
        "whose schema is dropped": "drop schema app cascade",
        "whose schema has another name": "alter schema app rename to app2",
      }).map(([why, sql]) => [
        `a nearer table ${why}`,
        ["set search_path = app, public", "begin", sql, "select lower(email) from customers", "rollback"],
      ]),
    ),
    ...Object.fromEntries(
      Object.entries({
        "that is dropped": "alter table payments drop column card",
        "that has another name": "alter table payments rename card to c2",
      }).map(([why, sql]) => [
        `a column of an inner table ${why}`,
        [
          "begin",
          sql,
          "select (select card from payments limit 1) from (select lower(email) as card from customers) c",
        ],
      ]),
    ),
    "a function with another's name": [
      "begin",
      "alter function secret(int) rename to shout",
      "set local search_path = app, public",
      "select lower(shout(1))",
    ],
    "an operator that fits better": [
      "begin",
      "create operator public.|| (function = peek_next, leftarg = text, rightarg = int)",
      "select lower('x' || 1)",
    ],
    "a nearer table that is dropped, then a chain": [
      "set search_path = app, public",
      "begin",
      "create table app.c3 (id int); drop table app.customers",
      "rollback and chain",
      "drop table app.customers",
      "select lower(email) from customers",
      "rollback",
    ],
    "a view in another's place": [
      "begin",
      "create or replace view contacts as select id, email as name, name as mail, lower(city) as folded from customers",
      "select upper(name) from contacts",
    ],
  }),
];

const OTHERS_PATH = 'set search_path = "$user", app';
const MAILS = "select lower(email) from customers";

/** What a policy has to permit besides: another role, or a setting of which not all is known. */
export const SHOWN_BY_OTHERS: readonly Shown[] = shows("what names mean to another role", {
  ...Object.fromEntries(
    Object.entries({
      "SET ROLE": "set role shop_other",
      "SET SESSION ROLE": "set session role shop_other",
      "SET SESSION AUTHORIZATION": "set session authorization shop_other",
      set_config: "select set_config('role', 'shop_other', false)",
      "set_config, a parameter's worth": "select set_config('role', 'shop_' || 'other', false)",
    }).map(([why, sql]) => [`its own schema, by ${why}`, [OTHERS_PATH, sql, MAILS]]),
  ),
  "its own schema, LOCAL": ["begin", OTHERS_PATH, "set local role shop_other", MAILS],
  "its own schema, in one text": [`${OTHERS_PATH}; set role shop_other; ${MAILS}`],
  "its own schema, behind the role": ["set role shop_other", OTHERS_PATH, MAILS],
  "its own schema, as a RESET is rolled back": [
    OTHERS_PATH,
    "set role shop_other",
    "begin; savepoint s; reset role; rollback to s",
    MAILS,
  ],
  "its own schema, as a RESET is rolled back whole": [
    OTHERS_PATH,
    "set role shop_other",
    "begin; reset role",
    "rollback",
    MAILS,
  ],
  "its own schema, as a RESET of another session leaves it": [
    OTHERS_PATH,
    "set session authorization shop_other",
    "reset role",
    MAILS,
  ],
  "its own schema, to a statement that was prepared": [
    OTHERS_PATH,
    `prepare p as ${MAILS}`,
    "set role shop_other",
    "execute p",
  ],
  "a schema that it may not use": ["set search_path = app, public", "set role shop_other", MAILS],
  "a search_path made up": ["set search_path = app", "select set_config('search_path', 'pub' || 'lic', false)", MAILS],
  "a search_path from what is LOCAL": [
    "set search_path = app",
    "begin",
    "set local search_path = public",
    "set search_path from current",
    "commit",
    MAILS,
  ],
});
