/** What people and scripts do with psql. Each is fed to it on standard input. */
export interface PsqlCase {
  readonly name: string;
  readonly script: string;
  readonly args?: readonly string[];
  /** The oldest psql that can do it. */
  readonly since?: number;
  /** Refused on purpose where columns are labelled. */
  readonly notLabelled?: boolean;
}

const describing = `
\\d
\\dtvmsi+ public.*
\\d products
\\d+ products
\\d parts
\\d measures
\\d+ measures
\\d measures_2024
\\d cheap
\\d+ cheap
\\d+ stock_by_mood
\\d ticket
\\d products_by_name
\\d every_type
\\d nothing_like_it
\\d other.*
\\dt
\\dt+ public.p*
\\dt *.empty
\\dtv
\\di+
\\ds+
\\dm+
\\dv+
\\dP+
\\dPt
\\dn
\\dn+
\\dE
\\z
\\dp products
\\ddp
\\df
\\df+
\\dfp
\\dft+
\\df *add_tax*
\\da max
\\dT
\\dT+
\\dD+
\\dC
\\dc utf*
\\do ||
\\dO
\\dL+
\\dx
\\dx+ plpgsql
\\dy
\\dd
\\des
\\det
\\deu
\\dew
\\dRp
\\dRs
\\dX
\\dA+
\\dAc btree int4
\\dAf btree
\\dAo btree int4_ops
\\dAp btree float_ops
\\dF
\\dFd
\\dFp
\\dFt
\\dF+ english
\\dg counterfoil
\\du+ counterfoil
\\drds
\\db
\\dl
\\dconfig enable_*
\\dconfig+ work_mem
\\sf add_tax
\\sf+ complain
\\sv cheap
\\sv+ cheap
\\encoding
`
  .trim()
  .split("\n");

