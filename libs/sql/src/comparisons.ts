import type { Node } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { functionEffect } from "./functions.js";
import { as, everyNode, type NodeFields, strings } from "./parser/ast.js";
import { callsRoutines } from "./routine-calls.js";
import { commonType, isScalar, isText, TEXT } from "./scalar-types.js";
import type { Scope } from "./scope.js";
import { NOTHING, type Row, type Trace, union } from "./trace.js";
import { FILTER, type Use } from "./uses.js";

/** One side of a comparison. */
interface Side {
  readonly trace: Trace;
  /** The column as it stands, or the same in another case or as text: not a part of it. */
  whole(): boolean;
  origin(): Origin;
}

/** `text`: made of what the text spells out. `argument`: what the function it stands in is given. `other`: made of more. */
type Origin = "text" | "argument" | "other";

/** What an operator asks, by its name; any other asks something `other`. */
const ASKS: ReadonlyMap<string, Use> = new Map<string, Use>([
  ...["=", "<>", "!="].map((name) => [name, FILTER.equality] as const),
  ...["<", ">", "<=", ">=", "~<~", "~>~", "~<=~", "~>=~"].map((name) => [name, FILTER.range] as const),
  ...["~~", "~~*", "!~~", "!~~*", "~", "~*", "!~", "!~*", "^@"].map((name) => [name, FILTER.pattern] as const),
]);
/** By kind where the operator's name does not say it. */
const KINDS: Readonly<Record<string, Use>> = {
  AEXPR_DISTINCT: FILTER.equality,
  AEXPR_NOT_DISTINCT: FILTER.equality,
  AEXPR_NULLIF: FILTER.equality,
  AEXPR_IN: FILTER.equality,
  AEXPR_LIKE: FILTER.pattern,
  AEXPR_ILIKE: FILTER.pattern,
  AEXPR_SIMILAR: FILTER.pattern,
  AEXPR_BETWEEN: FILTER.range,
  AEXPR_NOT_BETWEEN: FILTER.range,
  AEXPR_BETWEEN_SYM: FILTER.range,
  AEXPR_NOT_BETWEEN_SYM: FILTER.range,
};
const SPELLED: Readonly<Record<string, string>> = {
  AEXPR_DISTINCT: "IS DISTINCT FROM",
  AEXPR_NOT_DISTINCT: "IS NOT DISTINCT FROM",
  AEXPR_NULLIF: "NULLIF",
  AEXPR_IN: "IN",
  AEXPR_LIKE: "LIKE",
  AEXPR_ILIKE: "ILIKE",
  AEXPR_SIMILAR: "SIMILAR TO",
  AEXPR_BETWEEN: "BETWEEN",
  AEXPR_NOT_BETWEEN: "BETWEEN",
  AEXPR_BETWEEN_SYM: "BETWEEN",
  AEXPR_NOT_BETWEEN_SYM: "BETWEEN",
};
/** Joins two texts into one and can't fail; arrays, only where they have the same bounds. */
export const concatenates = ({ kind = "AEXPR_OP", name }: NodeFields<"A_Expr">): boolean =>
  kind === "AEXPR_OP" && strings(name).at(-1) === "||";

/** An operator over its operands: what it gives, and what it asks of them. */
export function operator(analysis: Analysis, n: NodeFields<"A_Expr">, scope: Scope): Trace {
  const name = strings(n.name).at(-1) ?? "";
  const kind = n.kind ?? "AEXPR_OP";
  const custom = analysis.context.catalog.operatorFunctions(name);
  const opaque = custom.some((routine) => functionEffect(routine).leaks);
  const asks = opaque ? FILTER.other : (KINDS[kind] ?? (n.lexpr ? ASKS.get(name) : undefined) ?? FILTER.other);
  const by = SPELLED[kind] ?? name;
  const rights = as("List", n.rexpr)?.items ?? (n.rexpr ? [n.rexpr] : []);
  const fields = as("RowExpr", n.lexpr)?.args;
  const rows = rights.map((right) => as("RowExpr", right)?.args);

  let traces: Trace[];
  let joins = false;
  if (fields && rows.every((row) => row?.length === fields.length)) {
    // Field by field: `(a, b) = (1, 2)` asks of a and of b.
    traces = fields.flatMap((field, i) => {
      const sides = [field, ...rows.map((row) => row![i]!)].map((node) => side(analysis, node, scope));
      compare(analysis, asks, sides, by);
      return sides.map(({ trace }) => trace);
    });
  } else {
    const set = kind === "AEXPR_OP_ANY" || kind === "AEXPR_OP_ALL";
    const sides = [...(n.lexpr ? [n.lexpr] : []), ...rights].map((node) => side(analysis, node, scope));
    traces = sides.map(({ trace }) => trace);
    joins = concatenates(n) && !opaque && traces.every(isScalar);
    if (!joins) compare(analysis, asks, sides, by, set);
  }
  const operands = { ...union(traces), typeOid: joins ? joinedType(traces) : 0 };
  return custom.length === 0
    ? operands
    : { ...union([operands, callsRoutines(analysis, custom, name, operands)]), plain: false };
}

/** A text and anything else give a text. */
const joinedType = (traces: readonly Trace[]): number =>
  traces.some((trace) => hasSources(trace) && isText(trace)) ? TEXT : commonType(traces);

