import type { ColumnRef } from "#commands";
import type {
  Attached,
  Catalog,
  Reference,
  Relation,
  RelationKind,
  RoutineFacts,
  Trigger,
  WriteEvent,
} from "./catalog.js";
import type { CatalogRows } from "./catalog-queries.js";
import { isPlainType } from "./plain-types.js";
import { routineBody } from "./routine-body.js";
import { Unsettling } from "./unsettling.js";

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

/** pg_trigger's tgtype (catalog/pg_trigger.h). */
const TRIGGER_EVENTS: readonly (readonly [number, WriteEvent])[] = [
  [1 << 2, "insert"],
  [1 << 3, "delete"],
  [1 << 4, "update"],
  [1 << 5, "truncate"],
];

const POLYMORPHIC: ReadonlySet<string> = new Set(["anyelement", "anyarray", "anycompatible", "anycompatiblearray"]);

/**
 * A catalog of what the queries gave.
 * @throws Error where a row refers to a kind that no supported server (15 to 18) has.
 */
export function catalogFromRows(version: string, rows: CatalogRows): Catalog {
  const relations = new Map<number, Relation>();
  const byType = new Map<number, Relation>();
  const byName = new Map<string, Relation>();
  const columns = grouped(rows.columns, ({ relation }) => relation);
  const domains = new Map(rows.domains.map((d) => [d.oid, d.base]));
  // RowDescription never names a domain, always the type beneath.
  const baseType = (oid: string): number => {
    for (let base = domains.get(oid); base !== undefined; base = domains.get(oid)) oid = base;
    return Number(oid);
  };
  const families = familiesOf(rows.inheritance);
  const triggers = grouped(rows.triggers, ({ relation }) => relation);
  const attached = grouped(rows.attached, ({ relation }) => relation);
  const references = grouped(rows.references, ({ to }) => to);
  const declared = new Map(rows.declared.map(({ relation, digest }) => [relation, digest]));
  const functionsByOid = new Map<number, RoutineFacts>();
  const routines = (list: readonly { readonly function: string }[] | undefined): RoutineFacts[] =>
    (list ?? []).flatMap((each) => functionsByOid.get(Number(each.function)) ?? []);
  for (const row of rows.relations) {
    const kind = RELATION_KINDS[row.kind];
    if (kind === undefined) throw new Error(`relation ${row.schema}.${row.name} has the unknown kind ${row.kind}`);
    const relatives = (oids: readonly string[] = []) => oids.flatMap((oid) => relations.get(Number(oid)) ?? []);
    // Of relations and functions that are not all here yet.
    let family: readonly Relation[] | undefined;
    let fired: readonly Trigger[] | undefined;
    let code: readonly Attached[] | undefined;
    let referencedBy: readonly Reference[] | undefined;
    const own = columns.get(row.oid) ?? [];
    const refs = new Map(
      own.map(({ attnum, name }) => [attnum, { schema: row.schema, table: row.name, column: name }]),
    );
    const relation: Relation = {
      oid: Number(row.oid),
      schema: row.schema,
      name: row.name,
      kind,
      definition: row.definition,
      rules: row.rules,
      declared: declared.get(row.oid) ?? "",
      columns: own.map((c) => ({
        attnum: c.attnum,
        name: c.name,
        typeOid: baseType(c.type),
        notNull: c.notNull,
        generatedFrom: c.generatedFrom?.flatMap((attnum) => refs.get(attnum) ?? []) ?? null,
        ref: refs.get(c.attnum)!,
      })),
      get family() {
        const { up = [], down = [] } = families.get(row.oid) ?? {};
        return (family ??= relatives([...up, ...down]));
      },
      get ancestors() {
        return relatives(families.get(row.oid)?.up);
      },
      get triggers() {
        return (fired ??= (triggers.get(row.oid) ?? []).flatMap(({ name, function: oid, type }): Trigger[] => {
          const events = TRIGGER_EVENTS.flatMap(([bit, event]) => (type & bit ? [event] : []));
          const routine = functionsByOid.get(Number(oid));
          return routine ? [{ name, routine, events: new Set(events) }] : [];
        }));
      },
      get attached() {
        return (code ??= (attached.get(row.oid) ?? []).flatMap(({ function: oid, onRead }): Attached[] => {
          const routine = functionsByOid.get(Number(oid));
          return routine ? [{ routine, onRead }] : [];
        }));
      },
      get referencedBy() {
        return (referencedBy ??= (references.get(row.oid) ?? []).flatMap((reference): Reference[] => {
          const from = relations.get(Number(reference.from));
          return from ? [{ ...reference, from }] : [];
        }));
      },
    };
    relations.set(relation.oid, relation);
    byName.set(key(row.schema, row.name), relation);
    if (row.type !== "0") byType.set(Number(row.type), relation);
  }

  const unsettling = new Unsettling(rows.functions);
  const functions = new Map<string, RoutineFacts[]>();
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
      returnsSet: row.returnsSet,
      argumentCount: row.argumentCount,
      columns: outs ?? rowOf?.columns.map((c) => c.name) ?? null,
      valueName: row.outs?.length === 1 && outs === null ? row.outs[0] || null : null,
      shapeless: row.pseudo === "record" && row.outs === null,
      passesRow: POLYMORPHIC.has(row.pseudo ?? ""),
      returns: Number(row.returns),
      plain: outs === null && row.pseudo === null && isPlainType(Number(row.returns)),
      definer: row.definer,
      get unsettling() {
        return unsettling.has(row.oid);
      },
      digest: row.digest ?? "",
      body: routineBody(row),
    };
    functionsByOid.set(facts.oid, facts);
    const list = functions.get(key(row.schema, row.name));
    if (list) list.push(facts);
    else functions.set(key(row.schema, row.name), [facts]);
  }

  const keys = keysOf(rows, relations);
  const operators = new Map<string, RoutineFacts[]>();
  for (const row of rows.operators) {
    const facts = functionsByOid.get(Number(row.function));
    if (facts) operators.set(row.name, [...(operators.get(row.name) ?? []), facts]);
  }
  const typeFunctions = grouped(rows.typeFunctions, ({ type }) => type);

  return {
    version,
    schemas: new Map([
      ...rows.relations.map(({ schema }) => [schema, true] as const),
      ...rows.schemas.map(({ name, usable }) => [name, usable] as const),
    ]),
    unsettles: (text) => unsettling.isNamedIn(text),
    relation: (schema, name) => byName.get(key(schema, name)),
    relationByOid: (oid) => relations.get(oid),
    relationByType: (oid) => byType.get(oid),
    functions: (schema, name) => functions.get(key(schema, name)) ?? [],
    functionByOid: (oid) => functionsByOid.get(oid),
    keysOf: (column) => keys.of.get(column) ?? [],
    uniqueColumns: (relation) => keys.unique.get(relation) ?? [],
    operatorFunctions: (name) => operators.get(name) ?? [],
    typeFunctions: (name) => routines(typeFunctions.get(name)),
    everywhere: rows.everywhere[0]?.digest ?? "",
    allFunctions: rows.everywhere[0]?.functions ?? "",
  };
}

