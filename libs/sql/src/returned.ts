import type { Node } from "libpg-query";
import type { BulkFormat } from "#commands";
import type { Analysis } from "./analysis.js";
import { kindOf } from "./parser/ast.js";
import { ROOT } from "./scope.js";
import type { Column, Row } from "./trace.js";
import { WRITES } from "./writes.js";

/** What a statement sends back. */
export interface Returned {
  /** Rows, or null for none. */
  readonly rows: Row | null;
  /** Rows by COPY … TO STDOUT. */
  readonly bulk: Row | null;
  readonly bulkFormat: BulkFormat | null;
}

export const NOTHING_BACK: Returned = { rows: null, bulk: null, bulkFormat: null };
export const rows = (row: Row): Returned => ({ rows: row, bulk: null, bulkFormat: null });

/** A query within a utility statement: what it does counts as a statement of its own beside the utility's. */
export function inner(analysis: Analysis, node: Node): Row {
  if (WRITES[kindOf(node)]) return analysis.query(node, ROOT);
  return analysis.within("sql:select", () => analysis.query(node, ROOT));
}

/** Output columns as the understanding gives them. */
export const outputs = (row: Row) => row.columns.map((column) => outputColumn(column));

export function outputColumn({ name, trace }: Column) {
  return {
    name,
    sources: [...trace.sources],
    direct: trace.direct && trace.sources.size > 0,
    leaks: trace.leaks,
    typeOid: trace.direct ? trace.typeOid : 0,
  };
}
