import type { Operation, SqlAction } from "#commands";
import type { Catalog, Relation } from "#sql";

const WRITES_ROWS: ReadonlySet<string> = new Set<SqlAction>([
  "sql:select",
  "sql:insert",
  "sql:update",
  "sql:delete",
  "sql:merge",
  "sql:copy_in",
]);

/**
 * Whether all that a command does is to rows the server itself keeps, so that the end of its transaction takes it back: no
 * code runs that was not read, and no table is written that stands for something elsewhere.
 */
export function isTransactional(operations: readonly Operation[], catalog: Catalog): boolean {
  return operations.every(
    ({ action, code, tablesWritten }) =>
      WRITES_ROWS.has(action) &&
      code.unread.length + code.triggers.length === 0 &&
      tablesWritten.every((table) => isKeptHere(table, catalog)),
  );
}

function isKeptHere(table: string, catalog: Catalog): boolean {
  const dot = table.indexOf(".");
  const relation = catalog.relation(table.slice(0, dot), table.slice(dot + 1));
  return relation !== undefined && [relation, ...relation.family].every(holdsRows);
}

const holdsRows = ({ kind, rules }: Relation) => (kind === "table" || kind === "partitioned") && !rules;
