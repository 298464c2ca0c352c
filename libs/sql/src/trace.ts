import type { ColumnRef } from "#commands";

/** Where a value comes from. */
export interface Trace {
  /** By identity: one object a column within a catalog. */
  readonly sources: ReadonlySet<ColumnRef>;
  /** The source as it stands, not an expression over it. */
  readonly direct: boolean;
  /** See TracedColumn. */
  readonly leaks: boolean;
  readonly typeOid: number;
  /** Of a row value whose fields are known, or an array of them. */
  readonly fields: readonly Column[] | null;
  /** Certainly no row, no array of rows and no text search vector: in FROM it is one column. */
  readonly plain: boolean;
  /** The relation's column it is, as `schema.table` and name. Null once something has left rows out. */
  readonly base: Base | null;
  /** It may be of any row of its tables: nothing has left rows out. */
  readonly everyRow: boolean;
}

interface Base {
  readonly table: string;
  readonly column: string;
  /** What a view's column is, where it shows every row of another relation. */
  readonly of?: Base | null;
}

export interface Column {
  readonly name: string;
  readonly trace: Trace;
}

/** The columns of a row source. */
export interface Row {
  readonly columns: readonly Column[];
  /** Where anything else it may have comes from; null where the columns are all there are. */
  readonly open: Trace | null;
}

const NO_SOURCES: ReadonlySet<ColumnRef> = new Set();

/** A constant, or anything that shows no column. */
export const NOTHING: Trace = {
  sources: NO_SOURCES,
  direct: false,
  leaks: false,
  typeOid: 0,
  fields: null,
  plain: false,
  base: null,
  everyRow: false,
};
export const CONSTANT: Trace = { ...NOTHING, plain: true };
export const LEAK: Trace = { ...NOTHING, leaks: true };

/** An expression over all of them. */
export function union(traces: Iterable<Trace>): Trace {
  let sources = NO_SOURCES;
  let owned: Set<ColumnRef> | null = null;
  let leaks = false;
  let plain = true;
  let any = false;
  let everyRow = false;
  for (const trace of traces) {
    any = true;
    leaks ||= trace.leaks;
    plain &&= trace.plain;
    everyRow ||= trace.everyRow;
    if (trace.sources.size === 0 || trace.sources === sources) continue;
    if (sources.size === 0) {
      sources = trace.sources;
      continue;
    }
    if (owned === null) sources = owned = new Set(sources);
    for (const source of trace.sources) owned.add(source);
  }
  plain &&= any;
  if (sources.size > 0 || (plain && leaks)) return { ...NOTHING, sources, leaks, plain, everyRow };
  return leaks ? LEAK : plain ? CONSTANT : NOTHING;
}

/** Everything that can be read from a row. */
export function wholeRow(row: Row): Trace {
  const all = union([...row.columns.map((c) => c.trace), ...(row.open ? [row.open] : [])]);
  return { ...all, plain: false, fields: row.open ? null : row.columns };
}

/** Column by column, as a set operation merges them. What has no counterpart goes into every column. */
export function merged(left: Row, right: Row): Row {
  const open = left.open || right.open ? union([wholeRow(left), wholeRow(right)]) : null;
  return {
    open,
    columns: left.columns.map((column, i) => {
      const other = right.columns[i];
      if (!other) return column;
      const fields = sameFields([column.trace, other.trace]);
      return { name: column.name, trace: { ...union([column.trace, other.trace]), fields } };
    }),
  };
}

/** The same values with fewer rows behind them. */
export const narrowed = (row: Row): Row => each(row, fewer);
/** The same values, which no longer are a table's columns themselves. */
export const derived = (row: Row): Row => each(row, (trace) => (trace.base ? { ...trace, base: null } : trace));

export const fewer = (trace: Trace): Trace =>
  trace.base || trace.everyRow ? { ...trace, base: null, everyRow: false } : trace;

/** Every value of a row as `change` makes it. */
export const each = ({ columns, open }: Row, change: (trace: Trace) => Trace): Row => ({
  columns: columns.map(({ name, trace }) => ({ name, trace: change(trace) })),
  open: open && change(open),
});

/** Renamed by a column alias list; what the list does not reach keeps its name. */
export function renamed(row: Row, names: readonly string[]): Row {
  if (names.length === 0) return row;
  if (row.open) {
    // Where columns are not known, neither is which of them a name stands for: each could be any.
    const any = union([wholeRow(row)]);
    const trace = row.columns.length === 0 ? row.open : any;
    return { columns: names.map((name) => ({ name, trace })), open: trace };
  }
  return { columns: row.columns.map((c, i) => ({ name: names[i] ?? c.name, trace: c.trace })), open: null };
}

/** The fields of values that are all rows of one shape; null where they are not. */
export function sameFields(values: readonly Trace[]): readonly Column[] | null {
  const [first, ...others] = values;
  if (!first?.fields) return null;
  if (others.some((other) => other.fields?.length !== first.fields?.length)) return null;
  return first.fields.map((field, i) => ({
    name: field.name,
    trace: union([field.trace, ...others.map((other) => other.fields?.[i]?.trace ?? NOTHING)]),
  }));
}