export const PSQL_CASES: readonly PsqlCase[] = [
  ...[0, 1, 2, 3].map((part) => ({
    name: `\\d and its family, part ${part + 1}`,
    script: describing.filter((_, index) => Math.floor(index / Math.ceil(describing.length / 4)) === part).join("\n"),
  })),
  { name: "\\d and its family, as -E shows what it asks", args: ["-E"], script: "\\d products\n\\df+ add_tax\n\\dp" },
  {
    name: "every type, expanded, aligned, unaligned, HTML, CSV, and in other styles",
    script: `
      table every_type; \\x
      table every_type; \\x \\pset format csv
      table every_type; \\pset format unaligned
      set datestyle to 'SQL, DMY'; set intervalstyle to iso_8601; set bytea_output to escape; set extra_float_digits to 0;
      table every_type; \\pset format html
      set timezone to 'Asia/Kolkata'; set xmlbinary to hex; select * from every_type limit 1;`,
  },
  {
    name: "errors, where they are, and everything they say",
    script: `
      select 1 / 0;
      select nothing from products;
      select * from nowhere;
      select nofunction(1);
      select 'a'::int;
      selct 1;
      select 1 +;
      select * from products where name = 'x' and;
      select "unclosed from products;";
      \\set VERBOSITY terse
      select 1 / 0;
      select * from nowhere;
      \\set VERBOSITY sqlstate
      insert into products (name, price) values (null, 1);
      insert into products (name, price) values ('n', -1);
      insert into parts values (99999, 1);
      \\errverbose
      \\set VERBOSITY verbose
      insert into products (id, name, price) values (1, 'n', 1);
      update products set stock = -1 where id = 1;
      select * from nowhere
      where x;`,
  },
  {
    name: "what functions say, with and without its context",
    notLabelled: true,
    script: `
      select complain('x'); insert into stamped values (null) returning no; insert into stamped values ('x'); delete from stamped;
      \\set SHOW_CONTEXT always
      \\set VERBOSITY verbose
      select complain('thing');
      do $$ begin perform complain('nested'); end $$;`,
  },
  {
    name: "notices and warnings",
    script: `
      set client_min_messages to debug1;
      create table if not exists products (id int);
      drop table if exists gone;
      drop view gone; drop table other.gone, gone; drop index gone;
      set client_min_messages to error;
      drop table if exists gone;
      reset client_min_messages;
      rollback;
      begin; begin; commit; commit;
      vacuum products;
      begin; vacuum products; rollback;`,
  },
  {
    name: "several statements in one message",
    script: `
      select 1 \\; select 2 as two \\; select 'three';
      insert into other.empty default values \\; select count(*) from other.empty;
      begin \\; create table other.t (i int) \\; insert into other.t values (1) \\; commit;
      insert into other.t values (2) \\; select 1 / 0 \\; insert into other.t values (3);
      select * from other.t;
      insert into other.t values (4) \\; commit \\; insert into other.t values (5) \\; select 1 / 0;
      select * from other.t;
      ;
      -- nothing
      /* nothing */ ;
      drop table other.t; delete from other.empty;`,
  },
  {
    name: "-c with several statements, and several -c",
    args: [
      "-c",
      "select 1; select 2; begin; select 3",
      "-c",
      "select 4; commit",
      "-c",
      "\\d cheap",
      "-c",
      "select 1 / 0",
    ],
    script: "",
  },
  {
    name: "--single-transaction and ON_ERROR_STOP",
    args: ["-1", "-v", "ON_ERROR_STOP=1", "-f", "-"],
    script: "create table other.half (i int);\nselect 1 / 0;\nselect 'never';",
  },
  {
    name: "transactions, savepoints, isolation, and errors in them",
    script: `
      begin isolation level serializable read only deferrable; show transaction_isolation; update products set stock = 1; rollback;
      begin; update products set stock = 100 where id = 2; savepoint a; select 1 / 0; select 2; rollback to a;
      select stock from products where id = 2; release a; rollback and chain; select 5; commit;
      select stock from products where id = 2;
      start transaction; set local statement_timeout to 100; select pg_sleep(5); end;
      begin; set constraints all deferred; select 1 / 0; commit;
      \\set ON_ERROR_ROLLBACK on
      begin; select 1 / 0; select 'goes on'; commit;
      \\set AUTOCOMMIT off
      select 1; \\echo :ERROR :SQLSTATE :ROW_COUNT
      rollback;
      begin; prepare transaction 'nope'; rollback;`,
  },
  {
    name: "\\copy and COPY, in and out, in each format",
    script: `
      create table other.items (i int, t text, d date);
      copy other.items from stdin;
1\tone\t2024-01-01
2\ttwo\\ttabbed\\nlines\t\\N
\\.
      \\copy other.items from pstdin csv header
i,t,d
3,"three ""quoted"", with comma",2024-03-03
4,,
\\.
      copy other.items (t, i) from stdin with (format csv, delimiter ';', null 'NIL', quote '''');
'fi;ve';5
NIL;6
\\.
      copy other.items from stdin;
seven\tx\t2024-01-01
\\.
      copy other.items from stdin;
8\ttoo few
\\.
      table other.items;
      copy other.items to stdout;
      copy (select i, t from other.items order by i desc) to stdout with (format csv, header, force_quote *);
      \\copy other.items (i) to pstdout with (format text, delimiter '|')
      \\copy (select 1, null, 'x') to pstdout csv null 'NULL'
      copy every_type to stdout csv header;
      copy other.items to stdout \\; select 'behind' \\; copy other.items (i) to stdout;
      select 'between' \\; copy other.items (i) from stdin \\; select count(*) from other.items;
9
10
\\.
      drop table other.items;`,
  },
  {
    name: "COPY of what is not there",
    notLabelled: true,
    script: "copy nowhere to stdout;\ncopy products (nothing) to stdout;\ncopy nowhere from stdin;",
  },
  {
    name: "\\gexec, \\gset, \\gdesc, \\g, \\gx, \\crosstabview, \\if",
    script: `
      select format('select %s as n, %L as text', n, 'it''s ' || n) from generate_series(1, 3) n \\gexec
      select format('create table other.g%s (i int)', n), format('drop table other.g%s', n) from generate_series(1, 2) n \\gexec
      select 1 as one, 'two' as two, null as three \\gset got_
      \\echo :got_one :got_two :got_three
      select :got_one + 1, :'got_two', :"got_two" from (select 1 as two) x;
      select p.*, 1.5 as f, array[1] from products p \\gdesc
      create table other.never (i int) \\gdesc
      select feeling, id % 3 as third, sum(stock) from products group by 1, 2 order by 1, 2 \\crosstabview feeling third
      select 1 \\g (format=csv)
      table cheap \\gx
      select count(*) > 5 as many from products \\gset
      \\if :many
        select 'many';
      \\else
        select 'few';
      \\endif
      select 1 as a, 2 as a \\gset
      select 1 where false \\gset`,
  },
  {
    name: "\\watch",
    script: "select clock_timestamp() > now() as later, random() < 2 as always \\watch i=0.01 c=3",
    since: 16,
  },
  {
    name: "\\bind",
    since: 16,
    script: "select $1::int + $2 as sum \\bind 1 2 \\g\nselect $1 \\bind \\g\nselect 1 \\bind x \\g",
  },
  {
    name: "\\parse, \\bind_named, \\close",
    since: 18,
    script: `
      select $1::text, count(*) from products where id > $2 \\parse p
      \\bind_named p hello 10 \\g
      \\bind_named p again 20 \\g
      \\close_prepared p
      \\bind_named p gone 1 \\g`,
  },
  {
    name: "\\startpipeline",
    since: 18,
    script: `
      \\startpipeline
      select $1 \\bind 1 \\sendpipeline
      select 'p', $1 \\parse q
      \\bind_named q 2 \\sendpipeline
      insert into other.empty default values \\bind \\sendpipeline
      \\syncpipeline
      select 1 / 0 \\bind \\sendpipeline
      select 'skipped' \\bind \\sendpipeline
      \\syncpipeline
      select 'goes on' \\bind \\sendpipeline
      \\flushrequest
      \\getresults 1
      select 'last' \\bind \\sendpipeline
      \\endpipeline
      delete from other.empty;`,
  },
  {
    name: "FETCH_COUNT and cursors",
    script: `
      \\set FETCH_COUNT 7
      select id, name from products;
      select 1 / (15 - n) from generate_series(1, 20) n;
      \\unset FETCH_COUNT
      begin; declare c scroll cursor for select id, name from products order by id;
      fetch 3 from c; move 5 in c; fetch backward 2 from c; fetch absolute 20 from c; fetch all in c; fetch prior from c;
      close c; declare h cursor with hold for select 1 union select 2; commit; fetch all h; close h;`,
  },
  {
    name: "prepared by SQL",
    script: `
      prepare one (int) as select name from products where id = $1;
      execute one (3); execute one (4); prepare some as select id from products where id in (1, 2) or array[id] = array[3]; execute some; explain (costs off) execute one (5);
      prepare two as insert into other.empty default values returning *; execute two; delete from other.empty;
      execute nope; prepare one as select 1; deallocate one; execute one (3); deallocate all; deallocate nope; discard all;`,
  },
  {
    name: "EXPLAIN in all its formats",
    script: `
      explain (costs off) select * from products where lower(name) = 'x';
      explain (analyze, costs off, timing off, summary off, buffers off) select count(*) from products;
      explain (format json, costs off) select 1; explain (format yaml, costs off) select 1; explain (format xml, costs off) select 1;
      explain (costs off) update products set stock = 1; explain (costs off) create table other.e as select 1;`,
  },
  { name: "large output", args: ["-At"], script: "select * from big; select repeat('x', 3000000);" },
  {
    name: "DDL, as a migration has it",
    script: `
      create schema if not exists app; set search_path to app, public;
      create table users (id bigserial primary key, name text not null, at date default current_date);
      create unique index concurrently users_name on users (name);
      alter table users add column age int default 3, add constraint adult check (age > 0) not valid;
      alter table users validate constraint adult; alter table users alter column age type bigint using age * 2;
      insert into users (name) values ('a'), ('b') on conflict (name) do nothing returning id, name, age;
      insert into users (name) values ('a') on conflict (name) do update set age = users.age + 1 returning *, at is null;
      merge into users u using (values ('a', 1), ('z', 9)) v (name, age) on u.name = v.name
        when matched then update set age = v.age when not matched then insert (name, age) values (v.name, v.age);
      select name, age from users order by name; create view grown as select * from users where age > 5; select * from grown;
      alter table users rename to members; alter table members rename column age to years; \\d members
      \\d grown
      comment on table members is 'm'; create type app.state as enum ('on'); alter type state add value 'off' after 'on';
      truncate members restart identity; create table copied (like members including all); \\d copied
      reindex table members; analyze members; cluster members using members_pkey; drop schema app cascade; reset search_path;
      create unlogged table other.u (i int); lock table other.u; begin; lock table other.u in share mode; commit; drop table other.u;
      create role compat_nobody_role nologin valid until; select lastval();`,
  },
  {
    name: "what is made and read in one transaction or one message, and temporary",
    notLabelled: true,
    script: `
      begin \\; create table other.t (i int) \\; insert into other.t values (1) returning i \\; select * from other.t \\; commit;
      drop table other.t;
      begin; create table other.t (i int); insert into other.t values (1) returning i; select * from other.t; rollback;
      create temp table scratch on commit drop as select 1; begin; create temp table scratch (i int) on commit delete rows;
      insert into scratch values (1); table scratch; commit; table scratch; drop table scratch;`,
  },
  {
    name: "functions, procedures and DO",
    notLabelled: true,
    script: `
      create or replace function other.twice(i int) returns int language sql immutable return i * 2; select other.twice(4);
      do $$ begin raise notice 'from %', 'do'; perform 1 / 0; end $$;
      create procedure other.p(inout i int) language plpgsql as $$ begin i := i + 1; commit; end $$; call other.p(1);
      call restock(1, 5); select stock from products where id = 1; call restock(1, -5);
      create function other.rows() returns table (a int, b text) language sql as $$ values (1, 'x'), (2, null) $$;
      create function other.opened() returns refcursor language plpgsql as $$
        declare c refcursor; begin open c for select id, name from products where id < 4; return c; end $$;
      begin; select other.opened(); fetch all from "<unnamed portal 1>"; move 1 in "<unnamed portal 1>"; commit;
      select * from other.rows(); select other.rows(); drop function other.opened; drop function other.rows(), other.twice; drop procedure other.p;`,
  },
  {
    name: "settings, sequences, locks, notification, large objects",
    script: `
      show server_version_num; show standard_conforming_strings; show search_path; set application_name to 'an app'; show application_name;
      select set_config('maintenance_work_mem', '8MB', false), current_setting('maintenance_work_mem'); reset all; show maintenance_work_mem;
      select nextval('ticket'), currval('ticket'), setval('ticket', 1, false), lastval();
      select pg_advisory_lock(72707369), pg_try_advisory_lock(1, 2), pg_advisory_unlock(72707369), pg_advisory_unlock(5);
      listen news; notify news; unlisten *; select pg_notify('nobody', 'x');
      select version() like 'PostgreSQL%', current_user = session_user, pg_is_in_recovery(), inet_server_port() is null;
      select txid_current() > 0, pg_backend_pid() > 0, pg_size_pretty(pg_relation_size('big'));
      select count(*) > 0 from pg_stat_activity where pid = pg_backend_pid();
      table pg_prepared_statements; select name, setting from pg_settings where name in ('work_mem', 'fsync') order by 1;`,
  },
  {
    name: "psql as other programs use it",
    args: ["-qAtX", "-F", ",", "-R", ";", "-P", "null=NIL", "-v", "who=it's me", "--csv"],
    script: "select :'who', null, 1;\n\\echo :DBNAME\n\\l :DBNAME\n\\conninfo\nselect 1 as \"a b\";",
  },
];
