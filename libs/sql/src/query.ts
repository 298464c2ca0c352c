import type { Node } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { kindOf, must, NotUnderstood } from "./parser/ast.js";
import type { Scope } from "./scope.js";
import { select } from "./select.js";
import type { Row } from "./trace.js";
import { WRITES } from "./writes.js";

/** Any statement that gives rows, wherever it stands; a writing one is a statement of its own. */
export function query(analysis: Analysis, node: Node, scope: Scope): Row {
  analysis.step();
  const kind = kindOf(node);
  const write = WRITES[kind];
  if (write) return analysis.within(write.action, () => write.analyse(analysis, node, scope));
  if (kind !== "SelectStmt") throw new NotUnderstood(`${kind} as a query is not known`);
  const row = select(analysis, must("SelectStmt", node), scope);
  analysis.firstOutputs.set(node, row.columns[0]?.name);
  return row;
}