/** Knows nothing: every name is unknown. For parsing without a server. */
export const EMPTY_CATALOG: Catalog = catalogFromRows("empty", {
  schemas: [],
  relations: [],
  columns: [],
  inheritance: [],
  uniques: [],
  foreignKeys: [],
  domains: [],
  functions: [],
  operators: [],
  triggers: [],
  attached: [],
  typeFunctions: [],
  references: [],
  declared: [],
  everywhere: [],
});

function grouped<T>(rows: readonly T[], by: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(by(row));
    if (group) group.push(row);
    else groups.set(by(row), [row]);
  }
  return groups;
}

const key = (schema: string, name: string): string => `${schema}\0${name}`;

function keysOf({ uniques, foreignKeys }: CatalogRows, relations: ReadonlyMap<number, Relation>) {
  const column = (oid: string, attnum: number): ColumnRef | undefined =>
    relations.get(Number(oid))?.columns.find((c) => c.attnum === attnum)?.ref;
  const unique = new Map<Relation, ColumnRef[]>();
  const of = new Map<ColumnRef, Set<ColumnRef>>();
  const note = (ref: ColumnRef, key: ColumnRef) => {
    const known = of.get(ref);
    if (known) known.add(key);
    else of.set(ref, new Set([key]));
  };
  for (const { relation: oid, attnum, alone } of uniques) {
    const relation = relations.get(Number(oid));
    const ref = column(oid, attnum);
    if (!relation || !ref) continue;
    unique.set(relation, [...(unique.get(relation) ?? []), ref]);
    if (alone) note(ref, ref);
  }
  const references = foreignKeys.flatMap((key) => {
    const from = column(key.relation, key.attnum);
    const to = column(key.otherRelation, key.otherAttnum);
    return from && to ? [[from, to] as const] : [];
  });
  for (const [from, to] of references) note(from, to);
  // What a key refers to in turn.
  for (let grown = true; grown; ) {
    grown = false;
    for (const [from, to] of references) {
      const own = of.get(from)!;
      const before = own.size;
      for (const key of of.get(to) ?? []) own.add(key);
      grown ||= own.size > before;
    }
  }
  return { unique, of: new Map([...of].map(([ref, found]) => [ref, [...found]])) };
}

function familiesOf(
  edges: CatalogRows["inheritance"],
): Map<string, { readonly up: string[]; readonly down: string[] }> {
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
  return new Map([...members].map((oid) => [oid, { up: closure(oid, up), down: closure(oid, down) }]));
}
