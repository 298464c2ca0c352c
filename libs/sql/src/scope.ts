import type { Column, Row, Trace } from "./trace.js";
import { union, wholeRow } from "./trace.js";

/** One thing in FROM that a column can be qualified with. */
export interface RangeItem {
  readonly alias: string;
  /** Of a table without an alias, which can also be named with its schema. */
  readonly schema: string | null;
  readonly row: Row;
  /** A table, which has the server's own columns besides (`ctid`, `xmin`, …). */
  readonly stored?: boolean;
}

/** What a FROM clause offers: qualified names through the items, unqualified ones and `*` through the row. */
export interface Names {
  readonly items: readonly RangeItem[];
  readonly row: Row;
}

export interface Scope {
  readonly names: Names;
  /** The query around this one, whose columns can be referred to. */
  readonly outer: Scope | null;
  readonly ctes: ReadonlyMap<string, Row>;
  /** What the windows of the WINDOW clause look at, by name. */
  readonly windows?: ReadonlyMap<string, Trace>;
  /** Variables of the code around: a setting of its says whether they come before columns. */
  readonly variables?: Names;
}

export const NO_NAMES: Names = { items: [], row: { columns: [], open: null } };
export const ROOT: Scope = { names: NO_NAMES, outer: null, ctes: new Map() };

export function beside(left: Names, right: Names): Names {
  const open = [left.row.open, right.row.open].filter((trace) => trace !== null);
  return {
    items: [...left.items, ...right.items],
    row: {
      columns: [...left.row.columns, ...right.row.columns],
      open: open.length === 0 ? null : open.length === 1 ? open[0]! : union(open),
    },
  };
}

export const inside = (outer: Scope, names: Names): Scope => ({ ...withCtes(outer, new Map()), names });

export function withCtes(outer: Scope, ctes: ReadonlyMap<string, Row>): Scope {
  const { variables } = outer;
  return { names: NO_NAMES, outer, ctes, ...(variables && { variables }) };
}

export function findCte(scope: Scope, name: string): Row | undefined {
  for (let s: Scope | null = scope; s; s = s.outer) {
    const cte = s.ctes.get(name);
    if (cte) return cte;
  }
  return undefined;
}

/** The item an alias (or `schema.table`) names, nearest query first. */
export function findItem(scope: Scope, schema: string | null, alias: string): RangeItem | undefined {
  for (let s: Scope | null = scope; s; s = s.outer) {
    const found = s.names.items.find((item) => item.alias === alias && (schema === null || item.schema === schema));
    if (found) return withVariable(found, scope, s);
  }
  return undefined;
}

/** What has a variable's name could be the variable. */
function withVariable(found: RangeItem, { variables }: Scope, at: Scope): RangeItem {
  if (!variables || variables === at.names) return found;
  const variable = variables.items.find(({ alias }) => alias === found.alias);
  return variable
    ? { ...found, row: beside({ items: [], row: found.row }, { items: [], row: variable.row }).row }
    : found;
}

/** A column by name alone, nearest query first; PostgreSQL refuses one that is ambiguous, here all candidates count. */
export function findColumn(scope: Scope, name: string): Trace | undefined {
  for (let s: Scope | null = scope; s; s = s.outer) {
    const found = pick(s.names.row.columns, name);
    const open = s.names.row.open;
    if (found) {
      const variable =
        scope.variables && scope.variables !== s.names ? pick(scope.variables.row.columns, name) : undefined;
      return variable ? union([found, variable]) : found;
    }
    if (open) {
      const further = s.outer ? findColumn(s.outer, name) : undefined;
      return further ? union([open, further]) : openColumn(open, name);
    }
  }
  return undefined;
}

/** A column of one row; undefined where it certainly has none of that name. */
export function columnOf(row: Row, name: string): Trace | undefined {
  return pick(row.columns, name) ?? (row.open ? openColumn(row.open, name) : undefined);
}

/** Everything in reach, for what cannot be resolved. */
export function everything(scope: Scope): Trace {
  const traces: Trace[] = [];
  for (let s: Scope | null = scope; s; s = s.outer) {
    traces.push(wholeRow(s.names.row), ...s.names.items.map((item) => wholeRow(item.row)));
  }
  return union(traces);
}

function pick(columns: readonly Column[], name: string): Trace | undefined {
  const found = columns.filter((column) => column.name === name);
  return found.length > 1 ? union(found.map((column) => column.trace)) : found[0]?.trace;
}

function openColumn(open: Trace, name: string): Trace {
  return open.base ? { ...open, base: { table: open.base.table, column: name } } : open;
}
