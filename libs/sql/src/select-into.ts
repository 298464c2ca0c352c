import type { IntoClause, Node } from "libpg-query";
import { as } from "./parser/ast.js";

/** Where a SELECT INTO puts its rows: a table that it makes. */
export function intoOf(node: Node): IntoClause | undefined {
  let leftmost = as("SelectStmt", node);
  while (leftmost?.larg) leftmost = leftmost.larg;
  return leftmost?.intoClause;
}
