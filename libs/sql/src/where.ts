import type { Node, SelectStmt } from "libpg-query";
import type { ColumnRef } from "#commands";
import type { Analysis } from "./analysis.js";
import { fromClause } from "./from-clause.js";
import { complementary, OPPOSITE } from "./opposites.js";
import { as, constantText, everyNode, type NodeFields, type NodeKind, ruleFor, strings } from "./parser/ast.js";
import { hasLiteral } from "./patterns.js";
import { inside, type Names, type RangeItem, type Scope } from "./scope.js";
import type { Row, Trace } from "./trace.js";

/**
 * Whether the condition keeps a write from touching every row of `target`, as far as its text tells: it compares one of
 * the target's columns with something that does not come from the target's own rows. What is not known to is taken for
 * a condition that leaves no row out.
 */
export function bounds(analysis: Analysis, condition: Node | undefined, scope: Scope, target: Names): boolean {
  const [item] = target.items;
  if (condition === undefined || item === undefined) return false;
  return analysis.trial(() => rowsOf(analysis, scope, item).leavesOut(condition));
}

/** The items of FROM of which a SELECT gives some rows only, whatever else it does with them. */
export function restricted(analysis: Analysis, n: SelectStmt, scope: Scope): ReadonlySet<RangeItem> {
  const { items } = scope.names;
  if (n.limitCount && !as("A_Const", n.limitCount)?.isnull) return new Set(items);
  const conditions = [...innerJoins(n.fromClause), ...(n.whereClause ? [n.whereClause] : [])];
  // Only a write asks; for a read the answer that costs nothing is as good.
  if (!analysis.writing) return new Set(conditions.length > 0 ? items : []);
  const bounded = analysis.remembered(n, "restricted", () =>
    analysis.trial(() =>
      items.map((item) => {
        const rows = rowsOf(analysis, scope, item);
        return conditions.some((condition) => rows.leavesOut(condition));
      }),
    ),
  );
  return new Set(items.filter((_, i) => bounded[i]));
}

/** Conditions of joins that leave out what they do not match. */
function innerJoins(nodes: readonly (Node | undefined)[] | undefined): Node[] {
  return (nodes ?? []).flatMap((node) => {
    const join = as("JoinExpr", node);
    if (join?.jointype !== "JOIN_INNER") return [];
    return [...(join.quals ? [join.quals] : []), ...innerJoins([join.larg, join.rarg])];
  });
}

/** What is asked about an item's rows: among the sources of its columns stands a mark of this asking's own. */
function rowsOf(analysis: Analysis, scope: Scope, item: RangeItem): Rows {
  const mark: ColumnRef = { schema: "", table: "", column: "" };
  return new Rows(analysis, marking(scope, item, mark), mark, tablesOf(item), true);
}

function marking(scope: Scope, item: RangeItem, by: ColumnRef): Scope {
  const own = new Set([...item.row.columns.map(({ trace }) => trace), item.row.open]);
  const mark = (trace: Trace): Trace =>
    own.has(trace) ? { ...trace, sources: new Set([...trace.sources, by]) } : trace;
  const marked = (row: Row): Row => ({
    columns: row.columns.map(({ name, trace }) => ({ name, trace: mark(trace) })),
    open: row.open && mark(row.open),
  });
  const { items, row } = scope.names;
  const names = {
    items: items.map((each) => (each === item ? { ...each, row: marked(each.row) } : each)),
    row: marked(row),
  };
  return { ...scope, names };
}

/** The table, what a view of it shows, and those of the same rows. */
const tablesOf = ({ row }: RangeItem): ReadonlySet<string> =>
  new Set(
    [...row.columns.map(({ trace }) => trace), ...(row.open ? [row.open] : [])].flatMap(({ sources }) =>
      [...sources].map(tableText),
    ),
  );
const tableText = ({ schema, table }: ColumnRef): string => `${schema}.${table}`;

const COMPARISONS: ReadonlySet<string> = new Set(
  "= <> < > <= >= ~~ !~~ ~~* !~~* ~ !~ ~* !~* ^@ @> <@ && @@ @? ? ?| ?&".split(" "),
);
const PATTERNS: ReadonlySet<string> = new Set("~~ !~~ ~~* !~~* ~ !~ ~* !~* ^@".split(" "));
/** Of a column and constants they give what tells rows apart as the column does. */
const PLAIN_FUNCTIONS: ReadonlySet<string> = new Set(
  "lower upper btrim ltrim rtrim date date_trunc date_part extract timezone timestamptz".split(" "),
);
const PLAIN_OPERATORS: ReadonlySet<string> = new Set("+ - -> ->> #> #>>".split(" "));

