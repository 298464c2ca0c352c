import type { ColumnRef, SqlAction } from "#commands";
import type { Analysis } from "./analysis.js";
import type { Reference, Relation, RoutineFacts, WriteEvent } from "./catalog.js";
import { functionEffect } from "./functions.js";
import { NotUnderstood } from "./parser/ast.js";
import { isPlainType } from "./plain-types.js";
import { LEAKING_COLUMNS, READS_FILES, SYSTEM_SCHEMAS } from "./system-names.js";
import { type Column, NOTHING, type Row, type Trace, union } from "./trace.js";
import { viewOf } from "./views.js";

/** Notes that rows of a relation are read, and of those its rows come from. */
export function readsRelation(analysis: Analysis, name: string, relation: Relation | null): void {
  const { effects, names } = analysis;
  effects.tablesRead.add(name);
  const hidden = names.hiddenBy(name);
  if (hidden) readsRelation(analysis, relationText(hidden), hidden);
  for (const kin of relation?.family ?? []) effects.tablesRead.add(relationText(kin));
  if (!relation) return;
  if (READS_FILES.has(relation.name) && relation.schema === "pg_catalog") effects.extra("sql:system", name);
  for (const { routine, onRead } of relation.attached) if (onRead) attachedRuns(analysis, routine);
  const view = viewOf(analysis, relation);
  if (view) analysis.finds(view);
}

/** Notes that rows of a relation are written, and what the server does besides when they are. */
export function writesRelation(analysis: Analysis, name: string, relation: Relation | null): void {
  const { effects, names } = analysis;
  effects.tablesWritten.add(name);
  const hidden = names.hiddenBy(name);
  if (hidden) writesRelation(analysis, relationText(hidden), hidden);
  for (const kin of relation?.family ?? []) effects.tablesWritten.add(relationText(kin));
  if (!relation) return;
  for (const written of [relation, ...relation.family]) runsOnWrite(analysis, written);
  // Writing to pg_settings is SET, to pg_authid ALTER ROLE, and so on.
  if (SYSTEM_SCHEMAS.has(relation.schema)) effects.extra("sql:system", name);
  if (relation.name === "pg_settings")
    throw new NotUnderstood("what is set through pg_settings cannot be told: use SET");
  if (relation.rules) {
    effects.extra("sql:function_write", `rules of ${name}`);
    analysis.unsettles = true;
  }
  for (const table of viewOf(analysis, relation)?.effects.tablesRead ?? []) {
    effects.tablesWritten.add(table);
    const [schema = "", below = ""] = splitName(table);
    const written = analysis.context.catalog.relation(schema, below);
    if (written) runsOnWrite(analysis, written);
  }
}

/** What the server runs besides when rows of a table are written, and the rows it takes along. */
export function runsOnWrite(
  analysis: Analysis,
  relation: Relation,
  events = EVENTS[analysis.effects.action] ?? [],
): void {
  if (events.length === 0) return;
  for (const { routine } of relation.attached) attachedRuns(analysis, routine);
  for (const { routine, events: on } of relation.triggers) {
    if (!events.some((event) => on.has(event))) continue;
    analysis.effects.code.triggers.add(`${routine.schema}.${routine.name}`);
    if (routine.unsettling) analysis.unsettles = true;
  }
  if (events.includes("delete")) cascades(analysis, relation, ({ onDelete }) => onDelete);
}

const EVENTS: { readonly [K in SqlAction]?: readonly WriteEvent[] } = {
  "sql:insert": ["insert"],
  "sql:copy_in": ["insert"],
  "sql:update": ["update"],
  "sql:delete": ["delete"],
  "sql:merge": ["insert", "update", "delete"],
  "sql:truncate": ["truncate"],
};

/** Tables whose rows follow those of this one by foreign keys, and theirs. */
export function cascades(analysis: Analysis, relation: Relation, follows: (reference: Reference) => boolean): void {
  const { tablesWritten } = analysis.effects;
  for (const reference of relation.referencedBy) {
    const table = relationText(reference.from);
    if (!follows(reference) || tablesWritten.has(table)) continue;
    tablesWritten.add(table);
    runsOnWrite(analysis, reference.from);
    cascades(analysis, reference.from, follows);
  }
}

/** The schema's own code: named, and with no action of its own, since whoever writes here cannot have made it. */
function attachedRuns(analysis: Analysis, routine: RoutineFacts): void {
  const { unread } = functionEffect(routine);
  analysis.effects.runs(routine, unread);
  if (unread && routine.unsettling) analysis.unsettles = true;
}

/** The columns of a relation, each with where its values come from. */
export function relationRow(analysis: Analysis, name: string, relation: Relation | null): Row {
  if (relation === null) return { columns: [], open: unknownRow(analysis, name) };
  const view = relation.definition === null ? undefined : viewOf(analysis, relation);
  return {
    open: null,
    columns: relation.columns.map((column, i): Column => {
      analysis.step();
      const twins = relation.family.flatMap((kin) => kin.columns.find(({ name }) => name === column.name) ?? []);
      // Each table of a family may compute the column from others of its own.
      const sources = new Set([column, ...twins].flatMap(({ ref, generatedFrom }) => [ref, ...(generatedFrom ?? [])]));
      const own: Trace = {
        sources,
        direct: column.generatedFrom === null,
        leaks: leakingColumn(relation, column.name),
        typeOid: column.typeOid,
        fields: compositeFields(analysis, column.typeOid, sources),
        plain: isPlainType(column.typeOid),
        base: { table: name, column: column.name },
        everyRow: true,
      };
      if (view === undefined) return { name: column.name, trace: own };
      const defined = view?.row.columns[i]?.trace;
      if (!defined) return { name: column.name, trace: { ...own, direct: false, leaks: true } };
      const both = union([own, defined]);
      return {
        name: column.name,
        trace: {
          ...own,
          ...both,
          base: { ...own.base!, of: defined.base },
          direct: defined.direct,
          typeOid: own.typeOid,
        },
      };
    }),
  };
}

function leakingColumn(relation: Relation, column: string): boolean {
  // pg_stat_statements lives wherever its extension was put.
  const columns = LEAKING_COLUMNS[relation.name];
  return columns !== undefined && (columns.includes("*") || columns.includes(column));
}

/** Fields of a value of a row type, which show no more than the value does. */
function compositeFields(
  { context }: Analysis,
  typeOid: number,
  sources: ReadonlySet<ColumnRef>,
): readonly Column[] | null {
  const relation = typeOid === 0 ? undefined : context.catalog.relationByType(typeOid);
  if (relation === undefined) return null;
  return relation.columns.map((c) => ({
    name: c.name,
    trace: { ...NOTHING, sources, typeOid: c.typeOid, plain: isPlainType(c.typeOid), everyRow: true },
  }));
}

function unknownRow({ names }: Analysis, name: string): Trace {
  const ownTemporary = name.startsWith("pg_temp.") && names.hasTemporary(name.slice("pg_temp.".length));
  return {
    ...NOTHING,
    sources: new Set([names.openColumn(name)]),
    // What the session keeps in a temporary table has been decided on when it was stored.
    leaks: !ownTemporary || names.hiddenBy(name) !== null,
    direct: true,
    base: { table: name, column: "*" },
    everyRow: true,
  };
}

const splitName = (name: string): [string, string] => {
  const dot = name.indexOf(".");
  return [name.slice(0, dot), name.slice(dot + 1)];
};
const relationText = (relation: Relation): string => `${relation.schema}.${relation.name}`;
