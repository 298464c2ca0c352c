import type { Catalog, Relation, RelationKind, RoutineFacts } from "./catalog.js";

/** The searched schemas of a fresh session, one text array. */
export const SEARCH_PATH_QUERY = "select pg_catalog.current_schemas(false)::pg_catalog.text[] as path";

/** What to ask the server, in this order and in one transaction, for one moment's answers; each row is one thing. */
export const CATALOG_QUERIES = {
  // Views spell their names out only where no path would find them. Ends with the transaction.
  settings: "select pg_catalog.set_config('search_path', 'pg_catalog', true)",
  relations: `
    select c.oid::int8::text as oid, n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind,
           c.reltype::int8::text as type,
           case when c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
             then pg_catalog.pg_get_viewdef(c.oid) end as definition,
           exists (select 1 from pg_catalog.pg_rewrite r where r.ev_class = c.oid and r.rulename <> '_RETURN') as rules
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
       and n.nspname not like 'pg\\_temp\\_%' and n.nspname not like 'pg\\_toast%'`,
  columns: `
    select a.attrelid::int8::text as relation, a.attnum::int4 as attnum, a.attname::text as name,
           a.atttypid::int8::text as type, a.attnotnull as "notNull",
           a.attgenerated::text <> '' as generated
      from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
       and n.nspname not like 'pg\\_temp\\_%' and n.nspname not like 'pg\\_toast%'
     order by a.attrelid, a.attnum`,
  inheritance: `
    select inhrelid::int8::text as child, inhparent::int8::text as parent from pg_catalog.pg_inherits`,
  functions: `
    select p.oid::int8::text as oid, n.nspname::text as schema, p.proname::text as name, p.prokind::text as kind,
           p.provolatile::text as volatility, l.lanname::text as language,
           p.oid >= 16384 as "userDefined", p.pronargs::int4 as "argumentCount",
           case when p.proallargtypes is null then null else
             (select pg_catalog.array_agg(coalesce(p.proargnames[i], '')::pg_catalog.text order by i)
                from pg_catalog.generate_subscripts(p.proargmodes, 1) i where p.proargmodes[i] in ('o', 'b', 't')) end as outs,
           case when t.typtype = 'c' then t.typrelid::int8::text end as "rowOf",
           case when t.typtype = 'p' then t.typname::text end as pseudo
      from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang join pg_catalog.pg_type t on t.oid = p.prorettype`,
  domains: `
    select oid::int8::text as oid, typbasetype::int8::text as base from pg_catalog.pg_type where typtype = 'd'`,
  operators: `
    select o.oprname::text as name, o.oprcode::int8::text as function
      from pg_catalog.pg_operator o where o.oid >= 16384 and o.oprcode <> 0`,
} as const;

export interface CatalogRows {
  readonly relations: readonly {
    oid: string;
    schema: string;
    name: string;
    kind: string;
    type: string;
    definition: string | null;
    rules: boolean;
  }[];
  readonly columns: readonly {
    relation: string;
    attnum: number;
    name: string;
    type: string;
    notNull: boolean;
    generated: boolean;
  }[];
  readonly inheritance: readonly { child: string; parent: string }[];
  readonly functions: readonly {
    oid: string;
    schema: string;
    name: string;
    kind: string;
    volatility: string;
    language: string;
    userDefined: boolean;
    argumentCount: number;
    outs: readonly string[] | null;
    rowOf: string | null;
    /** The pseudo-type it returns. */
    pseudo: string | null;
  }[];
  readonly domains: readonly { oid: string; base: string }[];
  readonly operators: readonly { name: string; function: string }[];
}

const RELATION_KINDS: Readonly<Record<string, RelationKind>> = {
  r: "table",
  p: "partitioned",
  v: "view",
  m: "materialized",
  f: "foreign",
  S: "sequence",
  c: "composite",
};
const VOLATILITIES = { i: "immutable", s: "stable" } as Readonly<Record<string, RoutineFacts["volatility"]>>;
const ROUTINE_KINDS = { p: "procedure", a: "aggregate", w: "window" } as Readonly<Record<string, RoutineFacts["kind"]>>;

const POLYMORPHIC: ReadonlySet<string> = new Set(["anyelement", "anyarray", "anycompatible", "anycompatiblearray"]);

/**
 * A catalog of what the queries gave.
 * @throws Error where a row refers to a kind that no supported server (15 to 18) has.
 */
