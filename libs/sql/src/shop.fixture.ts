import type { Catalog, SqlContext } from "./catalog.js";
import { catalogFromRows } from "./catalog-loader.js";
import type { CatalogRows } from "./catalog-queries.js";

/** The database of the tests: as SQL for a server, and (below) as the catalog a server would give of it. */
export const SHOP_SQL = `
  create table public.customers (
    id int primary key, name text not null, email text, phone text, card text, city text default 'x', created timestamptz default now());
  create table public.orders (
    id int primary key, customer_id int, total numeric, note text, status text);
  create table public.payments (id int primary key, order_id int, card text, amount numeric);
  create table public.log (id serial primary key, what text, at timestamptz default now());
  create table public.events (id int, email text, day date) partition by range (day);
  create table public.events_2024 partition of public.events for values from ('2024-01-01') to ('2025-01-01');
  create table public.people (id int, name text, ssn text);
  create table public.employees (salary numeric) inherits (public.people);
  create table public.docs (id int, body jsonb, tags text[], x xml, twice int generated always as (1) stored);
  create view public.contacts as select c.id, c.name, c.email as mail, lower(c.email) as folded from public.customers c;
  create view public.big_orders as select o.*, v.mail from public.orders o join public.contacts v on v.id = o.customer_id;
  create materialized view public.contact_list as select name, email from public.customers;
  create function public.secret(int) returns text language sql stable as 'select email from public.customers where id = $1';
  create function public.touch() returns int language plpgsql volatile as $$ begin execute 'select 1'; return 1; end $$;
  create procedure public.tidy(int) language sql as 'select 1';
  create table public.accounts (iban text primary key, holder text);
  create table public.transfers (
    id int primary key, iban text references public.accounts (iban), back text references public.accounts (iban));
  create schema app;
  create table app.customers (id int, email text);
`;

type Kind = "r" | "p" | "v" | "m";

let nextOid = 20_000;
const relations: CatalogRows["relations"][number][] = [];
const columns: CatalogRows["columns"][number][] = [];
const oids = new Map<string, string>();

function relation(
  schema: string,
  name: string,
  list: string,
  kind: Kind = "r",
  definition: string | null = null,
): void {
  const oid = String(nextOid++);
  oids.set(`${schema}.${name}`, oid);
  relations.push({ oid, schema, name, kind, type: String(nextOid++), definition, rules: false });
  for (const [i, column] of list.split(" ").entries()) {
    const generated = column.endsWith("*");
    const notNull = column.endsWith("!");
    const columnName = column.replace(/[!*]$/, "");
    columns.push({
      relation: oid,
      attnum: i + 1,
      name: columnName,
      type: "25",
      notNull,
      generatedFrom: generated ? [] : null,
    });
  }
}

relation("public", "customers", "id! name! email phone card city created");
relation("public", "orders", "id! customer_id total note status");
relation("public", "payments", "id! order_id card amount");
relation("public", "log", "id! what at");
relation("public", "events", "id email day", "p");
relation("public", "events_2024", "id email day");
relation("public", "people", "id name ssn");
relation("public", "employees", "id name ssn salary");
relation("public", "docs", "id body tags x twice*");
relation(
  "public",
  "contacts",
  "id name mail folded",
  "v",
  "select c.id, c.name, c.email as mail, lower(c.email) as folded from public.customers c",
);
relation(
  "public",
  "big_orders",
  "id customer_id total note status mail",
  "v",
  "select o.id, o.customer_id, o.total, o.note, o.status, v.mail from (public.orders o join public.contacts v on ((v.id = o.customer_id)))",
);
relation("public", "contact_list", "name email", "m", "select customers.name, customers.email from public.customers");
relation("public", "lost", "a b", "v", "select from where");
relation("public", "accounts", "iban! holder");
relation("public", "transfers", "id! iban back");
relation("app", "customers", "id email");
relation("pg_catalog", "pg_class", "oid relname relnamespace relkind");
relation("pg_catalog", "pg_namespace", "oid nspname");
relation("pg_catalog", "pg_stats", "schemaname tablename attname most_common_vals", "v");
relation("pg_catalog", "pg_stat_activity", "pid query", "v");
relation("pg_catalog", "pg_settings", "name setting", "v");

