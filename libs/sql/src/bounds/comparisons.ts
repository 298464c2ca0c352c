import type { Node } from "libpg-query";
import { as, everyNode, type NodeFields, strings } from "../parser/ast.js";
import { bare, type ColumnValue, inline } from "./column-values.js";
import { both, EVERY_ROW, type Gap, type LeftOut } from "./gaps.js";
import { type Comparison, turned } from "./negations.js";
import { needsLiteral, type PatternKind } from "./patterns.js";
import { type Rows, spelled } from "./rows.js";
import { type Constant, canBe, constantOf, elementsOf, isMiddling, isNull } from "./values.js";

/** What `x IN (SELECT …)` leaves out. */
type Among = (rows: Rows, tested: Node | undefined, subselect: Node) => readonly LeftOut[];

const NOTHING: readonly LeftOut[] = [];

/** What a comparison is sure to leave out: a column of the rows against what does not come from them. */
export function compared(rows: Rows, n: NodeFields<"A_Expr">, asked: Comparison, among: Among): readonly LeftOut[] {
  const { lexpr, rexpr } = n;
  if (lexpr === undefined || rexpr === undefined) return NOTHING;
  const items = as("List", rexpr)?.items ?? [];
  switch (asked.kind) {
    case "AEXPR_BETWEEN":
    case "AEXPR_BETWEEN_SYM":
      return between(rows, lexpr, items, asked.kind === "AEXPR_BETWEEN_SYM");
    case "AEXPR_NOT_BETWEEN":
    case "AEXPR_NOT_BETWEEN_SYM":
      return notBetween(rows, lexpr, items);
    case "AEXPR_IN":
      return listed(rows, asked.operator, lexpr, items);
    case "AEXPR_OP_ANY": {
      const array = as("SubLink", bare(rexpr));
      if (asked.operator !== "=") return NOTHING;
      return array?.subLinkType === "ARRAY_SUBLINK" && array.subselect
        ? among(rows, lexpr, array.subselect)
        : anyOf(rows, lexpr, rexpr);
    }
    case "AEXPR_OP_ALL": {
      const value = asked.operator === "<>" ? rows.value(lexpr) : undefined;
      // Nothing is different from all of none: only elements that can be read are there.
      const elements = value?.any ? elementsOf(rexpr) : undefined;
      return elements?.some((each) => canBe(value!.type, each)) ? [some(rows, value!, n)] : NOTHING;
    }
    case "AEXPR_DISTINCT":
      return distinct(rows, lexpr, rexpr);
    case "AEXPR_NOT_DISTINCT": {
      if (!isNull(rexpr)) return operated(rows, { ...asked, operator: "=" }, lexpr, rexpr);
      const column = rows.column(bare(lexpr));
      return column ? [rows.gap(column, { kind: "set" })] : NOTHING;
    }
    case "AEXPR_LIKE":
    case "AEXPR_ILIKE":
    case "AEXPR_SIMILAR":
    case "AEXPR_OP": {
      const [left, right] = [as("RowExpr", lexpr)?.args, as("RowExpr", rexpr)?.args];
      return left && right ? byField(rows, asked, left, right) : operated(rows, asked, lexpr, rexpr);
    }
    default:
      return NOTHING;
  }
}

/** `starts_with(text, prefix)`. */
export const prefixed = (rows: Rows, text: Node | undefined, prefix: Node | undefined): readonly LeftOut[] =>
  text && prefix ? operated(rows, { kind: "AEXPR_OP", operator: "^@", denied: false }, text, prefix) : NOTHING;

function byField(rows: Rows, asked: Comparison, left: readonly Node[], right: readonly Node[]): readonly LeftOut[] {
  const field = (node: Node, i: number) => (right[i] ? operated(rows, asked, node, right[i]) : NOTHING);
  if (asked.denied) return NOTHING;
  if (asked.operator === "=") return left.flatMap(field);
  if (asked.operator === "<>") return left.map(field).reduce(both, [EVERY_ROW]);
  // The first field decides, or is equal.
  return left[0] ? field(left[0], 0) : NOTHING;
}

