import type { Node } from "libpg-query";
import { as, constantText, isKind, isPlace, strings } from "./parser/ast.js";

/** The operator that holds where the other does not, nulls aside. */
export const OPPOSITE: Readonly<Record<string, string>> = {
  "=": "<>",
  "<>": "=",
  "!=": "=",
  "<": ">=",
  ">=": "<",
  ">": "<=",
  "<=": ">",
  "~~": "!~~",
  "!~~": "~~",
  "~~*": "!~~*",
  "!~~*": "~~*",
  "~": "!~",
  "!~": "~",
  "~*": "!~*",
  "!~*": "~*",
};

/** What a column is, however it is spelled, and what is cast; undefined for anything else. */
type ColumnName = (node: Node) => string | undefined;

/** Whether two arms of an OR leave nothing out: `x = 1 or x <> 1`, `x < 5 or x > 3`, `x is null or x is not null`. */
export function complementary(arms: readonly Node[], column: ColumnName): boolean {
  const seen = new Set<string>();
  const ranges = new Map<string, { op: string; value: number }[]>();
  for (const arm of arms) {
    const [own, opposite] = signatures(arm, column);
    if (seen.has(opposite)) return true;
    seen.add(own);
    const n = as("A_Expr", arm);
    const value = Number(constantText(n?.rexpr) ?? Number.NaN);
    if (!n || Number.isNaN(value)) continue;
    const key = canonical(n.lexpr, column);
    const op = strings(n.name).at(-1) ?? "";
    const others = ranges.get(key) ?? [];
    if (others.some((other) => covers(op, value, other.op, other.value) || covers(other.op, other.value, op, value))) {
      return true;
    }
    ranges.set(key, [...others, { op, value }]);
  }
  return false;
}

function covers(a: string, x: number, b: string, y: number): boolean {
  if (a === "<>" && b === "<>") return x !== y;
  if (!a.startsWith(">") || !b.startsWith("<") || b === "<>") return false;
  return x < y || (x === y && (a === ">=" || b === "<="));
}

/** A condition and its negation as texts that can be compared. */
function signatures(node: Node, column: ColumnName): readonly [string, string] {
  const not = as("BoolExpr", node);
  if (not?.boolop === "NOT_EXPR" && not.args?.[0]) {
    const [own, opposite] = signatures(not.args[0], column);
    return [opposite, own];
  }
  const test = as("NullTest", node);
  if (test) {
    const arg = canonical(test.arg, column);
    return test.nulltesttype === "IS_NULL" ? [`null ${arg}`, `set ${arg}`] : [`set ${arg}`, `null ${arg}`];
  }
  const truth = as("BooleanTest", node);
  if (truth) {
    const { booltesttype = "" } = truth;
    const arg = canonical(truth.arg, column);
    const opposite = booltesttype.startsWith("IS_NOT_")
      ? booltesttype.replace("IS_NOT_", "IS_")
      : booltesttype.replace("IS_", "IS_NOT_");
    return [`${booltesttype} ${arg}`, `${opposite} ${arg}`];
  }
  const n = as("A_Expr", node);
  const op = strings(n?.name).at(-1) ?? "";
  const plain = canonical(node, column);
  const opposite = OPPOSITE[op];
  if (!n || opposite === undefined) return [plain, `not ${plain}`];
  const sides = `${n.kind} ${canonical(n.lexpr, column)} ${canonical(n.rexpr, column)}`;
  return [`${op} ${sides}`, `${opposite} ${sides}`];
}

/** Same text, same value: columns by what they are rather than how they are spelled, places left out. */
function canonical(node: unknown, column: ColumnName): string {
  return JSON.stringify(node, (key, value) => {
    if (isPlace(key)) return undefined;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return isKind(Object.keys(value)[0] ?? "") ? (column(value as Node) ?? value) : value;
  });
}
