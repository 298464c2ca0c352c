import { type Shown, shows } from "./bypass.fixture.js";

/** Queries within queries, writes that return, relations that stand for others: the manual's chapters 5 to 7. */
export const SHOWN_QUERIES: readonly Shown[] = [
  ...shows("a subquery (7.2)", {
    "under another name": "select e from (select email e from customers) s",
    "its star": { sql: "select s.* from (select id, email e from customers) s", masked: [1], clear: [0] },
    "its columns renamed": "select a from (select email from customers) s(a)",
    "three deep": "select c from (select b as c from (select a as b from (select email as a from customers) x) y) z",
    "in parentheses": "(((select email from customers)))",
    LATERAL: "select x from customers c cross join lateral (select c.email as x) l",
    "LATERAL, left": "select l.x from customers c left join lateral (select c.email as x) l on true",
    "LATERAL of VALUES": "select v from customers c, lateral (values (c.email), (c.phone)) t(v)",
    "LATERAL of a function": "select v from customers c, lateral upper(c.email) v",
    "LATERAL, its star": { sql: "select * from people p, lateral (select p.ssn) l", masked: [2, 3] },
    VALUES: "values ((select email from customers limit 1))",
    "VALUES in FROM": "select * from (values ((select max(email) from customers), 1)) v(a, b)",
    "by its column number": "select column1 from (values ((select max(email) from customers))) v",
    "in an IN's left": {
      sql: "select (select max(email) from customers) in ('a')",
      blunt: "a yes or no does not show the value itself",
    },
    "offset nothing": "select e from (select email e from customers offset 0) s",
    "ORDER BY what is shown": {
      sql: "select name from customers order by email",
      masked: [],
      clear: [0],
      blunt: "an order does not show the value itself",
    },
  }),
  ...shows("set operations (7.4)", {
    "the second's values": { sql: "select id::text from customers union select phone from customers" },
    "the second's values, of another type": { sql: "select id from customers union select phone::int from customers" },
    "a constant first": "select 'x' union all select email from customers",
    "what is left of another": {
      sql: "select name from customers except select email from customers",
      blunt: "what is left are names",
    },
    "what both have": "select email from customers intersect select email from customers",
    "in parentheses": "(select 'x' union all (select email from customers)) order by 1",
    "a star": {
      sql: "select id, name, email from customers union all select * from (select 1, 'a', 'b') s",
      masked: [2],
    },
    "by position": { sql: "select 1, 'a'::text union all select id, email from customers", masked: [1], clear: [0] },
    "of VALUES": "values ('a') union all select email from customers",
    "of TABLE": { sql: "select * from (table customers union all table customers) t", masked: [2, 3, 4] },
    "corresponding to nothing": "select null union all select email from customers",
    "in a WITH": "with u(a) as (select 'x' union select email from customers) select a from u",
  }),
  ...shows("WITH (7.8)", {
    "under another name": "with x as (select email e from customers) select e from x",
    "its columns renamed": "with x(y) as (select email from customers) select y from x",
    "of a table's own name": {
      sql: "with customers as (select 1 as email) select email from customers",
      masked: [],
      clear: [0],
      blunt: "it is no labelled value",
    },
    "in a WITH": "with x as (with y as (select email from customers) select * from y) select * from x",
    "MATERIALIZED and not": {
      sql: "with x as materialized (select email from customers), y as not materialized (select * from x) table y",
    },
    "RECURSIVE, the later first":
      "with recursive a as (select * from b), b as (select email from customers) select * from a",
    "RECURSIVE, columns that change places":
      "with recursive x(a, b, n) as (select '', email::text, 1 from customers union all select b, a, n + 1 from x where n < 3) select a from x",
    "RECURSIVE, columns that change places twice":
      "with recursive x(a, b, c, n) as (select '', '', email::text, 1 from customers union all select b, c, a, n + 1 from x where n < 4) select a from x",
    "RECURSIVE, carried along":
      "with recursive r(e, n) as (select email, 1 from customers union all select e, n + 1 from r where n < 2) select e from r",
    "RECURSIVE, letter by letter":
      "with recursive r(s, i) as (select '', 1 union all select s || (select substr(email, i, 1) from customers where id = 1), i + 1 from r where i < 9) select s from r",
    "SEARCH, its column": {
      sql: "with recursive x as (select id, email from customers union all select id, email from x where false) search depth first by email set ord select ord from x",
    },
    "SEARCH BREADTH, its column":
      "with recursive x as (select id, email from customers union all select id, email from x where false) search breadth first by email set ord select ord from x",
    "CYCLE, its path":
      "with recursive x as (select id, email from customers union all select id, email from x where false) cycle email set looped using path select path from x",
    "CYCLE, its marks": {
      sql: "with recursive x as (select id, email from customers union all select id, email from x where false) cycle id set looped to 'y' default 'n' using path select looped, email from x",
      masked: [1],
    },
    "of a DELETE": "with d as (delete from customers where id = 1 returning email) select email from d",
    "of an UPDATE":
      "with u as (update customers set name = name where id = 1 returning email as e) select upper(e) from u",
    "of an INSERT that copies":
      "with i as (insert into customers (id, name, email) select 900, name, email from customers where id = 1 returning email) table i",
    "of a DELETE, counted on":
      "with d as (delete from customers where id < 3 returning *) select string_agg(email, ',') from d",
  }),
  ...shows("joins (7.2.1)", {
    "beside another": {
      sql: "select c.email, o.note from customers c join orders o on o.customer_id = c.id",
      masked: [0],
      clear: [1],
    },
    "USING, merged with a constant": {
      sql: "select email from customers c left join (select 'x' as email) s using (email)",
    },
    "NATURAL, its star": { sql: "select * from customers natural left join app.customers a", masked: [1] },
    "USING, by its alias": "select j.email from customers left join app.customers a using (email) as j",
    "FULL, merged": "select email from customers full join app.customers a using (email)",
    "RIGHT, the other side": "select c.email from app.customers a right join customers c on a.id = c.id",
    "a join's alias": { sql: "select j.* from (customers c cross join payments p) as j", masked: [2, 3, 4] },
    "a join's alias, its columns": "select j.c3 from (customers c cross join payments p) as j(c1, c2, c3)",
    "with itself": "select b.email from customers a join customers b on a.id = b.id",
    "with a function": "select f from customers c join lateral lower(c.email) f on true",
  }),
  ...shows("RETURNING (6.4)", {
    "of a rule that gives something else": "insert into taken values (1, 'x') returning lower(note)",
    "of a trigger that is run instead": "insert into handed values (1, 'x') returning note || ''",
    "of a DELETE": { sql: "delete from customers where id = 1 returning *", masked: [2] },
    "of an UPDATE, under another name": "update customers set name = name where id = 1 returning email as name",
    "of an UPDATE, changed": {
      sql: "update customers set name = 'x' where id = 1 returning upper(email), customers.*",
      masked: [0, 3],
    },
    "of an UPDATE, of the table it is FROM":
      "update orders set note = 'x' from customers c where c.id = orders.id returning c.email",
    "of a DELETE USING": "delete from orders using customers c where c.id = orders.id returning c.email",
    "of an INSERT that copies": { sql: "insert into log(what) select email from customers returning what" },
    "of an UPDATE that copies": "update log set what = email from customers where log.id = customers.id returning what",
    "of a conflict that copies":
      "insert into customers(id, name) values (1, 'x') on conflict (id) do update set name = customers.email returning name",
    "of a conflict": {
      sql: "insert into customers (id, name) values (1, 'x') on conflict (id) do update set name = 'x' returning email, lower(email)",
      masked: [0, 1],
    },
    "of a row": "update customers set name = name where id = 1 returning customers",
    "of a row's JSON": "delete from customers where id = 1 returning to_json(customers)",
    "of a subquery": "insert into log(what) values ('x') returning (select max(email) from customers)",
    "of an INSERT with columns of another's star": {
      sql: "insert into customers select c.id + 50, c.name, c.email from customers c where id = 1 returning *",
      masked: [2],
    },
    "old and new": {
      sql: "update customers set name = 'x' where id = 1 returning old.email, new.email",
      since: 18,
      masked: [0, 1],
    },
    "old and new, renamed": {
      sql: "delete from customers where id = 1 returning with (old as o) o.email, o",
      since: 18,
      masked: [0, 1],
    },
    "old of a conflict": {
      sql: "insert into customers (id, name) values (1, 'x') on conflict (id) do update set name = 'y' returning old.*",
      since: 18,
      masked: [2],
    },
    "of a MERGE that copies": {
      sql: "merge into log l using customers c on l.id = c.id when matched then update set what = c.email returning l.what",
      since: 17,
    },
    "of a MERGE that inserts": {
      sql: "merge into log l using customers c on l.id = c.id + 100 when not matched then insert (id, what) values (c.id + 200, c.phone) returning what",
      since: 17,
    },
    "of a MERGE's source": {
      sql: "merge into log l using customers c on l.id = c.id when matched then delete returning merge_action(), c.email",
      since: 17,
      masked: [1],
    },
    "old and new of a MERGE, in a WITH": {
      sql: "with m as (merge into customers c using orders o on c.id = o.id and c.id = 1 when matched then update set name = 'x' returning merge_action() as a, old.email as e) select a, a || e from m",
      since: 18,
      masked: [1],
    },
  }),
  ...shows("a relation that stands for another", {
    "a view": "select mail from contacts",
    "a view's expression": { sql: "select folded, id from contacts", masked: [0], clear: [1] },
    "a view over a view": "select mail from big_orders",
    "a view, its star": { sql: "select * from contacts c", masked: [2, 3], clear: [0, 1] },
    "a view, in an expression": { sql: "select mail || '', upper(folded) from contacts", masked: [0, 1] },
    "a materialized view": "select email from contact_list",
    "a materialized view, in an expression": "select lower(email) from contact_list",
    "a view whose definition cannot be read": { sql: "select a from lost", blunt: "the server has no such view" },
    "a partitioned table": "select email from events",
    "a partition": "select email from events_2024",
    "a partition, in an expression": "select upper(email) from events_2024",
    "a child": "select ssn from employees",
    "a child, in an expression": "select ssn || '' from employees",
    "a parent's ONLY": "select ssn || '' from only people",
    "a parent's star": { sql: "select * from people *", masked: [2] },
    "a temporary view": { sql: ["create temp view tv as select email as x from customers", "select upper(x) from tv"] },
    "one nobody knows": { sql: "select nobody_knows from not_in_catalog", blunt: "the server has no such table" },
    "one nobody knows, beside one": {
      sql: "select n.*, c.id from not_in_catalog n, customers c",
      masked: [0, 1],
      blunt: "the server has no such table",
    },
    "a function": { sql: "select secret(1), (secret(1)) || ''", masked: [0, 1] },
    "a function in FROM": "select * from secret(1)",
    "a function in a row": "select (row(secret(1))).f1",
    "a function that says it is immutable": "select immutable_secret(1)",
    "an operator": "select 1 <@@> 2",
    "an operator, by its full name": "select 1 operator(public.<@@>) 2",
    "an aggregate that looks": "select peeked(id) from orders",
    "a table function's columns": { sql: "select * from secrets()", masked: [1] },
    "a function with a named argument": "select named_mail(1)",
    "a field of what a function gives": "select (secrets()).mail",
    "a table function as a row": "select s from secrets() s",
    "a cast with a function": "select (1::marker)::text",
    "a table function's column": "select s.mail from secrets() s",
    "a function with an OUT argument": "select secret_out()",
    "a domain's value": "select mail_of(1)",
    "a function called by its field": "select c.shown from customers c",
    "a variadic function": "select joined(email, phone) from customers",
    "a function's default argument": "select with_default()",
    "a sequence of another's": {
      sql: "select * from log_id_seq",
      masked: [],
      clear: [0],
      blunt: "it is no labelled value",
    },
  }),
];
