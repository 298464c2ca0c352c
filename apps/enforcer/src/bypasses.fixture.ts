/** Ways around the masks that take more than one statement, or more than a statement. */

export interface Bypass {
  readonly name: string;
  /** Texts sent one after the other, whatever becomes of each. */
  readonly steps: readonly string[];
  /** It shows nothing without the enforcer either: kept because it once did, or does on another version. */
  readonly blunt?: boolean;
}

const one = (name: string, ...steps: string[]): Bypass => ({ name, steps });
const blunt = (name: string, ...steps: string[]): Bypass => ({ name, steps, blunt: true });

export const BYPASSES: readonly Bypass[] = [
  // Texts that quote values.
  one("a cast that fails", "select email::int from customers"),
  one("a cast that fails, in a cursor", "begin; declare c cursor for select email::int from customers", "fetch c"),
  one(
    "a unique violation",
    "insert into customers (id, name, email) select 900, 'n', email from customers where id = 1",
  ),
  one("a failing row", "insert into customers (id, name, email) select 900, null, email from customers where id = 2"),
  one("a deferred constraint, at its COMMIT", "begin", "insert into refs select mail from refs", "commit"),
  one("a notice of DO", "do $$ begin raise notice '%', (select email from customers limit 1); end $$"),
  one("an exception of DO", "do $$ begin raise exception '%', (select email from customers limit 1); end $$"),
  one("a failed JSON", "select email::json from customers"),
  one("a failed date in a WHERE", "select 1 from customers where email::date > now()"),
  one("a failed function", "select to_date(email, 'YYYY') from customers"),
  one("a failed LIMIT", "select 1 limit (select length(email) - email::int from customers limit 1)"),
  one("a failed enum-like cast in RETURNING", "update customers set name = name where id = 1 returning email::uuid"),
  one("EXPLAIN ANALYZE that fails", "explain analyze select email::int from customers"),

  one("a notice of a trigger", "insert into alarms values (1)"),
  one("a notice of a function that says it is stable", "select 1 from orders where telling(id) = 1"),
  one("a notice of a check", "insert into checked values (1, 2)"),
  one("a notice of a default", "insert into checked (id) values (1)"),

  // Names that mean something else by the time they are used.
  one(
    "EXECUTE of what is prepared anew behind it",
    "prepare p as select upper(email) from customers",
    "execute p; deallocate p; prepare p as select 'x'::text",
  ),
  one(
    "EXECUTE behind DEALLOCATE ALL of another text's",
    "prepare p as select upper(email) from customers",
    "execute p; deallocate all; prepare p as select 'x'::text",
  ),
  one(
    "EXECUTE behind a search_path set in the same text",
    "set search_path = app; prepare p as select upper(email) from customers",
    "set search_path = public; execute p",
  ),

  // Statistics and what others run.
  one("statistics", "select most_common_vals, histogram_bounds from pg_stats where tablename = 'customers'"),
  one("statistics as text", "select s::text from pg_stats s where tablename = 'customers'"),
  one("statistics as rows of a function", "select to_json(s) from pg_catalog.pg_stats s"),
  one("the table of statistics", "select * from pg_statistic where starelid = 'customers'::regclass"),

  // Whole rows and their parts.
  one("a field of a row", "select (c).email from customers c"),
  one("all fields of a row", "select (c).* from customers c"),
  one("a row as text", "select c::text from customers c"),
  one("a row as JSON", "select to_json(c) ->> 'email' from customers c"),
  one("a row taken apart", "select * from customers c, lateral json_each_text(to_json(c))"),
  one(
    "a row through hstore-like keys",
    "select k, to_jsonb(c) -> k from customers c, jsonb_object_keys(to_jsonb(c)) k",
  ),
  one("rows in an array", "select (array_agg(c))[1].email from customers c"),
  one("unnest of rows", "select u.* from (select array_agg(c) a from customers c) s, unnest(s.a) u"),
  one("a row comparison's greatest", "select greatest(row(email, 1)::text, '') from customers"),
  one("LATERAL", "select l.x from customers c, lateral (select c.email as x) l"),
  one("a VALUES", "select v from customers c, lateral (values (c.email), (c.phone)) t(v)"),
  one(
    "a regular expression",
    "select regexp_split_to_table(email, '@'), regexp_matches(email, '(.*)@') from customers",
  ),
  one(
    "letter by letter",
    "select string_agg(substr(email, i, 1), '' order by i) from customers, generate_series(1, 30) i where id = 1",
  ),
  one("backwards", "select reverse(email) from customers"),
  one("encoded", "select encode(email::bytea, 'base64'), encode(email::bytea, 'hex') from customers"),
  one("XML", "select xmlelement(name a, xmlattributes(email)) from customers"),
  one(
    "XMLTABLE",
    "select x.* from customers, xmltable('/r' passing xmlelement(name r, email) columns v text path '.') x",
  ),
  one(
    "JSON_TABLE-like recordset",
    "select r.* from (select json_agg(c) j from customers c) s, json_to_recordset(s.j) r(email text)",
  ),
  one("json_populate_record", "select (json_populate_record(null::customers, to_json(c))).email from customers c"),
  one("query_to_xml", "select query_to_xml('select email from customers', true, true, '')"),
  one("table_to_xml", "select table_to_xml('customers', true, true, '')"),
  one(
    "a cursor by name in XML",
    "begin; declare c cursor for select email from customers",
    "select cursor_to_xml('c', 9, true, true, '')",
  ),
  one("ts_stat", "select word from ts_stat('select to_tsvector(''simple'', email) from customers')"),
  one("a tsvector", "select to_tsvector('simple', email) from customers"),
  one("the text of a format", "select format('%s %I %L', email, email, email) from customers"),
  one("a window", "select first_value(email) over () from customers"),
  one(
    "a recursive query",
    "with recursive r(e, n) as (select email, 1 from customers union all select e, n + 1 from r where n < 2) select e from r",
  ),
  one(
    "an ON CONFLICT that returns",
    "insert into customers (id, name) values (1, 'x') on conflict (id) do update set name = 'x' returning email, lower(email)",
  ),
  one("RETURNING of an UPDATE", "update customers set name = 'x' where id = 1 returning upper(email), customers.*"),
  one("RETURNING of a DELETE", "begin; delete from customers where id = 3 returning *"),
  one("a partition", "select upper(email) from events_2024"),
  one("a child table", "select ssn || '' from employees"),
  one("a parent's ONLY", "select ssn || '' from only people"),
  one("a view", "select mail, folded from contacts"),
  one("a materialized view", "select lower(email) from contact_list"),
  one("a function of the database", "select secret(1), (secret(1)) || ''"),
  one("a function with a named argument", "select mail_of(1)"),
  one("a field of what a function gives", "select (last_mail()).mail"),
  one("a function that gives a table", "select mail from last_mail()", "select l from last_mail() l"),
  one("TABLE", "table customers"),
  one("Unicode escapes", `select U&"\\0065mail" || '' from U&"\\0063ustomers"`),
  one("a comment that hides", "select /* from nothing -- */ email || '' -- x\n from customers"),
  one("dollar quotes", "select $a$;select$a$ || email from customers"),
  blunt(
    "another reading of backslashes",
    "set standard_conforming_strings = off",
    "select '\\' || email || '\\' from customers",
  ),
  blunt("another encoding", "set client_encoding = 'BIG5'", "select lower(email) from customers"),

  // COPY.
  one("COPY", "copy customers to stdout"),
  one(
    "COPY of a query",
    "copy (select lower(email) from customers) to stdout (format csv, header, delimiter 'z', force_quote *)",
  ),
  one("COPY, binary", "copy customers (email) to stdout (format binary)"),
  one("COPY, the oldest syntax", "copy customers to stdout with csv header quote '~' escape '!'"),
  blunt("COPY in another encoding", "copy customers to stdout (encoding 'UTF16')"),
  one("COPY of a RETURNING", "copy (update customers set name = 'x' where id = 1 returning email) to stdout"),

  // Statements and cursors by name.
  one("PREPARE and EXECUTE", "prepare p as select lower(email) from customers", "execute p"),
  one(
    "PREPARE anew under the same name",
    "prepare p as select 1::text",
    "deallocate p",
    "prepare p as select lower(email) from customers",
    "execute p",
  ),
  one(
    "PREPARE in a text that failed",
    "prepare p as select lower(email) from customers",
    "prepare p as select name from customers; select 1",
    "execute p",
  ),
  one("EXPLAIN EXECUTE that runs", "prepare p as select email::int from customers", "explain analyze execute p"),
  one(
    "CREATE TABLE AS EXECUTE",
    "prepare p as select email from customers",
    "create temp table kept as execute p",
    "select * from kept",
  ),
  one("a cursor", "begin", "declare c cursor for select lower(email) from customers", "fetch all from c"),
  one(
    "a cursor that holds",
    "begin",
    "declare c scroll cursor with hold for select lower(email) from customers",
    "commit",
    "fetch last from c",
    "close c",
  ),
  one("a binary cursor", "begin", "declare c binary cursor for select lower(email) from customers", "fetch c"),
  one(
    "a cursor declared again in vain",
    "begin",
    "declare c cursor for select lower(email) from customers",
    "savepoint s",
    "declare c cursor for select name from customers",
    "rollback to s",
    "fetch c",
  ),
  one(
    "a cursor declared in a text that failed late",
    "begin; declare c cursor with hold for select name from customers; commit",
    "begin; close c; declare c cursor with hold for select lower(email) from customers; commit; select 1/0",
    "fetch c",
  ),

  // What names mean.
  one(
    "a search_path set and left, in one text",
    "begin; set local search_path = app; commit; select lower(email) from customers",
  ),
  one(
    "a search_path rolled back, in one text",
    "begin; set search_path = app; rollback; select lower(email) from customers",
  ),
  one(
    "a search_path rolled back by the next text",
    "begin; set search_path = app",
    "rollback; select lower(email) from customers",
  ),
  one(
    "a search_path set behind a ROLLBACK",
    "set search_path = app",
    "begin; rollback; set search_path = public",
    "select lower(email) from customers",
  ),
  one(
    "a search_path committed in a text that fails",
    "set search_path = app",
    "begin; set search_path = public; commit; select 1/0",
    "select lower(email) from customers",
  ),
  one(
    "a search_path rolled back to a savepoint",
    "begin",
    "savepoint s",
    "set search_path = app",
    "rollback to s",
    "prepare p as select lower(email) from customers",
    "execute p",
  ),
  one(
    "a search_path by function",
    "select set_config('search_path', 'app', false)",
    "begin",
    "rollback",
    "set search_path = app",
    "reset search_path",
    "select lower(email) from customers",
  ),
  one(
    "a temporary table that is gone",
    "begin; create temp table customers (id int, email text) on commit drop; commit",
    "select lower(email) from customers",
  ),
  one(
    "a temporary table that was dropped",
    "create temp table customers (id int, email text)",
    "drop table pg_temp.customers",
    "select lower(email) from customers",
  ),
  one(
    "a temporary table that was discarded",
    "create temp table customers (id int, email text)",
    "discard temp",
    "select lower(email) from customers",
  ),
  one(
    "a column with another name",
    "begin",
    "alter table customers rename column email to e2",
    "select lower(e2) from customers",
  ),
  one(
    "a column with another name, committed",
    "alter table people rename column ssn to s2",
    "select lower(s2) from people",
    "alter table people rename column s2 to ssn",
  ),
  one(
    "a table with another name",
    "begin",
    "alter table customers rename to others",
    "select lower(email) from others",
  ),
  one(
    "a table in another schema",
    "alter table refs set schema app",
    "select lower(mail) from app.refs",
    "alter table app.refs set schema public",
  ),
  one("another schema name", "begin", "alter schema public rename to p2", "select lower(email) from p2.customers"),

  // Copies.
  one("a temporary table", "create temp table kept as select email from customers", "select lower(email) from kept"),
  one("SELECT INTO", "select email as e into temp kept from customers", "select lower(e) from kept"),
  one("another column", "begin", "update customers set name = email where id = 1", "select name from customers"),
  one("another table", "begin", "insert into log (what) select email from customers", "select what from log"),
  one(
    "through EXECUTE",
    "begin",
    "prepare p as insert into log (what) select email from customers",
    "execute p",
    "select what from log",
  ),
  one(
    "through DO",
    "begin",
    "do $$ begin insert into log (what) select email from customers; end $$",
    "select what from log",
  ),
  one(
    "through a function of one's own",
    "begin",
    "create function told() returns int language plpgsql as $$ begin insert into log (what) select email from customers; return 1; end $$",
    "select told()",
    "select what from log",
  ),
  one(
    "a generated column",
    "begin",
    "alter table customers add column twin text generated always as (lower(email)) stored",
    "select lower(twin) from customers",
  ),
  one(
    "a column computed anew",
    "begin",
    "alter table customers alter column city type text using email",
    "select lower(city) from customers",
  ),
  one(
    "a trigger that comes with PostgreSQL",
    "begin",
    "alter table customers add column t tsvector",
    "create trigger t before update on customers for each row execute function tsvector_update_trigger(t, 'pg_catalog.simple', email)",
    "update customers set email = email || '0' where id = 1",
    "select t::text from customers",
  ),
  one(
    "a rule",
    "begin",
    "create rule r as on update to orders do also insert into log (what) select email from customers",
    "update orders set note = 'x' where id = 1",
    "select what from log",
  ),
  one(
    "a partition that leaves",
    "begin",
    "alter table events detach partition events_2024",
    "select lower(email) from events_2024",
  ),
];

