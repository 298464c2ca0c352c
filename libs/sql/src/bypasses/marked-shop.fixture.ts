import { SHOP_SQL } from "../shop.fixture.js";

/** In every labelled value of the marked shop. */
export const MARK = "zqx7";

/** What the ways of the bypass list need besides the shop. */
const MORE_SQL = `
  create type mood as enum ('sad', 'glad');
  create type pair as (a text, b text);
  create type app_customer as (id int, email text);
  create type textrange as range (subtype = text);
  create domain mail as text;
  create domain digits as text check (value ~ '^[0-9]*$');
  create function mood_number(mood) returns int language sql as 'select 1';
  create function on_row() returns trigger language plpgsql as 'begin return new; end';
  create function on_event() returns event_trigger language plpgsql as 'begin end';
  create function immutable_touch(int) returns int language plpgsql immutable as 'begin return 1; end';
  create function immutable_secret(int) returns text language sql immutable as 'select email from public.customers where id = $1';
  create function secrets() returns table (id int, mail text) language sql as 'select id, email from public.customers';
  create function secret_out(out told text) language sql as 'select email from public.customers where id = 1';
  create function mail_of(int) returns mail language sql as 'select email from public.customers where id = $1';
  create function shown(customers) returns text language sql as 'select $1.email';
  create function joined(variadic text[]) returns text language sql as $$ select array_to_string($1, ',') $$;
  create function with_default(text default secret(1)) returns text language sql as 'select $1';
  create function telling(int) returns int language plpgsql as $$ begin raise warning '%', secret($1); return 1; end $$;
  create function noting(int) returns int language plpgsql stable as $$ begin raise notice '%', secret($1); return $1; end $$;
  create function named_mail(who int) returns text language sql stable as 'select email from public.customers where id = who';
  create function failing(int) returns int language plpgsql as $$ begin execute secret($1); return 1; end $$;
  create function mail_cursor(refcursor) returns refcursor language plpgsql as
    'begin open $1 for select email from public.customers; return $1; end';
  create function folded_cursor(refcursor) returns refcursor language plpgsql as
    'begin open $1 for select lower(email) from public.customers; return $1; end';
  create function touch_row(orders) returns int language plpgsql as $$ begin execute 'select 1'; return 1; end $$;
  create function touch_two(int, int) returns int language plpgsql as $$ begin execute 'select 1'; return 1; end $$;
  create function peek_two(int, int) returns text language sql as 'select email from public.customers where id = $1';
  create function peek_next(text, int) returns text language sql as 'select email from public.customers where id = $2';
  create function longer(text, text) returns text language sql immutable as 'select case when length($1) > length($2) then $1 else $2 end';
  create function to_public() returns text language sql as $$ select set_config('search_path', 'public', false) $$;
  create function to_path(text) returns text language plpgsql as $$ begin return set_config('search_path', $1, false); end $$;
  create function to_path_by_text(text) returns text language plpgsql as
    $$ begin execute format('set search_path = %I', $1); return null; end $$;
  create function kept_mail(int) returns text language plpgsql as
    $$ declare v text; begin select email into v from public.customers where id = $1; return v; end $$;
  create function made_mail(int) returns text language plpgsql as
    $$ declare v text; begin execute 'select email from public.customers where id = ' || $1 into v; return v; end $$;
  create function out_mail(int, out a int, out told text) language plpgsql as
    $$ begin a := $1; select email into told from public.customers where id = $1; end $$;
  create function each_mail() returns setof text language plpgsql as
    $$ declare r record; begin for r in select * from public.customers loop return next r.email; end loop; end $$;
  create function all_mails() returns table (a int, told text) language plpgsql as
    $$ begin return query select id, email from public.customers; end $$;
  create function made_mails() returns setof text language plpgsql as
    $$ begin return query execute 'select email from public.customers'; end $$;
  create function failed_mail(int) returns text language plpgsql as
    $$ begin perform public.secret($1)::int; return ''; exception when others then return sqlerrm; end $$;
  create function default_mail(int) returns text language plpgsql as
    $$ declare r record := (select c from public.customers c where id = $1); begin return r.email; end $$;
  create function cursor_mail(int) returns text language plpgsql as
    $$ declare c refcursor; v text; begin open c for execute 'select email from public.customers'; fetch c into v; return v; end $$;
  create function is_mail(int, text) returns boolean language plpgsql as
    $$ declare v text; begin select email into v from public.customers where id = $1; return v like $2; end $$;
  create function keep_mail(int) returns void language plpgsql as
    $$ declare v text; begin select email into v from public.customers where id = $1; insert into public.log (what) values (v); end $$;
  create function forget(int) returns int language plpgsql as
    $$ begin delete from public.orders where id = $1; return $1; end $$;
  create procedure out_mail_of(int, out told text) language plpgsql as
    $$ begin select email into told from public.customers where id = $1; end $$;
  create operator <-#-> (function = touch_two, leftarg = int, rightarg = int);
  create operator <@@> (function = peek_two, leftarg = int, rightarg = int);
  create aggregate touched(int) (sfunc = touch_two, stype = int, initcond = '0');
  create aggregate peeked(int) (sfunc = peek_next, stype = text);
  create aggregate longest(text) (sfunc = longer, stype = text, initcond = '');
  create type marker as (id int);
  create function marker_of(int) returns marker language sql as 'select row($1)::marker';
  create function marker_text(marker) returns text language sql as 'select email from public.customers where id = $1.id';
  create cast (int as marker) with function marker_of(int);
  create cast (marker as text) with function marker_text(marker);
  create function app.shout(text) returns text language sql as 'select upper($1)';
  create view touching as select touch();
  create view by_email as select email, min(id) as who_first from customers group by email;
  create foreign data wrapper nothing;
  create server abroad foreign data wrapper nothing;
  create function tell() returns trigger language plpgsql as $$ begin raise notice '%', secret(1); return new; end $$;
  create table alarms (id int, level int);
  create trigger tells before insert or update on alarms for each row execute function tell();
  create table checked (id int check (noting(id) > 0), n int default noting(1));
  create table narrow (mail varchar(3));
  create table excluded_mail (mail text, exclude using btree (mail with =));
  create table folded_mails (mail text);
  create unique index on folded_mails (lower(mail));
  create table by_mail (id int, mail text) partition by list (mail);
`;
/** What a table, a view or a type does by itself. */
const BY_ITSELF_SQL = `
  create domain noisy as int check (noting(value) > 0);
  create table badges (id int, ssn text, tail text generated always as (right(ssn, 99)) stored);
  create view taken as select 1 as id, 'x'::text as note;
  create rule takes as on insert to taken do instead
    insert into public.log (what) values ('x') returning 1, (select email from public.customers limit 1);
  create view handed as select id, what as note from public.log;
  create function hand() returns trigger language plpgsql as $$ begin new.note := public.secret(1); return new; end $$;
  create trigger hands instead of insert on handed for each row execute function hand();
`;
/** What only a newer server can have. */
const NEWER_SQL = `
  do $$ begin
    if current_setting('server_version_num')::int < 160000 then return; end if;
    create table stamped (id int, tail text generated always as ('x') stored);
    create table stamped_badges (ssn text, tail text generated always as (ssn) stored) inherits (stamped);
    insert into stamped_badges values (1, default, '${MARK}stamped');
    if current_setting('server_version_num')::int < 180000 then return; end if;
    execute 'alter table badges add column seen text generated always as (upper(ssn)) virtual';
  end $$;
`;
/** Code that changes what names mean, and a role and a schema by which they mean something else. */
const UNSETTLING_SQL = `
  create function path_of_its_own(text) returns text language plpgsql set search_path = app as
    $$ begin return set_config('search_path', $1, false); end $$;
  create function to_schema() returns text language plpgsql as $$ begin set schema 'public'; return ''; end $$;
  create function to_default() returns text language plpgsql as $$ begin reset all; return ''; end $$;
  create function to_path_in_parts(text) returns text language plpgsql as
    $$ begin execute 'se' || 't sea' || 'rch_path = ' || $1; return ''; end $$;
  create function to_path_stable(text) returns text language plpgsql stable as
    $$ begin return set_config('search_path', $1, false); end $$;
  create function to_path_by_another() returns text language plpgsql as
    $$ begin perform public.to_path_in_parts('public'); return ''; end $$;
  create function folded_mail() returns setof text language sql stable as 'select lower(email) from customers';
  create function to_path_and_folded() returns text language plpgsql as
    $$ begin perform public.to_path_stable('public'); return (select lower(email) from customers limit 1); end $$;
  create function become(text) returns text language plpgsql as $$ begin execute format('set role %I', $1); return ''; end $$;
  create function moving() returns trigger language plpgsql as
    $$ begin perform set_config('search_path', 'public', false); return new; end $$;
  create table moved (id int, path text);
  create trigger moves before insert on moved for each row execute function moving();
  create table moved_by_default (id int, path text default to_path_stable('public'));
  create table moved_by_rule (id int);
  create rule moves as on insert to moved_by_rule do also select to_path_stable('public');
  create function opened_anew(refcursor) returns refcursor language plpgsql as
    $$ begin close $1; open $1 for execute 'select lower(email) from public.customers'; return $1; end $$;
  create function to_path_early(text) returns text language plpgsql immutable as
    $$ begin perform set_config('search_path', $1, false); return ''; end $$;
  create function opened_early(refcursor) returns refcursor language plpgsql immutable as
    $$ begin close $1; open $1 for execute 'select lower(email) from public.customers'; return $1; end $$;
  create schema shop_other;
  create view shop_other.customers as select id, email from public.customers;
  do $$ begin create role shop_other; exception when duplicate_object or unique_violation then null; end $$;
  grant usage on schema shop_other to shop_other;
  grant select on shop_other.customers, public.customers to shop_other;
`;
const DATA_SQL = `
  insert into customers select n, 'Name ' || n, '${MARK}mail' || n || '@x.org', '${MARK}tel' || n, '${MARK}card' || n from generate_series(1, 5) n;
  insert into orders select n, n, n, 'note', 'open' from generate_series(1, 5) n;
  insert into payments select n, n, 'card', 1 from generate_series(1, 3) n;
  insert into log (what) values ('x');
  insert into events values (1, '${MARK}event', '2024-05-05');
  insert into people values (1, 'P', '${MARK}ssn');
  insert into employees values (2, 'E', '${MARK}ssn', 10);
  insert into badges values (1, '${MARK}badge');
  insert into docs values (1, '{"a": 1}', '{t}', '<a/>');
  insert into app.customers values (1, 'plain');
  refresh materialized view contact_list;
  create index on customers (lower(email));
  create unique index on customers (email);
  create unique index on customers (upper(email));
  create index customers_pkey_copy on customers (id);
  alter table customers add check (city <> 'forbidden');
  create table mail_refs (mail text references customers (email));
  create table refs (mail text, constraint refs_mail unique (mail) deferrable initially deferred);
  insert into refs select email from customers;
  insert into accounts select '${MARK}iban' || n, 'H' || n from generate_series(1, 3) n;
  insert into transfers select n, '${MARK}iban' || n, '${MARK}iban' || n from generate_series(1, 3) n;
  analyze;
`;

/** The shop, what the ways of the bypass list need besides, and rows. */
export const MARKED_SHOP_SQL = `${SHOP_SQL} ${MORE_SQL} ${BY_ITSELF_SQL} ${UNSETTLING_SQL} ${DATA_SQL} ${NEWER_SQL}`;
