import { type Shown, shows } from "./bypass.fixture.js";

/** Whole rows, documents and trees that hold a labelled column: the manual's 8.13 to 8.16 and 9.15 to 9.17. */
export const SHOWN_ROWS: readonly Shown[] = [
  ...shows("a row (8.16)", {
    "as JSON, text and itself": {
      sql: "select row_to_json(c), to_json(c), c::text, c from customers c",
      masked: [0, 1, 2, 3],
    },
    "its field, and all fields": { sql: "select (c).email, (c).* from customers c", masked: [0, 3] },
    "a field as a function": "select email(c) from customers c",
    "a field as a column": "select c.email from (select c from customers c) s, lateral (select (s.c).email) c",
    "of a subquery": "select s from (select email from customers) s",
    "of a subquery, its field": "select (s).e from (select email e from customers) s",
    "as a column of a subquery": "select t.e from (select c as e from customers c) t",
    "as a column, its field": "select (t.e).email from (select c as e from customers c) t",
    "its field in a subquery": "select (select (t).email) from customers t",
    "of a view, its field": "select (c).mail from contacts c",
    "a scalar subquery of it": "select coalesce((select c from customers c limit 1)::text, '')",
    "a scalar subquery's field": "select ((select c from customers c where id = 1)).email",
    "in an array": "select (array_agg(c))[1].email from customers c",
    "out of an array": "select u.email from customers c, unnest(array[c]) u",
    "out of an aggregate": {
      sql: "select u.* from (select array_agg(c) a from customers c) s, unnest(s.a) u",
      masked: [2],
    },
    "compared for its text": "select greatest(row(email, 1)::text, '') from customers",
    built: { sql: "select row(c.*), row(c.email, 1), (c.id, c.email) from customers c", masked: [0, 1, 2] },
    "built, its field": "select (row(c.id, c.email)).f2 from customers c",
    "as another table's": "select (c::text::app_customer).email from (select id, email from customers) c",
    "cast to a row type of one's own": "select (row(email, phone)::pair).a from customers",
    "a row by its own text": "select record_out(c) from customers c",
    "a row type's first field": "select (pair(c)).a from (select row(email, phone)::pair as pair from customers) c",
    "by its table's system name": "select customers from customers",
    "whole, in a CASE": "select case when true then c end from customers c",
    "whole, in COALESCE": "select (coalesce(c, c)).email from customers c",
    "whole, the largest": "select max(c::text) from customers c",
    "whole, in a VALUES": "select (v.r).email from customers c, lateral (values (c)) v(r)",
    "whole, distinct": "select distinct c from customers c",
    "whole, grouped": "select c from customers c group by c",
    "whole, in a UNION": "select (u.c).email from (select c from customers c union all select c from customers c) u",
    "whole, through json_populate_record":
      "select (json_populate_record(null::customers, to_json(c))).email from customers c",
    "whole, to another's type":
      "select (json_populate_record(null::app.customers, row_to_json(c))).email from customers c",
    "whole, its fields given to another": "select (jsonb_populate_record(c, '{}')).email from customers c",
    "whole, to a set": {
      sql: "select * from json_populate_recordset(null::customers, (select json_agg(c) from customers c))",
      masked: [2],
    },
    "whole, hashed": {
      sql: "select hash_record(c) from customers c",
      blunt: "a digest does not show the value itself",
    },
  }),
  ...shows("JSON (9.16)", {
    built: {
      sql: "select json_build_object('a', email), jsonb_build_object('b', c.*), format('%s', email), concat(c.*) from customers c",
      masked: [0, 1, 2, 3],
    },
    "built as arrays": { sql: "select json_build_array(email), jsonb_build_array(c) from customers c", masked: [0, 1] },
    "as a key": "select json_build_object(email, 1) from customers",
    "of two arrays": {
      sql: "select json_object(array['a'], array[email::text]), json_object(array[email::text, 'x']) from customers",
      masked: [0, 1],
    },
    "as text, quoted": {
      sql: "select to_json(email), to_jsonb(email), to_json(email)#>>'{}' from customers",
      masked: [0, 1, 2],
    },
    "a field taken": {
      sql: "select jsonb_pretty(to_jsonb(c)), to_jsonb(c)->'email', to_jsonb(c)->>'email' from customers c",
      masked: [0, 1, 2],
    },
    "a path taken": {
      sql: "select to_jsonb(c)#>'{email}', to_json(c)#>>'{email}', json_extract_path_text(to_json(c), 'email') from customers c",
      masked: [0, 1, 2],
    },
    "a subscript": "select (to_jsonb(c))['email'] from customers c",
    "each pair": { sql: "select key, value from customers c, json_each(row_to_json(c))", masked: [0, 1] },
    "each pair, as text": {
      sql: "select * from (select id from customers) i, lateral (select * from json_each_text((select to_json(c) from customers c where c.id = i.id))) l",
      masked: [1, 2],
    },
    "each pair, in a select list": "select jsonb_each_text(to_jsonb(c)) from customers c",
    "each pair, a field of it": "select (jsonb_each(to_jsonb(c))).value from customers c",
    "each pair, all fields of it": { sql: "select (jsonb_each(to_jsonb(c))).* from customers c", masked: [0, 1] },
    "by its keys": {
      sql: "select k, to_jsonb(c) -> k from customers c, jsonb_object_keys(to_jsonb(c)) k",
      masked: [1],
    },
    elements: "select jsonb_array_elements_text(jsonb_agg(email)) from customers",
    "elements, in FROM": {
      sql: "select e from (select json_agg(email) a from customers) s, json_array_elements(s.a) with ordinality t(e, n)",
    },
    records: "select * from json_to_recordset((select json_agg(c) from customers c)) as x(email text)",
    "a record": "select r.email from customers c, json_to_record(to_json(c)) as r(email text)",
    set: {
      sql: `select jsonb_set('{"a": 1}', '{a}', to_jsonb(email)), jsonb_insert('[]', '{0}', to_jsonb(email)) from customers`,
      masked: [0, 1],
    },
    "set, laxly": `select jsonb_set_lax('{"a": 1}', '{a}', to_jsonb(email)) from customers`,
    "joined and less": {
      sql: "select to_jsonb(c) || '{}', to_jsonb(c) - 'id', to_jsonb(c) #- '{id}' from customers c",
      masked: [0, 1, 2],
    },
    "without nulls": "select jsonb_strip_nulls(to_jsonb(c)) from customers c",
    "a path's query": {
      sql: "select jsonb_path_query(to_jsonb(c), '$.email'), jsonb_path_query_array(to_jsonb(c), '$.*') from customers c",
      masked: [0, 1],
    },
    "a path's first": "select jsonb_path_query_first(to_jsonb(c), '$.email') from customers c",
    "a path's variable": "select jsonb_path_query('1', '$x', jsonb_build_object('x', email)) from customers",
    "a path's test": {
      sql: `select jsonb_path_exists(to_jsonb(c), '$.email ? (@ starts with "z")'), to_jsonb(c) @? '$.email', to_jsonb(c) @@ '$.id == 1' from customers c`,
      masked: [0, 1, 2],
      blunt: "a yes or no does not show the value itself",
    },
    contained: {
      sql: `select to_jsonb(c) @> '{"email": "x"}', to_jsonb(c) ? 'email' from customers c`,
      masked: [0, 1],
      blunt: "a yes or no does not show the value itself",
    },
    aggregated: {
      sql: "select json_agg(email), jsonb_agg(email), json_object_agg(id, email), jsonb_object_agg(email, id) from customers",
      masked: [0, 1, 2, 3],
    },
    "aggregated, of rows": "select jsonb_agg(to_jsonb(c) - 'id') from customers c",
    "as the standard builds it": {
      sql: "select json_object('a': email), json_array(email) from customers",
      since: 16,
      masked: [0, 1],
    },
    "as the standard aggregates it": {
      sql: "select json_arrayagg(email), json_objectagg(id: email) from customers",
      since: 16,
      masked: [0, 1],
    },
    "as the standard reads it": {
      sql: "select json_value(to_jsonb(c), '$.email'), json_query(to_jsonb(c), '$.email'), json_serialize(to_json(c)), json_scalar(email) from customers c",
      since: 17,
      masked: [0, 1, 2, 3],
    },
    "as the standard reads it, by default": {
      sql: "select json_value('{}', '$.a' default email on empty) from customers",
      since: 17,
      blunt: "a default is a constant",
    },
    "as the standard reads it, PASSING": {
      sql: "select json_query('1', '$x' passing email as x) from customers",
      since: 17,
    },
    JSON_TABLE: {
      sql: "select t.v from customers c, json_table(to_jsonb(c), '$' columns (v text path '$.email')) t",
      since: 17,
    },
    "JSON_TABLE, nested": {
      sql: "select t.* from customers c, json_table(jsonb_build_array(to_jsonb(c)), '$[*]' columns (n for ordinality, nested path '$.email' columns (v text path '$'))) t",
      since: 17,
      masked: [1],
    },
    "an array of a subquery": { sql: "select json_array(select email from customers)", since: 16 },
  }),
  ...shows("XML (9.15)", {
    built: {
      sql: "select xmlelement(name a, email), xmlforest(email), xmlagg(xmlelement(name b, xmlattributes(email))) from customers group by email",
      masked: [0, 1, 2],
    },
    "an attribute": "select xmlelement(name a, xmlattributes(email)) from customers",
    joined: "select xmlconcat(xmlelement(name a, email), '<b/>') from customers",
    "a comment": "select xmlcomment(email) from customers",
    "a processing instruction": "select xmlpi(name php, email) from customers",
    "parsed and serialized": {
      sql: "select xmlserialize(content xmlelement(name a, email) as text), xmlparse(content email) from customers",
      masked: [0, 1],
    },
    "a root": "select xmlroot(xmlelement(name a, email), version '1.0') from customers",
    "a path": "select xpath('/a/text()', xmlelement(name a, email)) from customers",
    "a path's test": {
      sql: "select xpath_exists('/a', xmlelement(name a, email)), xmlexists('//a' passing xmlelement(name a, email)) from customers",
      masked: [0, 1],
      blunt: "a yes or no does not show the value itself",
    },
    "as a table":
      "select b from customers c, xmltable('/a' passing xmlelement(name a, c.email) columns b text path '.') t",
    "as a table, by default":
      "select b from customers c, xmltable('/a' passing xmlelement(name a) columns b text path 'x' default c.email) t",
    "of a query": "select query_to_xml('select email from customers', true, true, '')",
    "of a query and its schema": "select query_to_xml_and_xmlschema('select email from customers', true, true, '')",
    "of a table": "select table_to_xml('customers', true, true, '')",
    "of a schema": "select schema_to_xml('public', true, true, '')",
    "of the database": "select database_to_xml(true, true, '')",
    "of a cursor": [
      "begin; declare c cursor for select email from customers",
      "select cursor_to_xml('c', 9, true, true, '')",
    ],
  }),
  ...shows("functions in FROM that give more columns than they seem to", {
    "several arrays, USING":
      "select b from unnest(array['x'], array(select name || '|' || email from customers)) as u(a, b) left join (select ''::text as b where false) s using (b)",
    "several arrays, NATURAL": {
      sql: "select * from unnest(array(select email from customers), array(select 'k' from customers)) as u(a, b) natural join (select 'k'::text as b) s",
      masked: [1],
    },
    "several arrays, an outer name":
      "select (select b from unnest(array['x'], array[email]) as u(a, b)) from (select email from customers) c, (select 'z'::text as b) t",
    "ROWS FROM of several arrays":
      "select b from rows from (unnest(array['x'], array(select email from customers)), unnest(array['y'])) as u(a, b, c)",
    "a row of the server's own type":
      "select (select description from json_populate_record(null::pg_description, json_build_object('description', email))) from (select email from customers) c, (select 'z'::text as description) t",
    "a row whose type is put together":
      "select (select description from json_populate_record(coalesce(null::pg_description), json_build_object('description', email))) from (select email from customers) c, (select 'z'::text as description) t",
    "a text search vector":
      "select (select lexeme from unnest(array_to_tsvector(array[email])) u) from (select email from customers) c, (select 'z'::text as lexeme) t",
    "a text that is taken for a vector":
      "select d from (select * from unnest('a:1'::tsvector) u, customers) s(a, b, c, x, y, d)",
    "COPY of it":
      "copy (select b from unnest(array['x'], array(select email from customers)) as u(a, b) left join (select ''::text as b where false) s using (b)) to stdout",
  }),
  ...shows("a field named as a table's own columns", {
    "of a row": {
      sql: "select (json_populate_record(null::pg_replication_slots, json_build_object('xmin', ascii(substr(email, 1, 1))))).xmin from customers",
      blunt: "a number does not show the value itself",
    },
    "of a row in FROM": {
      sql: "select xmin from (select email from customers) c, json_populate_record(null::pg_replication_slots, json_build_object('xmin', ascii(substr(email, 1, 1))))",
      blunt: "a number does not show the value itself",
    },
  }),
  ...shows("a window by name", {
    "that looks at it": {
      sql: "select count(*) over w from customers window w as (order by email)",
      blunt: "a rank does not show the value itself",
    },
  }),
];
