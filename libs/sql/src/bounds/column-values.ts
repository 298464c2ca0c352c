import type { Node } from "libpg-query";
import { as, constantText, strings } from "../parser/ast.js";
import type { Trace } from "../trace.js";
import { DATE, familyOf, NUMERIC, TEXT, TIMESTAMP, TIMESTAMPTZ } from "./types.js";
import { constantOf, isNull, plainType } from "./values.js";

/** A column as it stands in a comparison, or what a few known casts, functions and operators make of it. */
export interface ColumnValue {
  readonly trace: Trace;
  /** By OID; 0 where it is not known. Of a number made wider it is the column's own, whose values are all it has. */
  readonly type: number;
  /** Every value of the type can be. Where not, a value that cannot be leaves nothing out by being asked not to be. */
  readonly any: boolean;
  /** It goes up and down as the column does, as far as that. */
  readonly ordered: boolean;
  /** So few values can be that a list could hold them all. */
  readonly few: boolean;
  /** A text that patterns can be asked of. */
  readonly spelled: boolean;
}

/** A column of the rows in question, as it stands; null for anything else. */
type ColumnAt = (node: Node) => Trace | null;

/** Undefined where it is no column, or could be made of something besides. */
export function columnValue(given: Node | undefined, column: ColumnAt): ColumnValue | undefined {
  if (!given) return undefined;
  const node = inline(given);
  const trace = as("ColumnRef", node) && column(node);
  if (trace) return asItStands(trace);
  const of = (inner: Node | undefined) => columnValue(inner, column);

  const collated = as("CollateClause", node);
  if (collated) return of(collated.arg);
  const cast = as("TypeCast", node);
  if (cast) {
    const value = of(cast.arg);
    return value && asType(value, plainType(cast.typeName));
  }
  const coalesce = as("CoalesceExpr", node);
  if (coalesce) {
    // Where the column is not null, it is the column; a constant before it would be all there is.
    const [first, ...others] = coalesce.args ?? [];
    return others.every(isFixed) ? of(first) : undefined;
  }
  const call = as("FuncCall", node);
  if (call) return called(strings(call.funcname), call.args ?? [], of);
  const op = as("A_Expr", node);
  return op?.kind === "AEXPR_OP" ? operated(strings(op.name).at(-1) ?? "", op.lexpr, op.rexpr, of) : undefined;
}

function asItStands(trace: Trace): ColumnValue {
  const family = familyOf(trace.typeOid);
  const spelled = family === "text" || family === "other";
  return { trace, type: trace.typeOid, any: true, ordered: true, few: family === "boolean", spelled };
}

function asType(value: ColumnValue, type: number): ColumnValue | undefined {
  const [from, to] = [familyOf(value.type), familyOf(type)];
  if (type === 0 || to === "boolean") return undefined;
  if (value.type === type || (from === to && from !== "time")) return value;
  if (from === "integer" && to === "number") return value;
  if (from === "number" && to === "integer") return { ...value, type };
  if (from === "time" && to === "time") {
    // A time of day is lost to a date; a date has none but midnight.
    return { ...value, type, any: value.any && value.type !== DATE };
  }
  if (to === "text") return { ...value, type, any: false, ordered: false, spelled: value.spelled && from !== "other" };
  // What is spelled in a text can be any value.
  return from === "text" ? { ...value, type, ordered: false, spelled: false } : undefined;
}

const FOLDS: ReadonlySet<string> = new Set(["lower", "upper", "btrim", "ltrim", "rtrim"]);
/** What tells days apart; hours are none of a date. */
const FIELDS: ReadonlySet<string> = new Set("year isoyear quarter month week day dow isodow doy".split(" "));

function called(
  names: readonly string[],
  args: readonly Node[],
  of: (node: Node | undefined) => ColumnValue | undefined,
): ColumnValue | undefined {
  if (names.length > 1 && names[0] !== "pg_catalog") return undefined;
  const name = names.at(-1) ?? "";
  const [first, second] = args;
  if (FOLDS.has(name) && args.length === 1) {
    const value = of(first);
    return value && { ...value, any: false, ordered: false };
  }
  if (name === "date" && args.length === 1) {
    const value = of(first);
    return value && asType(value, DATE);
  }
  if (!first || !isFixed(first)) return undefined;
  const value = of(second);
  if (!value || familyOf(value.type) !== "time") return undefined;
  if (name === "timezone" && args.length === 2) {
    return { ...value, type: value.type === TIMESTAMPTZ ? TIMESTAMP : TIMESTAMPTZ, any: false };
  }
  if (name === "date_trunc") return args.slice(2).every(isFixed) ? { ...value, any: false } : undefined;
  if (name !== "extract" && name !== "date_part") return undefined;
  if (!FIELDS.has((constantOf(first)?.text ?? "").toLowerCase())) return undefined;
  return { ...value, type: NUMERIC, any: false, ordered: false, few: true, spelled: false };
}

function operated(
  name: string,
  left: Node | undefined,
  right: Node | undefined,
  of: (node: Node | undefined) => ColumnValue | undefined,
): ColumnValue | undefined {
  if (!left || !right) return undefined;
  const turned = name === "+" && isFixed(left);
  const [value, by] = turned ? [of(right), left] : [of(left), right];
  if (!value || !isFixed(by) || isNull(by)) return undefined;
  const family = familyOf(value.type);
  const text = constantText(by);
  switch (name) {
    case "+":
    case "-":
      if (/inf/i.test(text ?? "")) return undefined;
      if (family === "time") return { ...value, type: value.type === DATE ? TIMESTAMP : value.type, any: false };
      return family === "integer" || value.type === NUMERIC ? { ...value, any: false, ordered: false } : undefined;
    case "%":
      if (family !== "integer" && family !== "number") return undefined;
      return Number.isInteger(Number(text)) && Number(text) > 1
        ? { ...value, any: false, ordered: false, few: true }
        : undefined;
    case "->":
    case "#>":
      return family === "json" ? { ...value, ordered: false } : undefined;
    case "->>":
    case "#>>":
      return family === "json" ? { ...value, type: TEXT, ordered: false, spelled: true } : undefined;
    default:
      return undefined;
  }
}

/** A constant, a parameter, or what the server says of the moment: the same for every row. */
function isFixed(node: Node): boolean {
  const inner = as("TypeCast", node)?.arg;
  if (inner) return isFixed(inner);
  return ["A_Const", "ParamRef", "SQLValueFunction"].some((kind) => kind in node);
}

/** Casts and collations do not change which column is meant. */
export function bare(node: Node): Node {
  for (;;) {
    const inner = as("TypeCast", node)?.arg ?? as("CollateClause", node)?.arg;
    if (inner === undefined) return inline(node);
    node = inner;
  }
}

/** `(select x)` without a FROM is x. */
export function inline(node: Node): Node {
  const link = as("SubLink", node);
  const sub = link?.subLinkType === "EXPR_SUBLINK" ? as("SelectStmt", link.subselect) : undefined;
  if (!sub || sub.fromClause || sub.whereClause || sub.limitCount || sub.limitOffset || sub.havingClause) return node;
  if (sub.larg || sub.withClause || sub.groupClause) return node;
  const value = as("ResTarget", sub.targetList?.[0])?.val;
  return value ? inline(value) : node;
}