export function catalogFromRows(version: string, rows: CatalogRows): Catalog {
  const relations = new Map<number, Relation>();
  const byType = new Map<number, Relation>();
  const byName = new Map<string, Relation>();
  const columns = new Map<string, CatalogRows["columns"][number][]>();
  for (const column of rows.columns) {
    const list = columns.get(column.relation);
    if (list) list.push(column);
    else columns.set(column.relation, [column]);
  }
  const domains = new Map(rows.domains.map((d) => [d.oid, d.base]));
  // RowDescription never names a domain, always the type beneath.
  const baseType = (oid: string): number => {
    for (let base = domains.get(oid); base !== undefined; base = domains.get(oid)) oid = base;
    return Number(oid);
  };
  const families = familiesOf(rows.inheritance);
  for (const row of rows.relations) {
    const kind = RELATION_KINDS[row.kind];
    if (kind === undefined) throw new Error(`relation ${row.schema}.${row.name} has the unknown kind ${row.kind}`);
    let family: readonly Relation[] | undefined;
    const relation: Relation = {
      oid: Number(row.oid),
      schema: row.schema,
      name: row.name,
      kind,
      definition: row.definition,
      rules: row.rules,
      columns: (columns.get(row.oid) ?? []).map((c) => ({
        attnum: c.attnum,
        name: c.name,
        typeOid: baseType(c.type),
        notNull: c.notNull,
        generated: c.generated,
        ref: { schema: row.schema, table: row.name, column: c.name },
      })),
      get family() {
        return (family ??= (families.get(row.oid) ?? []).flatMap((oid) => relations.get(Number(oid)) ?? []));
      },
    };
    relations.set(relation.oid, relation);
    byName.set(key(row.schema, row.name), relation);
    if (row.type !== "0") byType.set(Number(row.type), relation);
  }

  const functions = new Map<string, RoutineFacts[]>();
  const functionsByOid = new Map<number, RoutineFacts>();
  for (const row of rows.functions) {
    const rowOf = row.rowOf === null ? undefined : relations.get(Number(row.rowOf));
    // One OUT argument is the value itself, not a row of one; but a procedure's are always a row.
    const least = row.kind === "p" ? 1 : 2;
    const outs = row.outs !== null && row.outs.length >= least ? row.outs.map((n, i) => n || `column${i + 1}`) : null;
    const facts: RoutineFacts = {
      oid: Number(row.oid),
      schema: row.schema,
      name: row.name,
      kind: ROUTINE_KINDS[row.kind] ?? "function",
      volatility: VOLATILITIES[row.volatility] ?? "volatile",
      // An aggregate is `internal` whatever its parts are written in.
      language: row.kind === "a" && row.userDefined ? "aggregate" : row.language,
      userDefined: row.userDefined,
      argumentCount: row.argumentCount,
      columns: outs ?? rowOf?.columns.map((c) => c.name) ?? null,
      valueName: row.outs?.length === 1 && outs === null ? row.outs[0] || null : null,
      shapeless: row.pseudo === "record" && row.outs === null,
      passesRow: POLYMORPHIC.has(row.pseudo ?? ""),
    };
    functionsByOid.set(facts.oid, facts);
    const list = functions.get(key(row.schema, row.name));
    if (list) list.push(facts);
    else functions.set(key(row.schema, row.name), [facts]);
  }

  const operators = new Map<string, RoutineFacts[]>();
  for (const row of rows.operators) {
    const facts = functionsByOid.get(Number(row.function));
    if (facts) operators.set(row.name, [...(operators.get(row.name) ?? []), facts]);
  }

  return {
    version,
    relation: (schema, name) => byName.get(key(schema, name)),
    relationByOid: (oid) => relations.get(oid),
    relationByType: (oid) => byType.get(oid),
    functions: (schema, name) => functions.get(key(schema, name)) ?? [],
    functionByOid: (oid) => functionsByOid.get(oid),
    operatorFunctions: (name) => operators.get(name) ?? [],
  };
}

/** Knows nothing: every name is unknown. For parsing without a server. */
export const EMPTY_CATALOG: Catalog = catalogFromRows("empty", {
  relations: [],
  columns: [],
  inheritance: [],
  domains: [],
  functions: [],
  operators: [],
});

const key = (schema: string, name: string): string => `${schema}\0${name}`;

function familiesOf(edges: CatalogRows["inheritance"]): Map<string, string[]> {
  const up = new Map<string, string[]>();
  const down = new Map<string, string[]>();
  for (const { child, parent } of edges) {
    up.set(child, [...(up.get(child) ?? []), parent]);
    const children = down.get(parent);
    if (children) children.push(child);
    else down.set(parent, [child]);
  }
  const closure = (start: string, next: Map<string, string[]>): string[] => {
    const seen = new Set<string>();
    const todo = [...(next.get(start) ?? [])];
    for (let oid = todo.pop(); oid !== undefined; oid = todo.pop()) {
      if (seen.has(oid)) continue;
      seen.add(oid);
      todo.push(...(next.get(oid) ?? []));
    }
    return [...seen];
  };
  const members = new Set(edges.flatMap((e) => [e.child, e.parent]));
  return new Map([...members].map((oid) => [oid, [...closure(oid, up), ...closure(oid, down)]]));
}