/** As the driver's wire takes them. */
// biome-ignore lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show
type Wire = any;

export interface Pipelined {
  readonly name: string;
  readonly before?: readonly string[];
  readonly readies: number;
  readonly send: (wire: Wire) => void;
  readonly blunt?: boolean;
}

const MAILS = "select lower(email) from customers";
function run(wire: Wire, text: string, format = 0): void {
  wire.parse({ text });
  wire.bind({ binary: format === 1 });
  wire.describe({ type: "P", name: "" });
  wire.execute({});
}

export const PIPELINES: readonly Pipelined[] = [
  {
    name: "a setting that a refused command behind it undoes",
    before: ["set application_name = 'x'"],
    readies: 2,
    send: (wire) => {
      run(wire, "set search_path = app");
      run(wire, "copy customers to program 'false'");
      wire.sync();
      run(wire, MAILS);
      wire.sync();
    },
  },
  {
    name: "a setting behind a failure, sent before it was answered",
    before: ["set search_path = app"],
    readies: 3,
    send: (wire) => {
      wire.query("select 1/0");
      wire.query("set search_path = public");
      wire.query(MAILS);
    },
  },
  {
    name: "a setting answered to a Flush, then undone",
    readies: 2,
    send: (wire) => {
      run(wire, "set search_path = app");
      wire.flush();
      run(wire, "select 1/0");
      wire.sync();
      run(wire, MAILS);
      wire.sync();
    },
  },
  {
    name: "the end of a transaction and what follows, in one batch",
    before: ["begin; set search_path = app"],
    readies: 1,
    send: (wire) => {
      run(wire, "rollback");
      run(wire, MAILS);
      wire.sync();
    },
  },
  {
    name: "a portal bound twice",
    readies: 1,
    send: (wire) => {
      wire.parse({ name: "a", text: "select name from customers" });
      wire.parse({ name: "b", text: MAILS });
      wire.bind({ statement: "a" });
      wire.bind({ statement: "b" });
      wire.execute({});
      wire.sync();
    },
  },
  {
    name: "a statement of SQL, bound by the protocol",
    before: [`prepare p as ${MAILS}`],
    readies: 1,
    send: (wire) => {
      wire.bind({ statement: "p" });
      wire.execute({});
      wire.sync();
    },
  },
  {
    name: "a statement replaced in the batch that uses it",
    readies: 2,
    send: (wire) => {
      wire.parse({ name: "s", text: "select name from customers" });
      wire.sync();
      wire.close({ type: "S", name: "s" });
      wire.parse({ name: "s", text: MAILS });
      wire.bind({ statement: "s" });
      wire.execute({});
      wire.sync();
    },
  },
  {
    name: "a cursor of SQL, run as a portal",
    before: ["begin", `declare c cursor for ${MAILS}`],
    readies: 1,
    send: (wire) => {
      wire.execute({ portal: "c" });
      wire.sync();
    },
  },
  {
    name: "a portal of the protocol, fetched by SQL",
    before: ["begin"],
    readies: 2,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "q" });
      wire.sync();
      wire.query("fetch all from q");
    },
  },
  {
    name: "a portal of a cursor's name, once its transaction is over",
    before: ["begin", "declare c cursor for select 'x'::text", "commit", "begin"],
    readies: 2,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ portal: "c" });
      wire.sync();
      wire.query("fetch all from c");
    },
  },
  {
    name: "a portal of a cursor's name, once that is closed",
    before: ["begin", "declare c cursor for select 'x'::text"],
    readies: 2,
    send: (wire) => {
      wire.close({ type: "P", name: "c" });
      wire.parse({ text: MAILS });
      wire.bind({ portal: "c" });
      wire.sync();
      wire.query("fetch all from c");
    },
  },
  {
    name: "a portal in parts, binary",
    readies: 1,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({ binary: true });
      wire.execute({ rows: 2 });
      wire.execute({ rows: 1 });
      wire.execute({});
      wire.sync();
    },
  },
  {
    name: "never described",
    readies: 1,
    send: (wire) => {
      wire.parse({ text: MAILS });
      wire.bind({});
      wire.execute({});
      wire.sync();
    },
  },
  {
    name: "a close that goes unanswered behind a setting",
    before: ["set search_path = app, public"],
    readies: 2,
    send: (wire) => {
      run(wire, "set search_path = public");
      wire.sync();
      wire.close({ type: "S", name: "nothing" });
      run(wire, MAILS);
      wire.sync();
    },
  },
];