const SETS: ReadonlySet<string> = new Set(
  "unnest regexp_matches regexp_split_to_table generate_series json_each jsonb_each jsonb_object_keys dblink crosstab".split(
    " ",
  ),
);
const functions: CatalogRows["functions"][number][] = [];
function routine(
  schema: string,
  names: string,
  volatility: string,
  more: Partial<CatalogRows["functions"][number]> = {},
): void {
  for (const name of names.split(" ")) {
    functions.push({
      oid: String(nextOid++),
      schema,
      name,
      kind: "f",
      volatility,
      language: "internal",
      userDefined: schema !== "pg_catalog",
      returnsSet: SETS.has(name),
      argumentCount: 1,
      outs: null,
      rowOf: null,
      pseudo: null,
      returns: "25",
      definer: null,
      readable: true,
      body: null,
      inputs: null,
      arguments: null,
      defaults: null,
      settings: null,
      digest: null,
      ...more,
    });
  }
}
routine(
  "pg_catalog",
  `lower upper substr substring length md5 coalesce concat format left to_json to_jsonb row_to_json jsonb_build_object
  json_build_object array_to_string string_to_array xmlforest date_trunc abs replace reverse encode decode convert_to int4 text
  regexp_replace regexp_matches generate_series jsonb_agg json_agg string_agg count sum min max avg xmlagg
  row_number lag lead first_value rank now current_setting pg_get_viewdef pg_table_is_visible to_regclass btrim position
  jsonb_pretty jsonb_object_agg version like_escape similar_to_escape to_char hashtext octet_length bool_or bool_and query_to_xmlschema
  starts_with ascii chr to_tsvector to_tsquery repeat sqrt regexp_split_to_table quote_literal`.replace(/\s+/g, " "),
  "i",
);
routine("pg_catalog", "unnest jsonb_populate_record json_populate_record", "i", { pseudo: "anyelement" });
routine("pg_catalog", "array_agg", "i", { pseudo: "anyarray" });
routine("pg_catalog", "jsonb_each json_each", "i", { outs: ["key", "value"] });
routine(
  "pg_catalog",
  "nextval setval currval pg_notify set_config pg_read_file pg_terminate_backend lo_import lo_export lo_get query_to_xml ts_stat pg_sleep random gen_random_uuid pg_advisory_lock pg_ls_dir pg_reload_conf",
  "v",
);
routine("pg_catalog", "table_to_xml database_to_xml schema_to_xml", "s");
routine("public", "secret", "s", { language: "sql", body: "select email from public.customers where id = $1" });
routine("public", "touch", "v", { language: "plpgsql" });
routine("public", "crypt similarity", "i", { language: "c" });
routine("public", "uuid_generate_v4", "v", { language: "c" });
routine("public", "dblink", "v", { language: "c", pseudo: "record" });
routine("public", "crosstab", "s", { language: "c", pseudo: "record" });
routine("public", "tidy", "v", { language: "sql", kind: "p" });

export const SHOP_ROWS: CatalogRows = {
  schemas: ["public", "app", "pg_catalog"].map((name) => ({ name, usable: true })),
  relations,
  columns,
  functions,
  inheritance: [
    { child: oids.get("public.events_2024")!, parent: oids.get("public.events")! },
    { child: oids.get("public.employees")!, parent: oids.get("public.people")! },
  ],
  uniques: ["customers", "orders", "payments", "log", "accounts", "transfers"].map((table) => ({
    relation: oids.get(`public.${table}`)!,
    attnum: 1,
    alone: true,
  })),
  foreignKeys: [2, 3].map((attnum) => ({
    relation: oids.get("public.transfers")!,
    attnum,
    otherRelation: oids.get("public.accounts")!,
    otherAttnum: 1,
  })),
  domains: [],
  operators: [],
  triggers: [],
  attached: [],
  typeFunctions: [],
  references: [],
  declared: [],
  everywhere: [],
};

export const SHOP: Catalog = catalogFromRows("shop", SHOP_ROWS);

export const SHOP_CONTEXT: SqlContext = { catalog: SHOP, searchPath: ["public"] };