/** `x IN (SELECT …)`, `x = ANY (…)`, `(a, b) = (SELECT …)`: the test's fields against the query's columns. */
export function testsMembership(analysis: Analysis, n: NodeFields<"SubLink">, row: Row, scope: Scope): Trace {
  if (!n.testexpr) return NOTHING;
  const name = strings(n.operName).at(-1) ?? "=";
  const asks = ASKS.get(name) ?? FILTER.other;
  const fields = as("RowExpr", n.testexpr)?.args ?? [n.testexpr];
  const traces = fields.map((field, i) => {
    const own = side(analysis, field, scope);
    const trace = (fields.length === row.columns.length ? row.columns[i]?.trace : undefined) ?? rowTrace(row);
    compare(analysis, asks, [own, column(trace)], n.operName ? name : "IN");
    return own.trace;
  });
  return union(traces);
}

/** What USING and NATURAL compare. */
export function mergedColumn(analysis: Analysis, left: Trace, right: Trace): void {
  compare(analysis, FILTER.equality, [column(left), column(right)], "");
}

/** The value CASE compares with each of its arms'. */
export function comparesCase(
  analysis: Analysis,
  value: Node,
  arms: readonly (Node | undefined)[],
  scope: Scope,
): Trace {
  const sides = [value, ...arms.flatMap((arm) => arm ?? [])].map((node) => side(analysis, node, scope));
  compare(analysis, FILTER.equality, sides, "CASE");
  return union(sides.map(({ trace }) => trace));
}

/** @param set the last side stands for any of a set that is one value: an array. */
function compare(analysis: Analysis, asks: Use, sides: readonly Side[], by: string, set = false): void {
  if (!sides.some(({ trace }) => hasSources(trace))) return;
  const origins = new Map(sides.map((each) => [each, hasSources(each.trace) ? "other" : each.origin()]));
  for (const own of sides) {
    const { trace } = own;
    if (!hasSources(trace)) continue;
    const others = sides.filter((other) => other !== own && origins.get(other) !== "text");
    const spelled = others.every((other) => origins.get(other) === "argument" && analysis.sameArguments);
    let use: Use = asks;
    if (!own.whole() || (set && own === sides.at(-1))) use = FILTER.other;
    else if (asks === FILTER.equality && !spelled) {
      if (sides.every((other) => other === own || joinsByKey(analysis, own, other))) {
        analysis.arranges(trace);
        continue;
      }
      use = FILTER.join;
    }
    const against = others.length === 0 ? "text" : others.every((other) => other.trace.direct) ? "columns" : "anything";
    analysis.notes(trace, use, by, against);
  }
}

const hasSources = ({ sources, leaks }: Trace): boolean => sources.size > 0 || leaks;

/**
 * Both are columns as they stand, of which the catalog says that their values are those of the same key: which rows
 * belong together is what a foreign key is there to tell, and no value can be tried that is not in there.
 */
function joinsByKey(analysis: Analysis, a: Side, b: Side): boolean {
  analysis.step();
  const { catalog } = analysis.context;
  if (!a.trace.direct || !b.trace.direct || a.trace.leaks || b.trace.leaks) return false;
  const keys = new Set([...a.trace.sources].flatMap((source) => catalog.keysOf(source)));
  return [...b.trace.sources].some((source) => catalog.keysOf(source).some((key) => keys.has(key)));
}

function side(analysis: Analysis, node: Node, scope: Scope): Side {
  const trace = analysis.expression(node, scope);
  const origin = () => (isConstant(analysis, node) ? "text" : isArgument(analysis, node, scope) ? "argument" : "other");
  return { trace, whole: () => isWhole(analysis, node, trace, scope), origin };
}

const column = (trace: Trace): Side => ({ trace, whole: () => trace.direct, origin: () => "other" });

const rowTrace = (row: Row): Trace =>
  union([...row.columns.map(({ trace }) => trace), ...(row.open ? [row.open] : [])]);

const VARIES: ReadonlySet<string> = new Set(["ColumnRef", "SubLink", "SQLValueFunction"]);
const FOLDS: ReadonlySet<string> = new Set(["lower", "upper", "casefold"]);
const TEXTS: ReadonlySet<string> = new Set(["text", "varchar", "bpchar", "citext"]);

function isWhole(analysis: Analysis, node: Node, trace: Trace, scope: Scope): boolean {
  const bare = unfolded(node);
  if (!as("ColumnRef", bare)) return false;
  return bare === node ? trace.direct : analysis.trial(() => analysis.expression(bare, scope)).direct;
}

function isArgument(analysis: Analysis, node: Node, scope: Scope): boolean {
  const bare = unfolded(node);
  const names = as("ColumnRef", bare) !== undefined || as("ParamRef", bare) !== undefined;
  return names && analysis.trial(() => analysis.expression(bare, scope)) === analysis.parameters;
}

/** Case, collation and a cast to text aside. */
function unfolded(node: Node): Node {
  for (;;) {
    const cast = as("TypeCast", node);
    const call = as("FuncCall", node);
    let inner: Node | undefined;
    if (cast && TEXTS.has(strings(cast.typeName?.names).at(-1) ?? "") && !cast.typeName?.typmods) inner = cast.arg;
    else if (call && FOLDS.has(strings(call.funcname).at(-1) ?? "") && call.args?.length === 1) inner = call.args[0];
    else inner = as("CollateClause", node)?.arg;
    if (inner === undefined) return node;
    node = inner;
  }
}

/**
 * Constants, parameters of the command and what is computed of them alone, without asking the session or the clock. A
 * parameter of a function is what its caller gives it.
 */
export function isConstant(analysis: Analysis, node: Node): boolean {
  let constant = true;
  everyNode(node, (kind, fields) => {
    if (VARIES.has(kind) || (kind === "ParamRef" && analysis.running.size > 0)) constant = false;
    if (kind === "FuncCall") {
      const routines = analysis.names.routines(strings((fields as NodeFields<"FuncCall">).funcname));
      constant &&= routines.length > 0 && routines.every((r) => r.volatility === "immutable" && !r.returnsSet);
    }
  });
  return constant;
}
