import type { Node, SelectStmt } from "libpg-query";
import { as, constantText, everyNode, type NodeFields, type NodeKind, ruleFor, strings } from "../parser/ast.js";
import { bare, inline } from "./column-values.js";
import { compared, prefixed } from "./comparisons.js";
import { both, EVERY_ROW, type LeftOut } from "./gaps.js";
import { asked, opposite } from "./negations.js";
import { type Rows, spelled } from "./rows.js";
import { isNull } from "./values.js";

type Rule<K extends NodeKind> = (rows: Rows, fields: NodeFields<K>, node: Node) => readonly LeftOut[];

const NOTHING: readonly LeftOut[] = [];

/** What rows a condition is sure to leave out, by not being true of them; each way to say it. Of no way: perhaps none. */
export function leftOut(rows: Rows, given: Node): readonly LeftOut[] {
  rows.analysis.step();
  const node = inline(given);
  const found = ruleFor<Rule<NodeKind>>(RULES, node);
  return found?.rule(rows, found.fields, node) ?? NOTHING;
}

const RULES: { readonly [K in NodeKind]?: Rule<K> } = {
  BoolExpr: (rows, n) => {
    const parts = n.args ?? [];
    if (n.boolop === "AND_EXPR") return parts.flatMap((part) => leftOut(rows, part));
    if (n.boolop === "OR_EXPR")
      return ofEach(
        rows,
        parts.filter((part) => !isFalse(part)),
        parts[0],
      );
    return parts[0] ? denied(rows, inline(parts[0])) : NOTHING;
  },
  A_Const: (rows, _, node) => (isFalse(node) ? never(rows) : NOTHING),
  TypeCast: (rows, _, node) => (isFalse(node) ? never(rows) : NOTHING),
  // A column that is true or false.
  ColumnRef: (rows, _, node) => {
    const column = rows.column(node);
    return column ? [rows.gap(column, { kind: "some", which: "false" })] : NOTHING;
  },
  CurrentOfExpr: () => [new Map([["ctid", { kind: "most" }]])],
  NullTest: (rows, n) => ofNulls(rows, n.arg, n.nulltesttype === "IS_NULL"),
  BooleanTest: (rows, n) => {
    if (n.arg === undefined) return NOTHING;
    const test = n.booltesttype ?? "";
    if (test.includes("UNKNOWN")) return ofNulls(rows, n.arg, test === "IS_UNKNOWN");
    const column = rows.column(bare(n.arg));
    if (column) return [rows.gap(column, { kind: "some", which: test })];
    if (test === "IS_TRUE") return leftOut(rows, n.arg);
    return test === "IS_FALSE" ? denied(rows, inline(n.arg)) : NOTHING;
  },
  CaseExpr: (rows, n) => {
    const results = [...(n.args ?? []).map((arm) => as("CaseWhen", arm)?.result), n.defresult];
    return ofEach(rows, results.filter((result) => result !== undefined && !isFalse(result)) as Node[]);
  },
  CoalesceExpr: (rows, n) =>
    ofEach(
      rows,
      (n.args ?? []).filter((arg) => !isFalse(arg)),
    ),
  FuncCall: (rows, n) => {
    const [text, prefix] = n.args ?? [];
    return strings(n.funcname).at(-1) === "starts_with" ? prefixed(rows, text, prefix) : NOTHING;
  },
  SubLink: (rows, n) => {
    if (n.subLinkType === "EXISTS_SUBLINK") return matching(rows, n.subselect);
    if (n.subLinkType !== "ANY_SUBLINK" || !n.subselect) return NOTHING;
    return [undefined, "="].includes(strings(n.operName).at(-1)) ? among(rows, n.testexpr, n.subselect) : NOTHING;
  },
  A_Expr: (rows, n) => compared(rows, n, asked(n), among),
};

/** What each of them leaves out, as whichever of them may be what counts. */
function ofEach(rows: Rows, nodes: readonly Node[], otherwise?: Node): readonly LeftOut[] {
  if (nodes.length === 0) return otherwise && isFalse(otherwise) ? never(rows) : NOTHING;
  let ways: readonly LeftOut[] = [EVERY_ROW];
  for (const node of nodes) {
    ways = both(ways, leftOut(rows, node));
    rows.analysis.step(1 + ways.reduce((sum, { size }) => sum + (size >> 3), 0));
    if (ways.length === 0) break;
  }
  return ways;
}

const never = (rows: Rows): readonly LeftOut[] => (rows.countsNever ? [EVERY_ROW] : NOTHING);

