import type { ColumnRef } from "./command.js";

/**
 * How a value can decide which rows there are, which branch is taken, or whether a command fails, besides being shown.
 * - `equality`: the whole value, with values that the command spells out
 * - `join`: the whole value, with other columns or a set that is computed
 * - `pattern`: LIKE, a regular expression
 * - `range`: before or after
 * - `presence`: whether there is a value at all
 * - `other`: anything else: part of it, a calculation that can fail, a truth value
 */
export const FILTER_USES = ["equality", "join", "pattern", "range", "presence", "other"] as const;
/**
 * How a value can decide the order or the grouping: ORDER BY, `min` and `max`; GROUP BY and PARTITION BY; DISTINCT and
 * UNION; `plan`: the order in which the server works, where that is chosen (SET enable_hashjoin) or measured (EXPLAIN
 * ANALYZE).
 */
export const ORDER_USES = ["sort", "group", "distinct", "plan"] as const;

/** Something a command does with a column's values besides showing them: an oracle, or a copy. */
export type ColumnUse =
  | (Used & { readonly action: "filter"; readonly use: (typeof FILTER_USES)[number] })
  | (Used & { readonly action: "order"; readonly use: (typeof ORDER_USES)[number] })
  | Copy;

interface Used {
  /** Null: any column of the resource, since it cannot be told which. A column `*` is every column of its table. */
  readonly column: ColumnRef | null;
  /** Where it stands, as the language spells it: `WHERE`, `SELECT`, `ON CONFLICT`. */
  readonly clause: string;
  /** What makes use of it there: `LIKE`, `sqrt()`; empty where the clause itself does. */
  readonly by: string;
}

/** The value can be read again elsewhere. */
export interface Copy {
  readonly action: "copy";
  readonly column: ColumnRef | null;
  /** The value as it stands, not something computed from it. */
  readonly direct: boolean;
  /** `schema.table.column`; a function as `schema.name()`; `file`, `program`; ANYWHERE. */
  readonly target: string;
  /** The target's columns, relatives by inheritance included: a label on one of these reaches it. */
  readonly into: readonly ColumnRef[];
}

/** The target of code that comes with a command and is not read. */
export const ANYWHERE = "*";