class Rows {
  constructor(
    private readonly analysis: Analysis,
    private readonly scope: Scope,
    private readonly mark: ColumnRef,
    private readonly tables: ReadonlySet<string>,
    /** A constant that is false leaves all rows out. */
    private readonly countsNever: boolean,
  ) {}

  /** Whether rows for which the condition does not hold are sure to be thinkable. */
  leavesOut(given: Node): boolean {
    this.analysis.step();
    const node = inline(given);
    const found = ruleFor<Rule<NodeKind>>(RULES, node);
    return found?.rule(this, found.fields, node) ?? false;
  }

  private isMarked = ({ sources }: Trace): boolean => sources.has(this.mark);

  isNever(node: Node): boolean {
    return this.countsNever && (as("A_Const", node)?.isnull === true || isFalse(node));
  }

  /** The conditions of an OR: each leaves rows out, and no two of them take back what the other says. */
  eachLeavesOut(nodes: readonly Node[]): boolean {
    const arms = nodes.flatMap(orArms);
    return arms.every((arm) => this.leavesOut(arm)) && !complementary(arms, this.columnName);
  }

  /** A column of the rows as it stands, casts aside. */
  column(node: Node | undefined): Trace | null {
    const bare = node && strip(inline(node));
    if (!bare || !as("ColumnRef", bare)) return null;
    const trace = this.trace(bare);
    return this.isMarked(trace) && trace.fields === null ? trace : null;
  }

  /** A column of the rows, or what is made of it and constants and tells rows apart likewise. */
  isColumn(node: Node | undefined): boolean {
    const bare = node && strip(inline(node));
    if (!bare) return false;
    if (this.column(bare)) return true;
    const call = as("FuncCall", bare);
    if (call && PLAIN_FUNCTIONS.has(strings(call.funcname).at(-1) ?? "")) return this.isOneColumn(call.args ?? []);
    const coalesce = as("CoalesceExpr", bare);
    if (coalesce) return this.isOneColumn(coalesce.args ?? []);
    const op = as("A_Expr", bare);
    const name = strings(op?.name).at(-1) ?? "";
    if (op?.kind !== "AEXPR_OP" || !op.lexpr || !op.rexpr) return false;
    if (name === "%") return this.isColumn(op.lexpr) && Number(constantText(op.rexpr) ?? 0) > 1;
    return PLAIN_OPERATORS.has(name) && this.isOneColumn([op.lexpr, op.rexpr]);
  }

  private isOneColumn(nodes: readonly Node[]): boolean {
    const [column, ...others] = nodes.filter((node) => !isFixed(node));
    return others.length === 0 && this.isColumn(column);
  }

  /** Whether a value is the same whichever of the rows is looked at, and is not any row's of the table. */
  isIndependent(node: Node | undefined): boolean {
    if (node === undefined) return false;
    let value: Trace | null = null;
    const looked = this.analysis.allReads(() => {
      value = this.trace(node);
    });
    return [looked, value!].every((trace) => !this.isMarked(trace)) && !this.isOfEveryRow(value!);
  }

  /** `=` a single value leaves out all rows but one, if it is the same for all. */
  private isOneValue(node: Node): boolean {
    const link = as("SubLink", strip(node));
    if (link?.subLinkType !== "EXPR_SUBLINK") return false;
    return !this.isMarked(this.analysis.allReads(() => void this.trace(node)));
  }

  private isOfEveryRow({ sources, everyRow }: Trace): boolean {
    return everyRow && [...sources].some((source) => this.tables.has(tableText(source)));
  }

  compares(op: string, left: Node | undefined, right: Node | undefined): boolean {
    const sides = [
      [left, right],
      [right, left],
    ] as const;
    return sides.some(([column, other]) => {
      if (!other || !this.isColumn(column)) return false;
      return this.isIndependent(other) || (op === "=" && this.isOneValue(other));
    });
  }

  comparesRows(op: string, left: readonly Node[], right: readonly Node[]): boolean {
    const pairs = left.map((node, i) => this.compares(op, node, right[i]));
    return op === "=" ? pairs.some(Boolean) : (pairs[0] ?? false);
  }

  /** `x IN (SELECT …)`, `(x, y) IN (SELECT …)`. */
  isAmong(tested: Node | undefined, subselect: Node | undefined): boolean {
    if (!tested || !subselect) return false;
    const parts = as("RowExpr", tested)?.args ?? [tested];
    const { columns, open } = this.analysis.query(subselect, this.scope);
    return parts.some((part, i) => {
      const output = columns[i]?.trace;
      return (
        output !== undefined && !open && this.isColumn(part) && !this.isMarked(output) && !this.isOfEveryRow(output)
      );
    });
  }

