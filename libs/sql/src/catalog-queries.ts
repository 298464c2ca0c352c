/** The search_path of a fresh session as it is set, who it is, and what ran as it began (PostgreSQL 17, 38.1 `login`). */
export const SESSION_QUERY = `select pg_catalog.current_setting('search_path') as path, current_user::pg_catalog.text as role,
  session_user::pg_catalog.text as "user",
  array(select evtfoid::int8::text from pg_catalog.pg_event_trigger where evtevent = 'login' and evtenabled <> 'D' order by 1) as logins`;

/** What to ask the server, in this order and in one transaction, for one moment's answers; each row is one thing. */
export const CATALOG_QUERIES = {
  // Views spell their names out only where no path would find them; compiling these queries would take longer than they do.
  // Both end with the transaction.
  settings:
    "select pg_catalog.set_config('search_path', 'pg_catalog', true), pg_catalog.set_config('jit', 'off', true)",
  schemas: `
    select nspname::text as name, pg_catalog.has_schema_privilege(oid, 'USAGE') as usable from pg_catalog.pg_namespace
     where nspname not like 'pg\\_temp\\_%' and nspname not like 'pg\\_toast%'`,
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
           -- bpchar without a length is no char(n): its values are as long as they are.
           case when a.atttypid = 1042 and a.atttypmod < 0 then 25 else a.atttypid::int8 end::text as type, a.attnotnull as "notNull",
           case when a.attgenerated::text <> '' then coalesce((select pg_catalog.array_agg(d.refobjsubid::int4)
             from pg_catalog.pg_attrdef e join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = e.oid
              and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = e.adrelid and d.refobjsubid not in (0, e.adnum)
             where e.adrelid = a.attrelid and e.adnum = a.attnum), '{}') end as "generatedFrom"
      from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
       and n.nspname not like 'pg\\_temp\\_%' and n.nspname not like 'pg\\_toast%'
     order by a.attrelid, a.attnum`,
  inheritance: `
    select inhrelid::int8::text as child, inhparent::int8::text as parent from pg_catalog.pg_inherits`,
  uniques: `
    select i.indrelid::int8::text as relation, a.attnum::int4 as attnum,
           i.indisunique and i.indnkeyatts = 1 and i.indpred is null and a.attnum = i.indkey[0] as alone
      from pg_catalog.pg_index i join pg_catalog.pg_attribute a on a.attrelid = i.indrelid
       and (a.attnum = any (i.indkey[0:i.indnkeyatts - 1]) or i.indexprs is not null and a.attnum > 0 and exists (
         select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = i.indexrelid
            and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = i.indrelid and d.refobjsubid = a.attnum))
     where (i.indisunique or i.indisexclusion) and i.indisvalid`,
  foreignKeys: `
    select c.conrelid::int8::text as relation, k.attnum::int4 as attnum,
           c.confrelid::int8::text as "otherRelation", k.other::int4 as "otherAttnum"
      from pg_catalog.pg_constraint c, unnest(c.conkey, c.confkey) with ordinality as k(attnum, other, place)
     where c.contype = 'f' and c.convalidated
       -- A PERIOD, which is the last, is only within those of the other table.
       and (k.place < pg_catalog.cardinality(c.conkey) or not coalesce((pg_catalog.to_jsonb(c) ->> 'conperiod')::boolean, false))`,
  functions: `
    select p.oid::int8::text as oid, n.nspname::text as schema, p.proname::text as name, p.prokind::text as kind,
           -- An aggregate is immutable by name, and does what its functions do.
           coalesce((select pg_catalog.max(f.provolatile::pg_catalog.text) from pg_catalog.pg_aggregate g join pg_catalog.pg_proc f on f.oid in
             (g.aggtransfn, g.aggfinalfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn)
             where g.aggfnoid = p.oid and p.oid >= 16384), p.provolatile::text) as volatility, l.lanname::text as language,
           p.oid >= 16384 as "userDefined", p.proretset as "returnsSet", p.pronargs::int4 as "argumentCount",
           case when p.proallargtypes is null then null else
             (select pg_catalog.array_agg(coalesce(p.proargnames[i], '')::pg_catalog.text order by i)
                from pg_catalog.generate_subscripts(p.proargmodes, 1) i where p.proargmodes[i] in ('o', 'b', 't')) end as outs,
           case when t.typtype = 'c' then t.typrelid::int8::text end as "rowOf",
           case when t.typtype = 'p' then t.typname::text end as pseudo, p.prorettype::int8::text as returns,
           case when p.prosecdef then pg_catalog.pg_get_userbyid(p.proowner)::text end as definer,
           case when p.oid < 16384 then null
             when p.prokind = 'a' then (select pg_catalog.string_agg(f.proname::text, ' ') from pg_catalog.pg_aggregate g join pg_catalog.pg_proc f on f.oid in
               (g.aggtransfn, g.aggfinalfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn) where g.aggfnoid = p.oid)
             when l.lanname in ('sql', 'plpgsql') and pg_catalog.length(p.prosrc) < 65536
             then coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) end as body,
           p.oid >= 16384 and p.prokind in ('f', 'p')
             -- Triggers can't be called.
             and p.prorettype not in ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
             and not exists (select from pg_catalog.pg_depend d where d.objid = p.oid and d.refobjid >= 16384
               and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.refclassid = d.classid) as readable,
           case when p.oid >= 16384 then (select pg_catalog.array_agg(coalesce(p.proargnames[i], '')::pg_catalog.text order by i)
              from pg_catalog.generate_series(1, coalesce(pg_catalog.cardinality(p.proargmodes), p.pronargs)) i
             where coalesce(p.proargmodes[i], 'i') in ('i', 'b', 'v')) end as inputs,
           case when p.oid >= 16384 and l.lanname = 'plpgsql' then coalesce((select pg_catalog.array_agg(coalesce(p.proargmodes[i]::pg_catalog.text, 'i')
                || case when 'c' in (a.typtype, b.typtype) or a.oid = 2249 then 'r' else 's' end || coalesce(p.proargnames[i], '') order by i)
              from pg_catalog.generate_series(1, coalesce(pg_catalog.cardinality(p.proallargtypes), p.pronargs)) i
              join pg_catalog.pg_type a on a.oid = coalesce(p.proallargtypes[i], p.proargtypes[i - 1])
              left join pg_catalog.pg_type b on b.oid = a.typbasetype), '{}') end as arguments,
           case when p.oid >= 16384 then pg_catalog.pg_get_expr(p.proargdefaults, 0) end as defaults,
           case when p.oid >= 16384 then p.proconfig::pg_catalog.text[] end as settings,
           case when p.oid >= 16384 then pg_catalog.md5(pg_catalog.concat_ws(' ', p.prosrc, p.probin, p.prosqlbody, p.proargdefaults,
             p.proisstrict, p.proconfig, (select pg_catalog.string_agg(pg_catalog.concat_ws(' ', f.prosrc, f.prosqlbody, g.agginitval), ' ' order by f.oid)
               from pg_catalog.pg_aggregate g join pg_catalog.pg_proc f on f.oid in
               (g.aggtransfn, g.aggfinalfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn)
              where g.aggfnoid = p.oid))) end as digest
      from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang join pg_catalog.pg_type t on t.oid = p.prorettype`,
  domains: `
    select oid::int8::text as oid, typbasetype::int8::text as base from pg_catalog.pg_type where typtype = 'd'`,
  operators: `
    select o.oprname::text as name, o.oprcode::int8::text as function
      from pg_catalog.pg_operator o where o.oid >= 16384 and o.oprcode <> 0`,
  triggers: `
    select tgrelid::int8::text as relation, tgname::text as name, tgfoid::int8::text as function, tgtype::int4 as type
      from pg_catalog.pg_trigger where not tgisinternal and tgenabled <> 'D'`,
  // What an expression calls is a dependency of what it belongs to; PostgreSQL's own functions are not noted there.
  attached: `
    with called as (
      select d.classid, d.objid, d.refobjid as function from pg_catalog.pg_depend d
       where d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.refobjid >= 16384
      union
      select d.classid, d.objid, o.oprcode::pg_catalog.oid from pg_catalog.pg_depend d
        join pg_catalog.pg_operator o on o.oid = d.refobjid
       where d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass and d.refobjid >= 16384)
    select relation::int8::text as relation, function::int8::text as function, pg_catalog.bool_or(on_read) as "onRead" from (
      select a.adrelid, c.function, false from called c join pg_catalog.pg_attrdef a
          on c.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and a.oid = c.objid
      union all select k.conrelid, c.function, false from called c join pg_catalog.pg_constraint k
          on c.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and k.oid = c.objid and k.conrelid <> 0
      union all select p.polrelid, c.function, true from called c join pg_catalog.pg_policy p
          on c.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass and p.oid = c.objid
      union all select i.indrelid, c.function, false from called c join pg_catalog.pg_index i
          on c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and i.indexrelid = c.objid
      union all select a.attrelid, c.function, false from called c join pg_catalog.pg_constraint k
          on c.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and k.oid = c.objid and k.contypid <> 0
          join pg_catalog.pg_attribute a on a.atttypid = k.contypid
      union all select a.attrelid, k.castfunc, true from pg_catalog.pg_cast k
          join pg_catalog.pg_attribute a on a.atttypid in (k.castsource, k.casttarget)
         where k.castfunc >= 16384 and a.atttypid >= 16384
    ) x (relation, function, on_read) group by 1, 2`,
  // A cast goes by the type of it that is not PostgreSQL's own: to name that is the only way to get at its values.
  typeFunctions: `
    select t.typname::text as type, k.castfunc::int8::text as function from pg_catalog.pg_cast k
      join pg_catalog.pg_type t on t.oid in (k.castsource, k.casttarget)
     where k.castfunc >= 16384
       and (t.oid >= 16384 or (k.castsource < 16384 and k.casttarget < 16384 and t.oid = k.casttarget))
    union
    select t.typname::text, d.refobjid::int8::text from pg_catalog.pg_depend d
      join pg_catalog.pg_constraint k on k.oid = d.objid join pg_catalog.pg_type t on t.oid = k.contypid
     where d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
       and d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.refobjid >= 16384`,
  references: `
    select k.confrelid::int8::text as to, k.conrelid::int8::text as from,
           k.confdeltype in ('c', 'n', 'd') as "onDelete", k.confupdtype in ('c', 'n', 'd') as "onUpdate",
           (select pg_catalog.array_agg(a.attname::pg_catalog.text) from pg_catalog.pg_attribute a
             where a.attrelid = k.confrelid and a.attnum = any (k.confkey)) as columns
      from pg_catalog.pg_constraint k where k.contype = 'f'`,
  // As the server keeps them: to have them spelled out would wait for locks, and take longer.
  declared: `
    select relation::int8::text as relation, pg_catalog.md5(pg_catalog.string_agg(what, E'\\n' order by what collate "C")) as digest from (
      select adrelid, pg_catalog.concat_ws(' ', 'default', adnum, adbin) from pg_catalog.pg_attrdef
      union all select attrelid, pg_catalog.concat_ws(' ', 'column', attnum, atttypid, atttypmod, attcollation, attnotnull, attidentity, attgenerated)
        from pg_catalog.pg_attribute where attnum > 0 and attrelid >= 16384
      union all select conrelid, pg_catalog.concat_ws(' ', 'constraint', contype, conbin, conkey, confrelid, confkey, confupdtype, confdeltype, conexclop)
        from pg_catalog.pg_constraint where conrelid <> 0
      union all select polrelid, pg_catalog.concat_ws(' ', 'policy', polcmd, polpermissive, polroles, 'using', polqual, 'check', polwithcheck)
        from pg_catalog.pg_policy
      union all select ev_class, pg_catalog.concat_ws(' ', 'rule', ev_type, ev_enabled, is_instead, ev_qual, ev_action)
        from pg_catalog.pg_rewrite where rulename <> '_RETURN' and ev_class >= 16384
      union all select indrelid, pg_catalog.concat_ws(' ', 'index', indisunique, indkey, indclass, indexprs, 'where', indpred)
        from pg_catalog.pg_index where indrelid >= 16384
      union all select tgrelid, pg_catalog.concat_ws(' ', 'trigger', tgname, tgfoid, tgtype, tgenabled, tgattr, tgargs, tgqual)
        from pg_catalog.pg_trigger where not tgisinternal
      union all select inhrelid, pg_catalog.concat_ws(' ', 'of', inhparent) from pg_catalog.pg_inherits
      union all select partrelid, pg_catalog.concat_ws(' ', 'partitioned', partstrat, partattrs, partclass, partexprs)
        from pg_catalog.pg_partitioned_table
      union all select oid, pg_catalog.concat_ws(' ', 'rows', relrowsecurity, relforcerowsecurity, relpartbound)
        from pg_catalog.pg_class where oid >= 16384 and relkind in ('r', 'p', 'v', 'm', 'f')
    ) x (relation, what) group by 1`,
  everywhere: `
    select (select pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', oid, prosrc, probin, prosqlbody, proargdefaults, proconfig), E'\\n' order by oid))
              from pg_catalog.pg_proc where oid >= 16384) as functions,
           pg_catalog.md5(coalesce(pg_catalog.string_agg(what, E'\\n' order by what collate "C"), '')) as digest from (
      select pg_catalog.concat_ws(' ', 'domain', oid, typnotnull, typdefaultbin) from pg_catalog.pg_type where typtype = 'd' and oid >= 16384
      union all select pg_catalog.concat_ws(' ', 'check', contypid, conbin) from pg_catalog.pg_constraint where contypid <> 0
      union all select pg_catalog.concat_ws(' ', 'cast', castsource, casttarget, castfunc, castcontext) from pg_catalog.pg_cast where oid >= 16384
      union all select pg_catalog.concat_ws(' ', 'operator', oprname, oprnamespace, oprleft, oprright, oprcode) from pg_catalog.pg_operator where oid >= 16384
      union all select pg_catalog.concat_ws(' ', 'event', evtname, evtevent, evtfoid, evtenabled, evttags) from pg_catalog.pg_event_trigger
    ) x (what)`,
} as const;

/** FirstNormalObjectId: an OID below it is of what PostgreSQL itself brought. */
const FIRST_NORMAL_OID = 16384;

/** PostgreSQL's own rows are nearly all of a catalog, and the same for years. */
export type OwnRows = Pick<CatalogRows, "relations" | "columns" | "functions">;

/** A text that changes whenever a row of PostgreSQL's own does: each change brings a later xmin. */
export const OWN_STATE_QUERY = `select pg_catalog.concat_ws('/', ${[
  "pg_proc where oid",
  "pg_class where oid",
  "pg_attribute where attrelid",
]
  .map(
    (rows) =>
      `(select pg_catalog.count(*) || ':' || pg_catalog.sum(xmin::pg_catalog.text::int8) from pg_catalog.${rows} < ${FIRST_NORMAL_OID})`,
  )
  .join(", ")}) as state`;

/** What is declared is kept in these; each has an xmin a row. */
const DECLARING = [
  ...["namespace", "class", "attribute", "attrdef", "constraint", "index", "inherits", "partitioned_table", "rewrite"],
  ...["trigger", "event_trigger", "policy", "proc", "aggregate", "type", "cast", "operator", "auth_members"],
];

/**
 * A text that is the same only while everything the catalog says is: each change brings a later xmin. It waits for no lock,
 * where spelling views out waits for whoever has locked a table of one.
 */
export const STATE_QUERY = `select pg_catalog.concat_ws('/', ${DECLARING.map(
  (table) =>
    `(select pg_catalog.count(*) || ':' || coalesce(pg_catalog.sum(xmin::pg_catalog.text::int8), 0) from pg_catalog.pg_${table})`,
).join(", ")},
  (select pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', oid, rolname, rolsuper, rolinherit), ' ' order by oid)) from pg_catalog.pg_roles)) as state`;

const withoutOwn = (query: string, oid: string) =>
  `select * from (${query}) every where every.${oid}::int8 >= ${FIRST_NORMAL_OID}`;

/** As `CATALOG_QUERIES`, for what is not PostgreSQL's own. */
export const QUERIES_WITHOUT_OWN: Readonly<Record<keyof typeof CATALOG_QUERIES, string>> = {
  ...CATALOG_QUERIES,
  relations: withoutOwn(CATALOG_QUERIES.relations, "oid"),
  columns: withoutOwn(CATALOG_QUERIES.columns, "relation"),
  functions: withoutOwn(CATALOG_QUERIES.functions, "oid"),
};

/** Takes PostgreSQL's own rows out of all of them. */
export function splitOwn(rows: CatalogRows): { readonly own: OwnRows; readonly rest: CatalogRows } {
  const isOwn = (oid: string) => Number(oid) < FIRST_NORMAL_OID;
  const split = <T>(list: readonly T[], oid: (row: T) => string) =>
    [list.filter((row) => isOwn(oid(row))), list.filter((row) => !isOwn(oid(row)))] as const;
  const [ownRelations, relations] = split(rows.relations, ({ oid }) => oid);
  const [ownColumns, columns] = split(rows.columns, ({ relation }) => relation);
  const [ownFunctions, functions] = split(rows.functions, ({ oid }) => oid);
  const own = { relations: ownRelations, columns: ownColumns, functions: ownFunctions };
  return { own, rest: { ...rows, relations, columns, functions } };
}

export const joinOwn = (own: OwnRows, rest: CatalogRows): CatalogRows => ({
  ...rest,
  relations: [...own.relations, ...rest.relations],
  columns: [...own.columns, ...rest.columns],
  functions: [...own.functions, ...rest.functions],
});

export interface CatalogRows {
  /** `usable`: who asks has the right to use it. */
  readonly schemas: readonly { name: string; usable: boolean }[];
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
    /** attnums of what it is computed from, where it is. */
    generatedFrom: readonly number[] | null;
  }[];
  readonly inheritance: readonly { child: string; parent: string }[];
  /** Columns of unique indexes and exclusion constraints; `alone`: it is unique by itself, and no row is left out. */
  readonly uniques: readonly { relation: string; attnum: number; alone: boolean }[];
  readonly foreignKeys: readonly { relation: string; attnum: number; otherRelation: string; otherAttnum: number }[];
  readonly functions: readonly {
    oid: string;
    schema: string;
    name: string;
    kind: string;
    volatility: string;
    language: string;
    userDefined: boolean;
    returnsSet: boolean;
    argumentCount: number;
    outs: readonly string[] | null;
    rowOf: string | null;
    /** The pseudo-type it returns. */
    pseudo: string | null;
    /** The type it returns. */
    returns: string;
    /** The owner, where it runs with the owner's rights. */
    definer: string | null;
    /** Its text in SQL or PL/pgSQL; of an aggregate the names of its functions. */
    body: string | null;
    /** The text is all there is to it. */
    readable: boolean;
    inputs: readonly string[] | null;
    /** Of PL/pgSQL: proargmodes, `r` for a row or `s`, and the name. */
    arguments: readonly string[] | null;
    /** What arguments are that are not given, in SQL. */
    defaults: string | null;
    /** `name=value`. */
    settings: readonly string[] | null;
    /** Of all there is to it; null of PostgreSQL's own. */
    digest: string | null;
  }[];
  readonly domains: readonly { oid: string; base: string }[];
  readonly operators: readonly { name: string; function: string }[];
  /** `type` is pg_trigger's tgtype. */
  readonly triggers: readonly { relation: string; name: string; function: string; type: number }[];
  readonly attached: readonly { relation: string; function: string; onRead: boolean }[];
  readonly typeFunctions: readonly { type: string; function: string }[];
  readonly references: readonly {
    to: string;
    from: string;
    onDelete: boolean;
    onUpdate: boolean;
    columns: readonly string[];
  }[];
  readonly declared: readonly { relation: string; digest: string }[];
  readonly everywhere: readonly { digest: string; functions: string | null }[];
}