const PATTERNS: Readonly<Record<string, PatternKind>> = {
  "~~": "like",
  "~~*": "like",
  "~": "regular",
  "~*": "regular",
  "^@": "prefix",
};
const PARTS: ReadonlySet<string> = new Set(["@>", "<@", "&&", "?", "?|", "?&"]);

/** `x op y` and `y op x`. */
function operated(rows: Rows, asked: Comparison, left: Node, right: Node): readonly LeftOut[] {
  const { operator, denied } = asked;
  const value = rows.value(left);
  const pattern = PATTERNS[operator.replace("!", "")];
  if (pattern) {
    const no = denied || operator.startsWith("!");
    return value ? patterned(rows, value, asked.kind === "AEXPR_SIMILAR" ? "similar" : pattern, right, no) : NOTHING;
  }
  const other = value ? right : left;
  const own = value ?? rows.value(right);
  const op = value ? operator : turned(operator);
  if (!own || op === undefined) return NOTHING;
  if (PARTS.has(op)) return containing(rows, own, op, other, denied);
  if (denied) return NOTHING;
  switch (op) {
    case "=":
      return equal(rows, own, other);
    case "<>":
      return own.any && isTelling(rows, own, other, canBe) ? [some(rows, own, inline(other))] : NOTHING;
    case "<":
    case "<=":
      return ranged(rows, own, other, "high");
    case ">":
    case ">=":
      return ranged(rows, own, other, "low");
    default:
      return NOTHING;
  }
}

function equal(rows: Rows, value: ColumnValue, other: Node): readonly LeftOut[] {
  if (!rows.isIndependent(other) && !rows.isOneValue(bare(other))) return NOTHING;
  return value.few ? [some(rows, value, "=", inline(other))] : [rows.gap(value.trace, { kind: "most" })];
}

function ranged(rows: Rows, value: ColumnValue, other: Node, kind: "low" | "high"): readonly LeftOut[] {
  if (value.few || !isTelling(rows, value, other, isMiddling)) return NOTHING;
  if (value.ordered) return [rows.gap(value.trace, { kind })];
  return value.any ? [some(rows, value, kind, other)] : NOTHING;
}

/** A constant that `tells` by its value, or something whose value does not stand in the text: of elsewhere, or of now. */
function isTelling(
  rows: Rows,
  { type }: ColumnValue,
  other: Node,
  tells: (type: number, constant: Constant) => boolean,
): boolean {
  const node = inline(other);
  const constant = constantOf(node);
  if (constant) return tells(type, constant);
  return rows.isIndependent(node) && (variesByTime(node) || rows.isStored(node));
}

const CLOCKS: ReadonlySet<string> = new Set("now transaction_timestamp statement_timestamp clock_timestamp".split(" "));

/** A parameter or the clock, and no infinity added to it. */
function variesByTime(node: Node): boolean {
  let varies = false;
  let infinite = false;
  everyNode(node, (kind, fields) => {
    if (kind === "ParamRef" || kind === "SQLValueFunction") varies = true;
    if (kind === "FuncCall") varies ||= CLOCKS.has(strings((fields as NodeFields<"FuncCall">).funcname).at(-1) ?? "");
    if (kind === "A_Const") infinite ||= /inf/i.test((fields as NodeFields<"A_Const">).sval?.sval ?? "");
  });
  return varies && !infinite;
}

function patterned(
  rows: Rows,
  value: ColumnValue,
  kind: PatternKind,
  pattern: Node,
  denied: boolean,
): readonly LeftOut[] {
  const escaped = as("FuncCall", pattern);
  // What SIMILAR TO makes of its pattern, without an ESCAPE of its own.
  const given = escaped && kind === "similar" && escaped.args?.length === 1 ? escaped.args[0] : pattern;
  const constant = constantOf(given && inline(given));
  if (constant?.kind !== "text" || !value.spelled || !needsLiteral(kind, constant.text)) return NOTHING;
  if (!denied) return [rows.gap(value.trace, { kind: "unlike" })];
  return value.any ? [some(rows, value, "not", kind, constant.text)] : NOTHING;
}

