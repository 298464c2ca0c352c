import { type Shown, shows } from "./bypass.fixture.js";

const COUNTS = "a count holds no mark";

/** What carries values besides the rows of a query. */
export const SHOWN_CHANNELS: readonly Shown[] = [
  ...shows("EXPLAIN, statistics and what others run", {
    "EXPLAIN of a function computed beforehand": { sql: "explain (verbose) select immutable_secret(1)" },
    "EXPLAIN of a function computed beforehand, in a WHERE":
      "explain select 1 from orders where note = immutable_secret(1)",
    "EXPLAIN as JSON": "explain (format json, verbose) select immutable_secret(1)",
    "EXPLAIN of a prepared statement": ["prepare p as select immutable_secret(1)", "explain (verbose) execute p"],
    "EXPLAIN of statistics": {
      sql: "explain select 1 from customers where email = 'x'",
      masked: [],
      blunt: "a plan holds counts, no values",
    },
    "most common values": "select most_common_vals, histogram_bounds from pg_stats where tablename = 'customers'",
    "histograms, alone": "select histogram_bounds from pg_stats",
    "most common values, as text":
      "select concat(most_common_vals, histogram_bounds) from pg_catalog.pg_stats where tablename = 'customers'",
    histograms: "select histogram_bounds::text from pg_stats where tablename = 'customers'",
    "as text": "select s::text from pg_stats s where tablename = 'customers'",
    "as rows": "select to_json(s) from pg_catalog.pg_stats s",
    "of expressions": {
      sql: "select most_common_vals::text from pg_stats_ext_exprs",
      blunt: "the test has no such statistics",
    },
    "the table of them": "select stavalues1 from pg_statistic where starelid = 'customers'::regclass",
    "the table of them, as text": "select stavalues1::text from pg_statistic s where starelid = 'customers'::regclass",
    "extended ones": { sql: "select * from pg_stats_ext", blunt: "the test has no such statistics" },
    "a value added while rows were there": {
      sql: ["begin; alter table orders add column gone text default (select 'x')", "rollback"],
      blunt: "a default takes no subquery",
    },
    "what others run": { sql: "select query from pg_stat_activity", blunt: "nobody runs anything" },
    "what others run, by function": {
      sql: "select query from pg_stat_get_activity(null)",
      blunt: "nobody runs anything",
    },
    "what was prepared": {
      sql: ["prepare p as select email from customers", "select statement from pg_prepared_statements"],
      blunt: "it holds the text, not the values",
    },
    "large objects": { sql: "select data from pg_largeobject", blunt: "there is none" },
    "a notification": {
      sql: ["listen bypass", "select pg_notify('bypass', email) from customers where id = 1", "unlisten *"],
    },
    "a setting": {
      sql: [
        "select set_config('app.mail', (select email from customers where id = 1), false)",
        "select current_setting('app.mail')",
      ],
    },
    "a setting, shown": {
      sql: [
        "select set_config('application_name', (select email from customers where id = 1), false)",
        "show application_name",
      ],
    },
    "a setting, among all": [
      "select set_config('application_name', (select email from customers where id = 1), false)",
      "show all",
    ],
    "a setting, from its view": {
      sql: [
        "select set_config('application_name', (select email from customers where id = 1), false)",
        "select setting from pg_settings where name = 'application_name'",
      ],
    },
    "a sequence's value": {
      sql: [
        "begin; select setval('log_id_seq', ascii(email)) from customers limit 1",
        "select last_value from log_id_seq",
        "rollback",
      ],
      blunt: "a number does not show the value itself",
    },
    "advisory locks": {
      sql: [
        "begin; select pg_advisory_xact_lock(ascii(email)) from customers",
        "select objid from pg_locks where locktype = 'advisory'",
      ],
      blunt: "a number does not show the value itself",
    },
    "a comment": [
      "begin; do $$ begin execute format('comment on table log is %L', (select email from customers where id = 1)); end $$",
      "select obj_description('log'::regclass)",
      "rollback",
    ],
    "a column's name": {
      sql: [
        "begin; do $$ begin execute format('create table named (%I int)', (select email from customers where id = 1)); end $$",
        "select * from named",
        "rollback",
      ],
    },
    "a cursor's name": {
      sql: "do $$ begin execute format('declare %I cursor with hold for select 1', (select email from customers where id = 1)); end $$",
      blunt: "DO shows no cursor",
    },
    "a key's range of a view of progress": {
      sql: "select * from pg_stat_progress_create_index",
      masked: [],
      blunt: "nothing is in progress",
    },
  }),
  ...shows("counts that tell how far the server went", {
    "rows of an index": {
      sql: "select idx_tup_fetch, relname from pg_stat_xact_user_tables where relname = 'customers'",
      clear: [1],
      blunt: COUNTS,
    },
    "rows of an index, summed": { sql: "select sum(idx_tup_read) from pg_stat_all_indexes", blunt: COUNTS },
    "when an index was last looked at": {
      sql: "select last_seq_scan, last_idx_scan, relname from pg_stat_user_tables",
      masked: [0, 1],
      clear: [2],
      blunt: COUNTS,
      since: 16,
    },
    "when it last was, by function": {
      sql: "select pg_stat_get_lastscan('customers_pkey'::regclass)",
      blunt: COUNTS,
      since: 16,
    },
    "workers of the database": {
      sql: "select parallel_workers_launched from pg_stat_database",
      blunt: COUNTS,
      since: 18,
    },
    "scans, by function": { sql: "select pg_stat_get_xact_numscans('customers_pkey'::regclass)", blunt: COUNTS },
    pages: {
      sql: "select idx_blks_hit, heap_blks_read, relname from pg_statio_user_tables",
      masked: [0, 1],
      clear: [2],
      blunt: COUNTS,
    },
    "rows of the database": { sql: "select tup_returned, datname from pg_stat_database", clear: [1], blunt: COUNTS },
    "bytes of the log": { sql: "select wal_bytes from pg_stat_wal", blunt: COUNTS },
    "bytes of the log, by place": { sql: "select pg_current_wal_insert_lsn()", blunt: COUNTS },
    "pages and rows that are locked": {
      sql: "select page, tuple, mode from pg_locks",
      masked: [0, 1],
      clear: [2],
      blunt: COUNTS,
    },
    "pages and rows that are locked, as rows": { sql: "select to_json(l) from pg_locks l", blunt: COUNTS },
  }),
  ...shows("COPY (COPY)", {
    "a table": { sql: "copy customers to stdout", masked: [2, 3, 4] },
    "a column": "copy customers (email) to stdout",
    "a query, CSV": { sql: "copy (select id, email from customers) to stdout (format csv)", masked: [1], clear: [0] },
    "a query, CSV with everything":
      "copy (select lower(email) from customers) to stdout (format csv, header, delimiter 'z', force_quote *)",
    binary: "copy customers (email) to stdout (format binary)",
    "binary, the oldest syntax": { sql: "copy binary customers to stdout", masked: [2] },
    "CSV, the oldest syntax": { sql: "copy customers to stdout with csv header quote '~' escape '!'", masked: [2] },
    "another delimiter": { sql: "copy customers to stdout delimiter '|'", masked: [2] },
    "another delimiter that is in the value": {
      sql: "copy customers to stdout (delimiter 'x')",
      masked: [2],
      blunt: "the server escapes the mark",
    },
    "a NULL that is the value": { sql: "copy customers to stdout (null 'Name 1')", masked: [2] },
    "in another encoding": {
      sql: ["copy customers to stdout (encoding 'UTF16')"],
      blunt: "the server has no such encoding",
    },
    "in LATIN1": { sql: ["copy customers to stdout (encoding 'LATIN1')"] },
    "a RETURNING": "copy (update customers set email = email where id = 1 returning email) to stdout",
    VALUES: "copy (values ((select max(email) from customers))) to stdout",
    "a WITH": "copy (with x as (select email from customers) table x) to stdout",
    "a view": { sql: "copy (select * from contacts) to stdout", masked: [2, 3] },
    "a partition": { sql: "copy events_2024 to stdout", masked: [1] },
    "a materialized view": { sql: "copy contact_list to stdout", masked: [1], since: 18 },
    "a function": "copy (select secret(1)) to stdout",
    "a TABLE": { sql: "copy (table customers) to stdout", masked: [2] },
    "two at once": ["copy (select 1) to stdout; copy (select email from customers) to stdout"],
  }),
  ...shows("cursors and prepared statements", {
    DECLARE: { sql: "declare c cursor for select email from customers", blunt: "a DECLARE alone gives no rows" },
    "DECLARE and FETCH": ["begin", "declare c cursor for select lower(email) from customers", "fetch all from c"],
    "DECLARE and FETCH in one text": [
      "begin; declare c cursor for select lower(email) from customers; fetch all from c; rollback",
    ],
    backwards: [
      "begin",
      "declare c scroll cursor for select lower(email) from customers",
      "move last in c; fetch backward 2 from c",
    ],
    ABSOLUTE: ["begin", "declare c scroll cursor for select lower(email) from customers", "fetch absolute 2 from c"],
    RELATIVE: [
      "begin",
      "declare c scroll cursor for select lower(email) from customers",
      "move 1 in c",
      "fetch relative 1 in c",
    ],
    "FORWARD ALL": [
      "begin",
      "declare c insensitive no scroll cursor for select email from customers",
      "fetch forward all in c",
    ],
    "WITH HOLD": [
      "begin",
      "declare c scroll cursor with hold for select lower(email) from customers",
      "commit",
      "fetch last from c",
      "close c",
    ],
    BINARY: ["begin", "declare c binary cursor for select lower(email) from customers", "fetch c"],
    "its name in quotes": ["begin", 'declare "C c" cursor for select lower(email) from customers', 'fetch "C c"'],
    "its name in capitals": ["begin", "declare CC cursor for select lower(email) from customers", "fetch cc"],
    "its name as long as can be": [
      "begin",
      `declare ${"c".repeat(70)} cursor for select lower(email) from customers`,
      `fetch ${"c".repeat(63)}`,
    ],
    "declared again in vain": [
      "begin",
      "declare c cursor for select lower(email) from customers",
      "savepoint s",
      "declare c cursor for select name from customers",
      "rollback to s",
      "fetch c",
    ],
    "declared in a text that failed late": [
      "begin; declare c cursor with hold for select name from customers; commit",
      "begin; close c; declare c cursor with hold for select lower(email) from customers; commit; select 1/0",
      "fetch c",
    ],
    "of a function, by the name of one WITH HOLD that is rolled back": [
      "begin; declare c cursor with hold for select 'x'::text",
      "rollback; begin; select folded_cursor('c'); fetch all from c",
    ],
    "of a function, by the name of one WITH HOLD that is rolled back to": [
      "begin; savepoint s; declare c cursor with hold for select 'x'::text; rollback to s; select folded_cursor('c'); fetch all from c",
    ],
    "of a function, by the name of one WITH HOLD whose transaction has failed": [
      "begin; declare c cursor with hold for select 'x'::text",
      "select 1/0",
      "commit; begin; select folded_cursor('c'); fetch all from c",
    ],
    "of a function": ["begin", "select mail_cursor('m')", "fetch all from m"],
    "of a function that closes another of its name": [
      "begin",
      "declare c cursor for select 'x'::text",
      "select opened_anew('c')",
      "fetch c",
    ],
    "of a function that closes another of its name, WITH HOLD": [
      "begin; declare c cursor with hold for select 'x'::text; commit",
      "begin",
      "select opened_anew('c')",
      "fetch c",
    ],
    "of a function that a cursor calls, and that closes another": [
      "begin",
      "declare d cursor for select opened_anew('c')",
      "declare c cursor for select 'x'::text",
      "move 1 in d",
      "fetch c",
    ],
    "of a function, its own name": {
      sql: ["begin", "select mail_cursor(null)", 'fetch all from "<unnamed portal 2>"'],
      blunt: "the server counts the names on",
    },
    "of a DO": {
      sql: [
        "begin",
        "do $$ declare c refcursor := 'd'; begin open c for select email from customers; end $$",
        "fetch all from d",
      ],
    },
    "PREPARE and EXECUTE": ["prepare p as select lower(email) from customers", "execute p"],
    "PREPARE, its name in capitals": ["prepare PP as select lower(email) from customers", "execute pp"],
    "PREPARE with types": [
      "prepare p(int, text) as select email || $2 from customers where id = $1",
      "execute p(1, '!')",
    ],
    "PREPARE anew under the same name": [
      "prepare p as select 1::text",
      "deallocate p",
      "prepare p as select lower(email) from customers",
      "execute p",
    ],
    "PREPARE in a text that failed": [
      "prepare p as select lower(email) from customers",
      "prepare p as select name from customers; select 1",
      "execute p",
    ],
    "PREPARE in a transaction that failed": [
      "begin; prepare p as select lower(email) from customers; rollback",
      "execute p",
    ],
    "PREPARE and EXECUTE in one text": ["prepare p as select email from customers; execute p"],
    "EXPLAIN EXECUTE that fails": ["prepare p as select email::int from customers", "explain analyze execute p"],
    "CREATE TABLE AS EXECUTE": [
      "prepare p as select email from customers",
      "create temp table kept as execute p",
      "select * from kept",
    ],
    "PREPARE of a COPY-like VALUES": ["prepare p as values ((select max(email) from customers))", "execute p"],
    "PREPARE of a DELETE": [
      "prepare p as delete from customers where id = 1 returning email",
      "begin; execute p; rollback",
    ],
    "EXECUTE of what is prepared anew behind it": [
      "prepare p as select upper(email) from customers",
      "execute p; deallocate p; prepare p as select 'x'::text",
    ],
    "EXECUTE, and what it names dropped behind it": [
      "prepare p as select upper(email) from customers",
      "execute p; deallocate all; prepare p as select 'x'::text",
    ],
    "EXECUTE behind a search_path set in the same text": [
      "set search_path = app; prepare p as select upper(email) from customers",
      "set search_path = public; execute p",
    ],
    "of a statement that changes what it means": [
      "create temp table hidden (email text)",
      "prepare p as select email from hidden",
      "drop table hidden; create temp view hidden as select email from customers",
      "execute p",
    ],
    "of a statement whose path changes": [
      "set search_path = app",
      "prepare p as select email from customers",
      "set search_path = public",
      "execute p",
    ],
  }),
  ...shows("how a text is read", {
    "Unicode escapes": `select U&"\\0065mail" || '' from U&"\\0063ustomers"`,
    "Unicode escapes of six digits": `select U&"\\+000065mail" || '' from customers`,
    "a comment that hides": "select /* from nothing -- */ email || '' -- x\n from customers",
    "a comment in a comment": "select /* /* */ 'x' */ email || '' from customers",
    "dollar quotes": "select $a$;select$a$ || email from customers",
    "a comment for a space": "select/**/email||''/**/from/**/customers",
    "a question of backslashes": {
      sql: ["set standard_conforming_strings = off", "select '\\' || email || '\\' from customers"],
      blunt: "the mark would be in the literal",
    },
    "another encoding": { sql: ["set client_encoding = 'BIG5'", "select lower(email) from customers"] },
    "LATIN1 and back": ["set client_encoding to latin1; select lower(email) from customers"],
    "names of Unicode": ['select "émail" from (select email as "émail" from customers) s'],
    "a name as long as can be": [`select ${"e".repeat(63)} from (select email as ${"e".repeat(80)} from customers) s`],
    "a name with a quote": [`select "e""m" from (select email as "e""m" from customers) s`],
    "a text of three statements": ["select 1; select lower(email) from customers; select 2"],
    "a text whose first fails": {
      sql: ["select 1/0; select lower(email) from customers"],
      blunt: "the rest does not run",
    },
    "behind an empty statement": [";; select lower(email) from customers;;"],
  }),
];
