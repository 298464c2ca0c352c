import type { Node, SelectStmt } from "libpg-query";
import { as, constantText, everyNode } from "./parser/ast.js";

/** The most rows a SELECT can give, where its text alone says so; null where it does not. */
export function rowLimit(n: SelectStmt): number | null {
  const limits = [limitClause(n), ownRows(n)].filter((limit) => limit !== null);
  return limits.length === 0 ? null : Math.min(...limits);
}

function limitClause({ limitCount, limitOption }: SelectStmt): number | null {
  if (!limitCount || limitOption === "LIMIT_OPTION_WITH_TIES") return null;
  const text = constantText(limitCount);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The parser's thread leaves a part of very many VALUES, and says how many there were. */
interface Thinned extends SelectStmt {
  readonly valuesCount?: number;
}

/** VALUES gives its lists; what selects from nothing gives one row, unless a function makes more of it. */
function ownRows(n: SelectStmt): number | null {
  if (n.valuesLists) return (n as Thinned).valuesCount ?? n.valuesLists.length;
  if (n.larg || n.fromClause || callsFunctions(n.targetList)) return null;
  return 1;
}

function callsFunctions(targets: readonly Node[] | undefined): boolean {
  let calls = false;
  everyNode(targets ?? [], (kind) => {
    calls ||= kind === "FuncCall" || kind === "A_Indirection";
  });
  return calls;
}

/** Of an INSERT: what it takes its rows from. */
export const insertedRows = (source: Node | undefined): number | null => {
  const select = as("SelectStmt", source);
  return source === undefined ? 1 : select ? rowLimit(select) : null;
};