  /** Whether an EXISTS is about the rows. */
  matches(subselect: Node | undefined): boolean {
    const sub = as("SelectStmt", subselect);
    if (!sub?.whereClause || sub.withClause || sub.larg) return false;
    const names = fromClause(this.analysis, sub.fromClause, this.scope);
    const rows = new Rows(this.analysis, inside(this.scope, names), this.mark, this.tables, false);
    return rows.leavesOut(sub.whereClause);
  }

  isNotNull(trace: Trace): boolean {
    if (!trace.base) return false;
    const dot = trace.base.table.indexOf(".");
    const relation = this.analysis.context.catalog.relation(
      trace.base.table.slice(0, dot),
      trace.base.table.slice(dot + 1),
    );
    return relation?.columns.some((c) => c.name === trace.base?.column && c.notNull) ?? false;
  }

  /** What a column is, however it is spelled; for any other expression undefined. */
  private columnName = (node: Node): string | undefined => {
    const bare = strip(inline(node));
    const base = as("ColumnRef", bare) ? this.trace(bare).base : null;
    return base ? `${base.table}.${base.column}` : undefined;
  };

  private trace = (node: Node): Trace => this.analysis.expression(node, this.scope);
}

type Rule<K extends NodeKind> = (rows: Rows, fields: NodeFields<K>, node: Node) => boolean;

const RULES: { readonly [K in NodeKind]?: Rule<K> } = {
  BoolExpr: (rows, n) => {
    const parts = n.args ?? [];
    if (n.boolop === "AND_EXPR") return parts.some((part) => rows.leavesOut(part));
    if (n.boolop === "OR_EXPR") {
      const arms = parts.filter((part) => !isFalse(part));
      return arms.length === 0 ? rows.isNever(parts[0]!) : rows.eachLeavesOut(arms);
    }
    return parts[0] !== undefined && negated(rows, inline(parts[0]));
  },
  A_Const: (rows, _, node) => rows.isNever(node),
  TypeCast: (rows, n) => (n.arg ? rows.leavesOut(n.arg) : false),
  // A column that is true or false.
  ColumnRef: (rows, _, node) => rows.column(node) !== null,
  CurrentOfExpr: () => true,
  NullTest: (rows, n) => {
    const column = rows.column(n.arg);
    return column !== null && (n.nulltesttype === "IS_NULL" || !rows.isNotNull(column));
  },
  BooleanTest: (rows, n) => {
    if (n.arg === undefined) return false;
    const column = rows.column(n.arg);
    if (column) return !n.booltesttype?.includes("UNKNOWN") || !rows.isNotNull(column);
    if (n.booltesttype === "IS_TRUE") return rows.leavesOut(n.arg);
    return n.booltesttype === "IS_FALSE" && negated(rows, inline(n.arg));
  },
  CaseExpr: (rows, n) => {
    const results = [...(n.args ?? []).map((arm) => as("CaseWhen", arm)?.result), n.defresult];
    const taken = results.filter((result) => result !== undefined && !isFalse(result)) as Node[];
    return taken.length > 0 && rows.eachLeavesOut(taken);
  },
  CoalesceExpr: (rows, n, node) => {
    const conditions = (n.args ?? []).filter((arg) => !as("A_Const", arg)?.isnull && !isFalse(arg));
    return rows.isColumn(node) || (conditions.length > 0 && rows.eachLeavesOut(conditions));
  },
  FuncCall: (rows, n) => {
    const [column, prefix] = n.args ?? [];
    if (strings(n.funcname).at(-1) !== "starts_with" || constantText(prefix) === "") return false;
    return rows.compares("^@", column, prefix);
  },
  SubLink: (rows, n) => {
    if (n.subLinkType === "EXISTS_SUBLINK") return rows.matches(n.subselect);
    if (n.subLinkType !== "ANY_SUBLINK") return false;
    return [undefined, "="].includes(strings(n.operName).at(-1)) && rows.isAmong(n.testexpr, n.subselect);
  },
  A_Expr: (rows, n) => comparison(rows, n, strings(n.name).at(-1) ?? ""),
};

/** Whether the condition leaves rows out by not holding. */
function negated(rows: Rows, node: Node): boolean {
  const bool = as("BoolExpr", node);
  const parts = (bool?.args ?? []).map((part): Node => ({ BoolExpr: { boolop: "NOT_EXPR", args: [part] } }));
  if (bool?.boolop === "AND_EXPR") return rows.eachLeavesOut(parts);
  if (bool?.boolop === "OR_EXPR") return parts.some((part) => rows.leavesOut(part));
  if (bool) return bool.args?.[0] !== undefined && rows.leavesOut(bool.args[0]);
  const test = as("NullTest", node);
  if (test) {
    const nulltesttype = test.nulltesttype === "IS_NULL" ? "IS_NOT_NULL" : "IS_NULL";
    return rows.leavesOut({ NullTest: { ...test, nulltesttype } });
  }
  const link = as("SubLink", node);
  if (link) return !isEmptied(link.subselect) && rows.leavesOut(node);
  const op = as("A_Expr", node);
  if (op) {
    const name = strings(op.name).at(-1) ?? "";
    return comparison(rows, op, OPPOSITE[name] ?? name);
  }
  return rows.column(node) !== null;
}