/** What a condition leaves out by not being false. */
function denied(rows: Rows, node: Node): readonly LeftOut[] {
  const bool = as("BoolExpr", node);
  const parts = (bool?.args ?? []).map((part): Node => ({ BoolExpr: { boolop: "NOT_EXPR", args: [part] } }));
  if (bool?.boolop === "AND_EXPR") return ofEach(rows, parts);
  if (bool?.boolop === "OR_EXPR") return parts.flatMap((part) => leftOut(rows, part));
  if (bool) return bool.args?.[0] ? leftOut(rows, bool.args[0]) : NOTHING;
  const test = as("NullTest", node);
  if (test) return ofNulls(rows, test.arg, test.nulltesttype !== "IS_NULL");
  const link = as("SubLink", node);
  if (link) return mayMatch(rows, link.subselect) ? contrary(RULES.SubLink!(rows, link, node), link.location) : NOTHING;
  const comparison = as("A_Expr", node);
  if (comparison) return compared(rows, comparison, opposite(asked(comparison)), among);
  const column = as("ColumnRef", node) && rows.column(node);
  return column ? [rows.gap(column, { kind: "some", which: "true" })] : NOTHING;
}

/** Rows that do match, of which each of the columns compared has a say. */
function contrary(ways: readonly LeftOut[], place = 0): readonly LeftOut[] {
  const columns = ways.flatMap((way) => [...way.keys()]);
  const which = `not ${place}`;
  return columns.length > 0 ? [new Map(columns.map((column) => [column, { kind: "some", which }]))] : NOTHING;
}

function ofNulls(rows: Rows, node: Node | undefined, wanted: boolean): readonly LeftOut[] {
  const column = node && rows.column(bare(node));
  if (!column || (!wanted && rows.isNotNull(column))) return NOTHING;
  return [rows.gap(column, { kind: wanted ? "set" : "null" })];
}

/** `x IN (SELECT …)`, `(x, y) IN (SELECT …)`: a query over other tables, or over some rows of this one. */
function among(rows: Rows, tested: Node | undefined, subselect: Node): readonly LeftOut[] {
  const parts = as("RowExpr", tested)?.args ?? (tested ? [tested] : []);
  const narrow = rows.outputs(subselect);
  return parts.flatMap((part, i) => {
    const value = narrow[i] ? rows.value(part) : undefined;
    return value && !value.few ? [rows.gap(value.trace, { kind: "most" })] : [];
  });
}

/** What an EXISTS leaves out, if it is about the rows. */
function matching(rows: Rows, subselect: Node | undefined): readonly LeftOut[] {
  const sub = as("SelectStmt", subselect);
  if (!sub?.whereClause || sub.withClause || sub.larg || sub.groupClause || sub.havingClause) return NOTHING;
  // An aggregate gives a row of none.
  if (callsFunctions(sub)) return NOTHING;
  return leftOut(rows.within(sub), sub.whereClause);
}

function callsFunctions(sub: SelectStmt): boolean {
  let calls = false;
  everyNode(sub.targetList ?? [], (kind) => {
    calls ||= kind === "FuncCall" || kind.endsWith("Agg") || kind.endsWith("AggConstructor");
  });
  return calls;
}

/**
 * Whether a subquery could give a row: from tables alone, under conditions of which each looks at some column, and none
 * compares a thing with itself.
 */
function mayMatch(rows: Rows, subselect: Node | undefined): boolean {
  const sub = as("SelectStmt", subselect);
  if (!sub?.fromClause || sub.larg || sub.withClause || sub.groupClause || sub.havingClause) return false;
  if (sub.limitOffset || (sub.limitCount && !(Number(constantText(sub.limitCount) ?? 0) > 0))) return false;
  return sub.fromClause.every((node) => isTable(rows, node)) && allMayHold(rows, sub.whereClause);
}

function isTable(rows: Rows, node: Node | undefined): boolean {
  const table = as("RangeVar", node);
  if (table) return table.schemaname !== undefined || !rows.isCte(table.relname ?? "");
  const join = as("JoinExpr", node);
  return join !== undefined && isTable(rows, join.larg) && isTable(rows, join.rarg) && allMayHold(rows, join.quals);
}

const allMayHold = (rows: Rows, condition: Node | undefined): boolean =>
  andArms(condition).every((arm) => mayHold(rows, arm));

function mayHold(rows: Rows, arm: Node): boolean {
  return rows.analysis.remembered(arm, "may hold", () => {
    let looks = false;
    everyNode(arm, (kind) => {
      looks ||= kind === "ColumnRef";
    });
    const n = as("A_Expr", arm);
    return looks && !(n && spelled(n.lexpr) === spelled(n.rexpr));
  });
}

const andArms = (node: Node | undefined): readonly Node[] => {
  const bool = as("BoolExpr", node);
  if (bool?.boolop === "AND_EXPR") return (bool.args ?? []).flatMap(andArms);
  return node ? [node] : [];
};

/** False, or null, which is as good. */
function isFalse(node: Node): boolean {
  return isNull(node) || ["false", "f", "0", "no", "n", "off"].includes((constantText(node) ?? "").toLowerCase());
}
