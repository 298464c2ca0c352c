import type { Node } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { comparesCase, concatenates } from "./comparisons.js";
import { as, kindOf, must, type NodeFields, type NodeKind } from "./parser/ast.js";
import type { Scope } from "./scope.js";
import { NOTHING, type Trace, union } from "./trace.js";
import { FILTER } from "./uses.js";

/** What notes by itself what it asks of its operands; its truth tells no more. */
const NOTES_ITSELF: ReadonlySet<NodeKind> = new Set(["NullTest", "JsonIsPredicate"]);
const ASKS: ReadonlySet<string> = new Set(["EXISTS_SUBLINK", "ANY_SUBLINK", "ALL_SUBLINK", "ROWCOMPARE_SUBLINK"]);

/** An expression whose truth decides something: which rows there are, which branch is taken. */
export function condition(analysis: Analysis, node: Node | undefined, scope: Scope): Trace {
  if (node === undefined) return NOTHING;
  const each = (nodes: readonly (Node | undefined)[]) => union(nodes.map((n) => condition(analysis, n, scope)));
  // Their own rules say what their parts decide.
  if (as("BoolExpr", node) || as("BooleanTest", node)) return analysis.expression(node, scope);
  const coalesce = as("CoalesceExpr", node);
  if (coalesce) return each(coalesce.args ?? []);
  const cases = as("CaseExpr", node);
  if (cases) return caseExpression(analysis, cases, scope, (result) => condition(analysis, result, scope));
  const trace = analysis.expression(node, scope);
  const operator = as("A_Expr", node);
  // What joins texts asks nothing of them, and has no truth, but for one of the same name.
  const asked = (operator && !concatenates(operator)) || ASKS.has(as("SubLink", node)?.subLinkType ?? "");
  if (!asked && !NOTES_ITSELF.has(kindOf(node))) {
    const column = as("ColumnRef", node) !== undefined;
    const use = column && trace.direct ? FILTER.equality : FILTER.other;
    analysis.notes(trace, use, "", !column && analysis.running.size > 0 ? "anything" : "text");
  }
  return trace;
}

/** @param result what becomes of the arm that is taken. */
export function caseExpression(
  analysis: Analysis,
  n: NodeFields<"CaseExpr">,
  scope: Scope,
  result: (node: Node | undefined) => Trace,
): Trace {
  const arms = (n.args ?? []).map((arm) => must("CaseWhen", arm));
  const tests = arms.map(({ expr }) => expr);
  const tested = n.arg
    ? comparesCase(analysis, n.arg, tests, scope)
    : union(tests.map((test) => condition(analysis, test, scope)));
  return union([tested, ...arms.map((arm) => result(arm.result)), result(n.defresult)]);
}