/** A subquery that gives nothing, whatever its tables hold, or may. */
function isEmptied(subselect: Node | undefined): boolean {
  const sub = as("SelectStmt", subselect);
  if (!sub || (sub.limitCount && Number(constantText(sub.limitCount) ?? 0) === 0)) return true;
  return andArms(sub.whereClause).some((arm) => {
    let looks = false;
    everyNode(arm, (kind) => {
      looks ||= kind === "ColumnRef";
    });
    return !looks;
  });
}

function comparison(rows: Rows, n: NodeFields<"A_Expr">, spelled: string): boolean {
  const op = spelled === "!=" ? "<>" : spelled;
  const { lexpr, rexpr } = n;
  if (lexpr === undefined || rexpr === undefined) return false;
  const items = as("List", rexpr)?.items ?? [];
  if (n.kind?.includes("BETWEEN")) return rows.isColumn(lexpr) && items.every((item) => rows.isIndependent(item));
  if (!COMPARISONS.has(op)) return false;
  switch (n.kind) {
    case "AEXPR_IN":
      return rows.isColumn(lexpr) && items.every((item) => rows.isIndependent(item));
    case "AEXPR_OP_ANY":
    case "AEXPR_OP_ALL": {
      if (op !== (n.kind === "AEXPR_OP_ANY" ? "=" : "<>")) return false;
      const array = as("SubLink", strip(rexpr));
      return array?.subLinkType === "ARRAY_SUBLINK"
        ? n.kind === "AEXPR_OP_ANY" && rows.isAmong(lexpr, array.subselect)
        : rows.compares(op, lexpr, rexpr);
    }
    case "AEXPR_DISTINCT":
    case "AEXPR_NOT_DISTINCT": {
      const column = rows.column(lexpr);
      // IS DISTINCT FROM NULL is IS NOT NULL.
      if (as("A_Const", strip(rexpr))?.isnull) return column !== null && !rows.isNotNull(column);
      return rows.compares("=", lexpr, rexpr);
    }
    case "AEXPR_OP":
    case "AEXPR_LIKE":
    case "AEXPR_ILIKE":
    case "AEXPR_SIMILAR": {
      const [left, right] = [as("RowExpr", lexpr)?.args, as("RowExpr", rexpr)?.args];
      if (left && right) return rows.comparesRows(op, left, right);
      const pattern = constantText(as("FuncCall", rexpr)?.args?.[0] ?? rexpr);
      if (PATTERNS.has(op) && pattern !== undefined && !hasLiteral(n.kind === "AEXPR_SIMILAR" ? "~~" : op, pattern)) {
        return false;
      }
      return rows.compares(op, lexpr, rexpr);
    }
    default:
      return false;
  }
}

const orArms = (node: Node): readonly Node[] => {
  const bool = as("BoolExpr", node);
  return bool?.boolop === "OR_EXPR" ? (bool.args ?? []).flatMap(orArms) : [node];
};
const andArms = (node: Node | undefined): readonly Node[] => {
  const bool = as("BoolExpr", node);
  if (bool?.boolop === "AND_EXPR") return (bool.args ?? []).flatMap(andArms);
  return node ? [node] : [];
};

function isFalse(node: Node): boolean {
  return ["false", "f", "0", "no", "n", "off"].includes((constantText(node) ?? "").toLowerCase());
}

/** A constant or a parameter: the same for every row. */
function isFixed(node: Node): boolean {
  const bare = strip(node);
  return (
    as("A_Const", bare) !== undefined ||
    as("ParamRef", bare) !== undefined ||
    as("SQLValueFunction", bare) !== undefined
  );
}

/** Casts and collations do not change which rows are meant. */
function strip(node: Node): Node {
  for (;;) {
    const inner = as("TypeCast", node)?.arg ?? as("CollateClause", node)?.arg;
    if (inner === undefined) return node;
    node = inner;
  }
}

/** `(select x)` without a FROM is x. */
function inline(node: Node): Node {
  const link = as("SubLink", node);
  const sub = link?.subLinkType === "EXPR_SUBLINK" ? as("SelectStmt", link.subselect) : undefined;
  if (!sub || sub.fromClause || sub.whereClause || sub.limitCount || sub.larg || sub.withClause) return node;
  const value = as("ResTarget", sub.targetList?.[0])?.val;
  return value ? inline(value) : node;
}