/** Arrays and JSON that hold, or are held by, something that is written out and not empty. */
function containing(
  rows: Rows,
  value: ColumnValue,
  operator: string,
  other: Node,
  denied: boolean,
): readonly LeftOut[] {
  if (!holdsParts(operator, other)) return NOTHING;
  if (!denied) return [rows.gap(value.trace, { kind: "unlike" })];
  return value.any ? [some(rows, value, "not", operator, other)] : NOTHING;
}

function holdsParts(operator: string, node: Node): boolean {
  if (operator === "?") return constantOf(node)?.kind === "text";
  const elements = elementsOf(node);
  if (elements) return elements.length > 0 && elements.every(({ kind, text }) => kind !== "null" && text !== "");
  const text = constantOf(node)?.text ?? "";
  if (!["@>", "<@"].includes(operator)) return false;
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && Object.keys(json).length > 0;
  } catch {
    return false;
  }
}

function listed(rows: Rows, operator: string, left: Node, items: readonly Node[]): readonly LeftOut[] {
  const fields = as("RowExpr", left)?.args;
  if (fields && operator === "=") {
    const lists = items.map((item) => as("RowExpr", item)?.args ?? []);
    return fields.flatMap((field, i) => {
      const column = lists.flatMap((list) => list[i] ?? []);
      return column.length === items.length ? listed(rows, operator, field, column) : [];
    });
  }
  const value = rows.value(left);
  if (!value || items.length === 0 || !items.every((item) => rows.isIndependent(item))) return NOTHING;
  if (operator === "=") {
    if (!value.few) return [rows.gap(value.trace, { kind: "most" })];
    return items.length === 1 ? [some(rows, value, "=", inline(items[0]!))] : NOTHING;
  }
  return value.any && items.some((item) => isTelling(rows, value, item, canBe))
    ? [some(rows, value, operator, items)]
    : NOTHING;
}

function anyOf(rows: Rows, left: Node, array: Node): readonly LeftOut[] {
  const value = rows.value(left);
  return value && !value.few && rows.isIndependent(array) ? [rows.gap(value.trace, { kind: "most" })] : NOTHING;
}

function between(rows: Rows, left: Node, ends: readonly Node[], either: boolean): readonly LeftOut[] {
  const value = rows.value(left);
  const [from, to] = ends;
  if (!value || !from || !to || !ends.every((end) => rows.isIndependent(end))) return NOTHING;
  const [above, below] = [ranged(rows, value, from, "low"), ranged(rows, value, to, "high")];
  // In either order each end may be the one or the other.
  return either && (above.length === 0 || below.length === 0) ? NOTHING : [...above, ...below];
}

/** Numbers only, in order: of others there may be nothing between. */
function notBetween(rows: Rows, left: Node, ends: readonly Node[]): readonly LeftOut[] {
  const value = rows.value(left);
  const [from, to] = ends.map(constantOf);
  if (!value?.any || !from || !to || from.kind !== "number" || to.kind !== "number") return NOTHING;
  const holds = [from, to].every((end) => canBe(value.type, end)) && Number(from.text) <= Number(to.text);
  return holds ? [some(rows, value, "not between", ends)] : NOTHING;
}

function distinct(rows: Rows, left: Node, right: Node): readonly LeftOut[] {
  const [tested, against] = rows.value(left) ? [left, right] : [right, left];
  const [value, other] = [rows.value(tested), inline(against)];
  if (!value) return NOTHING;
  const nullable = !rows.isNotNull(value.trace);
  if (isNull(other)) {
    const column = rows.column(bare(tested));
    return column && nullable ? [rows.gap(column, { kind: "null" })] : NOTHING;
  }
  // A value that is not known may be null: then it asks for what is not.
  const telling = value.any && isTelling(rows, value, other, canBe);
  return telling && (nullable || constantOf(other)) ? [some(rows, value, other)] : NOTHING;
}

/** Values of which no more is known than what says so. */
const some = (rows: Rows, value: ColumnValue, ...which: readonly unknown[]): LeftOut =>
  rows.gap(value.trace, { kind: "some", which: spelled(...which) } satisfies Gap);
