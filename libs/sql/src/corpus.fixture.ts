/** Queries over the shop whose columns PostgreSQL itself describes: lineage is held against it. */
export const CORPUS: readonly string[] = `
select * from customers
select id, email from customers
select email as e from customers
select c.* from customers c
select c.id, c.*, c.email from customers c
select customers.email from customers
select public.customers.email from public.customers
select 1, 'x', null, true, 1.5, $$q$$, b'1', x'ff'
select lower(email), upper(name) from customers
select email || '' from customers
select email::varchar, cast(phone as text), name::text::varchar(3) from customers
select coalesce(email, phone), nullif(email, 'x'), greatest(id, 1), least(id, 2) from customers
select case when email like 'a%' then email else phone end from customers
select case id when 1 then 'a' end, case when true then id::text end from customers
select substring(email from 1 for 3), substr(email, 1, 99), trim(both ' ' from email), position('@' in email) from customers
select overlay(email placing 'x' from 1), extract(year from created), created at time zone 'utc' from customers
select (select email from customers limit 1), (select 1), (select email as z from customers limit 1)
select exists(select 1 from customers), array(select email from customers), array[email, phone], row(email, phone) from customers
select (email, phone) from customers
select count(*), count(email), max(email), min(phone) from customers
select string_agg(email, ','), array_agg(email order by id), json_agg(c), jsonb_agg(c.email) from customers c
select array_agg(distinct email) filter (where id > 1) from customers
select row_number() over (order by email), lag(email) over w, first_value(phone) over w from customers window w as (partition by city)
select row_to_json(c), to_jsonb(c), c from customers c
select (c).email, (c).* from customers c
select c.email, email(c) from customers c
select to_json(row(c.email)), json_build_object('a', email), jsonb_build_object('b', c.*) from customers c
select xmlelement(name a, email), xmlforest(email, phone as p), xmlconcat(x, x) from customers, docs
select xmlserialize(content x as text), xmlpi(name foo), xmlparse(content '<a/>'), xmlroot(x, version '1.0') from docs
select current_date, current_time, current_timestamp, localtime, localtimestamp, current_user, session_user, user, current_catalog, current_schema, current_role
select current_timestamp(2), localtime(0)
select a.email, b.email from customers a join customers b on a.id = b.id
select * from customers a join orders b on a.id = b.customer_id
select * from customers join orders using (id)
select * from customers left join orders using (id)
select * from customers right join orders using (id)
select * from customers full join orders using (id)
select id from customers right join orders using (id)
select j.id, customers.id, orders.id from customers join orders using (id) as j
select j.* from customers join orders using (id) as j
select * from customers natural join log
select * from orders natural join payments
select * from orders natural left join payments natural join log
select * from (customers a join orders b on true) as t(a1, a2)
select t.a1, t.b1 from (select id a1, email b1 from customers) t
select * from (select * from customers) t
select * from (select * from customers) t(a, b, c)
select t.c from (select * from customers) t(a, b, c)
select * from (select id, email from customers union select id, note from orders) u
select id, email from customers union all select order_id, card from payments
select id from customers intersect select id from orders except select id from payments
select email from customers union all select phone from customers union all select card from customers order by 1 limit 3
(select email from customers) union (select note from orders order by 1 limit 1)
values (1, 'a'), (2, 'b')
select * from (values (1, 'a'), (2, 'b')) v
select * from (values (1, 'a'), (2, 'b')) v(x, y)
select column1 from (values (1)) v
table customers
select * from only people
select * from people
select * from employees
select ssn, tableoid::regclass, ctid from people
select * from events
select email from events_2024
select * from contacts
select mail, folded from contacts
select * from big_orders
select mail from big_orders b where b.id = 1
select * from contact_list
select c.mail || 'x' from contacts c
with x as (select email from customers) select * from x
with x(a) as (select email from customers) select a, x.* from x
with x as (select email from customers), y as (select email e2 from x) select * from y
with x as materialized (select * from customers) select x.email, x from x
with recursive x as (select id, email from customers where id = 1 union all select c.id, c.phone from customers c join x on c.id = x.id + 1) select * from x
with recursive x(n, e) as (select 1, 'a'::text union all select n + 1, e || 'b' from x where n < 3) select * from x
with recursive x(n) as (values (1) union select n + 1 from x where n < 3) select n, n * 2 from x
with recursive a as (select * from b), b as (select email from customers) select * from a
with recursive x as (select id, email from customers union all select x.id, x.email from x where false) search depth first by id set ord select * from x
with recursive x as (select id, email from customers union all select x.id, x.email from x where false) cycle id set cyc using path select * from x
with recursive x as (select id, email from customers union all select x.id, x.email from x where false) search breadth first by id set ord cycle id set cyc using path select * from x
with i as (insert into log(what) select email from customers where false returning *) select * from i
with d as (delete from customers where false returning email e) select e from d
with u as (update customers set email = phone where false returning id, email) select * from u
insert into log(what) values ('x') returning *
insert into log(what) values ('x') returning id, what as w, upper(what)
insert into customers select * from customers where false returning email
insert into log(what) select 'x' returning log.*
insert into customers(id, name) values (1, 'x') on conflict (id) do update set email = excluded.name returning email, customers.id
update customers set email = 'x' where id = 1 returning *
update customers c set email = o.note from orders o where o.customer_id = c.id returning c.email, o.*
update customers c set email = o.note from orders o where o.customer_id = c.id returning *
update customers set (email, phone) = (select 'a', 'b') where id = 1 returning email, phone
update customers set (email, phone) = row('a', phone) where id = 1 returning *
delete from customers where id = 1 returning *
delete from customers c using orders o where o.id = c.id and false returning *
delete from customers using orders o where o.id = customers.id and false returning customers.email, o.note
select * from generate_series(1, 3)
select * from generate_series(1, 3) g
select * from generate_series(1, 3) g(n)
select g from generate_series(1, 3) g
select g.g from generate_series(1, 3) g
select n, g.n from generate_series(1, 3) as g(n)
select * from unnest(array[1, 2]) with ordinality
select * from unnest(array[1, 2]) with ordinality as u(a, b)
select * from unnest(array['a']) u
select * from rows from (generate_series(1, 2), generate_series(3, 4)) as t
select * from rows from (generate_series(1, 2), generate_series(3, 4)) with ordinality as t(a, b, c)
select * from json_each('{"a": 1}')
select key, value from jsonb_each('{"a": 1}') e
select e.key from customers c, json_each(to_json(c)) e
select c.id, e.* from customers c, lateral json_each(row_to_json(c)) as e
select * from json_to_record('{"a": 1}') as x(a int, b text)
select x.a, x.b from jsonb_to_recordset('[]') as x(a int, b text)
select * from json_array_elements('[1]')
select * from json_array_elements('[1]') a
select * from jsonb_array_elements_text('["a"]') with ordinality as t(v, n)
select * from json_populate_record(null::customers, '{}')
select (json_populate_record(null::customers, '{}')).email
select (json_populate_record(null::customers, '{}')).*
select (jsonb_populate_record(c, '{}')).email from customers c
select * from regexp_matches('ab', '(a)(b)')
select regexp_matches(email, '(.)') from customers
select * from current_date
select * from current_date d
select * from lower('X')
select * from lower('X') as y
select * from secret(1)
select secret(1), secret(id) from customers
select touch()
select * from touch() t
select * from customers c, lateral (select c.email as le, o.note from orders o where o.customer_id = c.id) l
select c.id, l.* from customers c left join lateral (select c.email limit 1) l on true
select * from customers c cross join orders o
select * from customers c, orders o, payments p
select * from (customers c join orders o on o.customer_id = c.id) join payments p on p.order_id = o.id
select * from customers c join (orders o join payments p on p.order_id = o.id) on c.id = o.customer_id
select c, o from customers c join orders o on true
select (c).email, (o).note from customers c, orders o
select (array_agg(c))[1] from customers c
select (array_agg(c.email))[1], (array_agg(c.email))[1:2] from customers c
select tags[1], tags[1:2], body->'a', body->>'b', body#>>'{a}', (body->'a')::text from docs
select body['a'] from docs
select body @> '{}', tags && array['x'], d.id = any(array[1]), c.id in (1, 2), c.id between 1 and 2, email like 'x' from docs d, customers c
select email is null, email is not null, id = 1 is true, not (id = 1), id = 1 and id = 2 from customers
select email collate "C" from customers
select email::text collate "C" as x, (email) from customers
select -id, +id, @id, id + 1, id * 2 from customers
select distinct email from customers
select distinct on (city) city, email from customers order by city, id
select city, count(*) from customers group by city having count(*) > 1 order by 2
select city, name, grouping(city), count(*) from customers group by rollup (city, name)
select city, count(*) from customers group by grouping sets ((city), ())
select email from customers for update
select email from customers c for update of c skip locked
select email from customers order by email offset 1 rows fetch first 2 rows only
select email from customers order by id fetch first 2 rows with ties
select email from customers tablesample bernoulli (10)
select * from customers tablesample system (10) repeatable (1)
select x.* from xmltable('/a' passing xmlparse(content '<a b="1"/>') columns b int path '@b', n for ordinality) x
select b from docs, xmltable('/a' passing docs.x columns b text) t
select interval '1 day', date '2020-01-01', timestamp '2020-01-01', bool 't', int4 '1', '1'::int, point '(1,2)'
select 1::numeric(10, 2), '{1}'::int[], 'x'::"char", 'a'::name, 1::bigint, 1.0::float, 1::real, now()::timestamptz
select count(*) c, sum(total), avg(total) as a from orders
select percentile_cont(0.5) within group (order by total), mode() within group (order by status) from orders
select string_agg(e, ',') from (select email e from customers) s
select s.e || s.e from (select email e from customers) s
select c.email as "E Mail", c.name "Quoted ""Name" from customers c
select "email", "public"."customers"."phone" from "customers"
select U&"em\\0061il" from customers
select app.customers.email from app.customers
select a.email, b.email from app.customers a, public.customers b
select nextval('log_id_seq'), currval('log_id_seq')
select relname, oid from pg_class
select c.relname, n.nspname from pg_catalog.pg_class c left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
select * from pg_stats
select query from pg_stat_activity
select * from information_schema.columns
select setting from pg_settings where name = 'x'
select most_common_vals::text from pg_stats
select (select c.email), (select (select c.phone)) from customers c
select array(select row(c.email)) from customers c
select (row(c.id, c.email)).f2 from customers c
select (select c from customers c limit 1)
select ((select c from customers c limit 1)).email
select (s.c).email from (select c from customers c) s
select s.c from (select c from customers c) s
select (s.c).* from (select c from customers c union all select c from customers c) s
select x.e from (select (c).email as e from customers c) x
select t.* from customers c, lateral (values (c.email), (c.phone)) t(v)
select v from customers c, unnest(array[c.email, c.phone]) v
select u.email from customers c, unnest(array[c]) u
select * from customers c, unnest(array[c]) u
select * from unnest((select array_agg(c) from customers c))
select concat(c.*), concat_ws(',', variadic array[email, phone]), format('%s', email) from customers c
select md5(email), encode(convert_to(email, 'utf8'), 'hex'), length(email), ascii(email) from customers
select string_to_array(email, '@'), (string_to_array(email, '@'))[1], split_part(email, '@', 2) from customers
select jsonb_build_object('e', (select max(email) from customers))
select 1 as a union select 2 as b
select null union all select email from customers
select from customers
select 1 where false
select pg_typeof(email), to_char(created, 'YYYY') from customers
select generate_series(1, 2), email from customers
select (jsonb_each(to_jsonb(c))).* from customers c
select (jsonb_each(to_jsonb(c))).value from customers c
select jsonb_each(to_jsonb(c)) from customers c
select c.id from customers c where c.email = (select max(email) from customers) order by c.phone
explain select * from customers
show server_version
show all
show search_path
`
  .trim()
  .split("\n");

/** Only a newer server knows these. */
export const CORPUS_17: readonly string[] = `
select * from json_table('[{"a": 1}]', '$[*]' columns (n for ordinality, a int path '$.a', nested path '$.b' columns (c text path '$'))) t
select json_value('1', '$'), json_query('1', '$'), json_exists('1', '$'), json_scalar(1), json('1'), json_serialize('1')
select json_object('a': 1), json_array(1, 2), json_arrayagg(id), json_objectagg(id: email) from customers
select json_array(select email from customers)
merge into customers c using orders o on c.id = o.customer_id when matched then update set email = o.note returning *
merge into customers c using orders o on c.id = o.customer_id when matched then delete returning merge_action(), c.email, o.note
select email is json, any_value(phone) from customers group by 1
`
  .trim()
  .split("\n");

/** Only PostgreSQL 18 knows these. */
export const CORPUS_18: readonly string[] = `
update customers set email = 'x' where id = 1 returning old.email, new.email, old.*, new.id
update customers set email = 'x' where id = 1 returning with (old as o, new as n) o.email, n.email, email
delete from customers where id = 1 returning old.*, new.email
insert into log(what) values ('x') returning new.what, old.what
select uuidv7(), array_sort(array[2, 1])
`
  .trim()
  .split("\n");
