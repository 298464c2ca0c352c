import type { Node, SelectStmt } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { fromClause } from "./from-clause.js";
import { as, constantText, isKind, isPlace, type NodeFields, type NodeKind, ruleFor, strings } from "./parser/ast.js";
import { inside, type Scope } from "./scope.js";
import { type Row, type Trace, union } from "./trace.js";

/**
 * What a condition says of the rows of one table.
 * - `bounds`: it tells rows apart. - `always`: it holds for all (whose columns are not null). - `never`: for none.
 * - `constant`: it holds for all or for none, and which of the two is known only when it runs.
 */
type Truth = "always" | "never" | "constant" | "bounds";

/** Whether the condition keeps a write from touching every row of `table`; a write without one does not. */
export function bounds(analysis: Analysis, condition: Node | undefined, scope: Scope, table: string): boolean {
  if (condition === undefined) return false;
  const truth = analysis.trial(() => new Condition(analysis, scope, table).of(condition));
  return truth === "bounds" || truth === "never";
}

/** Whether a SELECT can leave out rows of what it selects from. */
export function restricts(analysis: Analysis, n: SelectStmt, scope: Scope): boolean {
  if (n.limitCount || n.limitOffset || n.havingClause) return true;
  const conditions = [...joinConditions(n.fromClause), ...(n.whereClause ? [n.whereClause] : [])];
  if (conditions.includes(null)) return true;
  // Only a write asks; for a read the answer that costs nothing is as good.
  if (!analysis.writing) return conditions.length > 0;
  return analysis.remembered(n, "restricts", () =>
    analysis.trial(() => {
      const condition = new Condition(analysis, scope, null);
      return conditions.some((node) => node !== null && condition.of(node) !== "always");
    }),
  );
}

/** ON conditions anywhere in FROM; null for USING and NATURAL. */
function joinConditions(nodes: readonly (Node | undefined)[] | undefined): (Node | null)[] {
  return (nodes ?? []).flatMap((node) => {
    const join = as("JoinExpr", node);
    if (!join) return [];
    const own = join.quals ? [join.quals] : join.usingClause || join.isNatural ? [null] : [];
    return [...own, ...joinConditions([join.larg, join.rarg])];
  });
}

const NEGATED: Readonly<Record<Truth, Truth>> = {
  always: "never",
  never: "always",
  constant: "constant",
  bounds: "bounds",
};
const OPPOSITE: Readonly<Record<string, string>> = {
  "=": "<>",
  "<>": "=",
  "<": ">=",
  ">=": "<",
  ">": "<=",
  "<=": ">",
  "~~": "!~~",
  "!~~": "~~",
  "~~*": "!~~*",
  "!~~*": "~~*",
};
/** Hold of a value and itself. */
const REFLEXIVE: ReadonlySet<string> = new Set(["=", ">=", "<=", "~~", "~~*", "@>", "<@", "&&", "~", "~*"]);
const IRREFLEXIVE: ReadonlySet<string> = new Set(["<>", "!=", "<", ">", "!~~", "!~~*", "!~", "!~*"]);
const ARITHMETIC: ReadonlySet<string> = new Set(["+", "-", "*", "/", "%", "||"]);
const MATCHES_ALL: Readonly<Record<string, RegExp>> = {
  "~~": /^%+$/,
  "~~*": /^%+$/,
  "~": /^\^?(\.\*)?\$?$/,
  "~*": /^\^?(\.\*)?\$?$/,
  "^@": /^$/,
};
/** Of what it gives no value is below 0. */
const COUNTS: ReadonlySet<string> = new Set([
  "length",
  "char_length",
  "character_length",
  "octet_length",
  "bit_length",
  "abs",
]);

class Condition {
  constructor(
    private readonly analysis: Analysis,
    private readonly scope: Scope,
    /** The table written to; null: columns of any. */
    private readonly table: string | null,
  ) {}

  of(node: Node): Truth {
    this.analysis.step();
    const inlined = inline(node);
    const found = ruleFor<Rule<NodeKind>>(RULES, inlined);
    if (found) return found.rule(this, found.fields, inlined);
    return this.dependsOn(inlined) ? "bounds" : "constant";
  }

  sublink(n: NodeFields<"SubLink">): Truth {
    const sub = as("SelectStmt", n.subselect);
    const correlated = n.subselect !== undefined && this.correlated(n.subselect);
    if (n.subLinkType === "EXISTS_SUBLINK") {
      if (!correlated || !sub) return "constant";
      const inner = this.innerTruth(sub);
      return inner === "always" ? "constant" : inner;
    }
    if (n.subLinkType !== "ANY_SUBLINK" && n.subLinkType !== "ALL_SUBLINK") return correlated ? "bounds" : "constant";
    if (sub && this.innerTruth(sub) === "never") return n.subLinkType === "ANY_SUBLINK" ? "never" : "always";
    const tested = n.testexpr ? this.columnKey(n.testexpr) : null;
    if (tested !== null && unionArms(n.subselect).some((arm) => this.gives(arm, tested))) return "always";
    return correlated || (n.testexpr && this.dependsOn(n.testexpr)) ? "bounds" : "constant";
  }

  /** Whether a query gives every value of a column. */
  private gives(subselect: Node, column: string): boolean {
    const [output] = this.analysis.query(subselect, this.scope).columns;
    return output !== undefined && baseKey(output.trace) === column;
  }

  private innerTruth(sub: SelectStmt): Truth {
    if (sub.limitCount && constantText(sub.limitCount) === "0") return "never";
    if (!sub.whereClause || sub.withClause) return "always";
    const names = fromClause(this.analysis, sub.fromClause, this.scope);
    return new Condition(this.analysis, inside(this.scope, names), this.table).of(sub.whereClause);
  }

  /** Whether the value differs from row to row of the table. */
  dependsOn(node: unknown): boolean {
    if (Array.isArray(node)) return node.some((item) => this.dependsOn(item));
    if (typeof node !== "object" || node === null) return false;
    return Object.entries(node).some(([key, value]) => {
      if (key === "ColumnRef") return this.ofTable(this.trace(node as Node));
      if (key === "SubLink") {
        const { testexpr, subselect } = value as NodeFields<"SubLink">;
        return this.dependsOn(testexpr) || (subselect !== undefined && this.correlated(subselect));
      }
      if (key === "CurrentOfExpr") return true;
      return this.dependsOn(value);
    });
  }

  private trace = (node: Node): Trace => this.analysis.expression(node, this.scope);

  private ofTable(trace: Trace): boolean {
    if (trace.base !== null) return this.table === null || trace.base.table === this.table;
    // A whole row, or a name that resolves to nothing.
    return trace.fields?.some((field) => this.ofTable(field.trace)) ?? false;
  }

  /** Runs the subquery with the table's columns marked, and looks whether a mark was read. */
  private correlated(subselect: Node): boolean {
    return this.analysis.remembered(subselect, `of ${this.table ?? "any"}`, () => this.looksOut(subselect));
  }

  private looksOut(subselect: Node): boolean {
    const mark = { schema: "", table: "", column: "" };
    const marked = (row: Row): Row => ({
      columns: row.columns.map((c) => ({
        name: c.name,
        trace: this.ofTable(c.trace) ? { ...union([c.trace]), sources: new Set([...c.trace.sources, mark]) } : c.trace,
      })),
      open: row.open && (this.ofTable(row.open) ? { ...row.open, sources: new Set([mark]) } : row.open),
    });
    const { names } = this.scope;
    const scope: Scope = {
      ...this.scope,
      names: { items: names.items.map((item) => ({ ...item, row: marked(item.row) })), row: marked(names.row) },
    };
    return this.analysis.allReads(() => void this.analysis.query(subselect, scope)).sources.has(mark);
  }

  /** The column an expression is, casts aside. */
  columnKey(node: Node): string | null {
    const bare = strip(node);
    return as("ColumnRef", bare) ? baseKey(this.trace(bare)) : null;
  }

  /** A whole row is a value even where each of its columns is null. */
  isRow(node: Node | undefined): boolean {
    const bare = node && strip(node);
    return bare !== undefined && as("ColumnRef", bare) !== undefined && this.trace(bare).fields !== null;
  }

  notNull(node: Node | undefined): boolean {
    const bare = node && strip(node);
    const base = bare && as("ColumnRef", bare) ? this.trace(bare).base : null;
    if (!base) return false;
    const dot = base.table.indexOf(".");
    const relation = this.analysis.context.catalog.relation(base.table.slice(0, dot), base.table.slice(dot + 1));
    return relation?.columns.some((c) => c.name === base.column && c.notNull) ?? false;
  }

  /** Same text, same value: columns by what they are rather than how they are spelled, casts and places left out. */
  canonical(node: unknown): string {
    return JSON.stringify(node, (key, value) => {
      if (isPlace(key)) return undefined;
      if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
      const bare = isKind(Object.keys(value)[0] ?? "") ? strip(inline(value as Node)) : value;
      if (as("ColumnRef", bare as Node)) return baseKey(this.trace(bare as Node)) ?? bare;
      return bare;
    });
  }

  /** Columns of the table in an expression of nothing but arithmetic; null in any other. */
  arithmetic(node: Node | undefined): string | null {
    const bare = node && strip(inline(node));
    if (bare === undefined || as("A_Const", bare)) return "";
    if (as("ColumnRef", bare)) return this.ofTable(this.trace(bare)) ? baseKey(this.trace(bare)) : null;
    const op = as("A_Expr", bare);
    if (op?.kind !== "AEXPR_OP" || !ARITHMETIC.has(strings(op.name).at(-1) ?? "")) return null;
    const left = this.arithmetic(op.lexpr);
    const right = this.arithmetic(op.rexpr);
    const sign = strings(op.name).at(-1);
    // What is taken from itself, and what is taken no times, is the same for every row.
    if (sign === "-" && this.canonical(op.lexpr) === this.canonical(op.rexpr)) return "";
    if (sign === "*" && [op.lexpr, op.rexpr].some((side) => Number(constantText(side) ?? Number.NaN) === 0)) return "";
    return left === null || right === null ? null : [...new Set([left, right].filter(Boolean))].sort().join(" ");
  }
}

type Rule<K extends NodeKind> = (condition: Condition, fields: NodeFields<K>, node: Node) => Truth;

const RULES: { readonly [K in NodeKind]?: Rule<K> } = {
  BoolExpr: (condition, n) => {
    const parts = n.args ?? [];
    const truths = parts.map((part) => condition.of(part));
    if (n.boolop === "NOT_EXPR") return NEGATED[truths[0] ?? "constant"];
    const [neutral, dominant]: Truth[] = n.boolop === "AND_EXPR" ? ["always", "never"] : ["never", "always"];
    if (truths.includes(dominant!)) return dominant!;
    if (n.boolop === "OR_EXPR" && complementary(condition, parts)) return "always";
    const rest = truths.filter((truth) => truth !== neutral);
    if (rest.length === 0) return neutral!;
    if (rest.every((truth) => truth === rest[0])) return rest[0]!;
    // A mix of `constant` and `bounds`: an AND is bounded by the one, an OR may be undone by the other.
    return n.boolop === "AND_EXPR" ? "bounds" : "constant";
  },
  A_Const: (_, n, node) => {
    if (n.isnull) return "never";
    const text = (constantText(node) ?? "").toLowerCase();
    if (["true", "t", "1", "yes", "y", "on"].includes(text)) return "always";
    return ["false", "f", "0", "no", "n", "off"].includes(text) ? "never" : "constant";
  },
  TypeCast: (condition, n) => (n.arg ? condition.of(n.arg) : "constant"),
  CollateClause: (condition, n) => (n.arg ? condition.of(n.arg) : "constant"),
  SubLink: (condition, n) => condition.sublink(n),
  CurrentOfExpr: () => "bounds",
  NullTest: (condition, n, node) => {
    const wantsNull = n.nulltesttype === "IS_NULL";
    if (as("A_Const", n.arg)) return wantsNull === Boolean(as("A_Const", n.arg)?.isnull) ? "always" : "never";
    if (condition.notNull(n.arg)) return wantsNull ? "never" : "always";
    return condition.dependsOn(node) ? "bounds" : "constant";
  },
  BooleanTest: (condition, n) => {
    const truth = n.arg ? condition.of(n.arg) : "constant";
    if (n.booltesttype === "IS_TRUE" || n.booltesttype === "IS_NOT_FALSE") return truth;
    if (n.booltesttype === "IS_FALSE" || n.booltesttype === "IS_NOT_TRUE") return NEGATED[truth];
    return n.booltesttype === "IS_NOT_UNKNOWN" ? "always" : truth === "bounds" ? "bounds" : "never";
  },
  CaseExpr: (condition, n, node) => {
    const results = [...(n.args ?? []).map((arm) => as("CaseWhen", arm)?.result), n.defresult];
    const truths = results.map((result) => (result ? condition.of(result) : "never"));
    const [first] = truths;
    if (first && truths.every((truth) => truth === first)) return first;
    const tests = (n.args ?? []).flatMap((arm): Node[] => {
      const test = as("CaseWhen", arm)?.expr;
      return test ? [n.arg ? equals(n.arg, test) : test] : [];
    });
    if (tests[0] && condition.of(tests[0]) === "always" && first) return first;
    const taken = truths.slice(0, -1).every((truth) => truth === "always") && condition.of(anyOf(tests)) === "always";
    if (taken) return "always";
    return condition.dependsOn(node) ? "bounds" : "constant";
  },
  CoalesceExpr: (condition, n) => {
    for (const arg of n.args ?? []) {
      if (as("A_Const", arg)?.isnull) continue;
      return condition.of(arg);
    }
    return "never";
  },
  FuncCall: (condition, n, node) => {
    const [first, second] = n.args ?? [];
    const depends = condition.dependsOn(node);
    // `int4eq(id, id)` and the like; `starts_with(name, '')`.
    const same = first && second && condition.canonical(first) === condition.canonical(second);
    const name = strings(n.funcname).at(-1) ?? "";
    const all = second && PREFIXES.has(name) && constantText(second) === "";
    return depends && !same && !all ? "bounds" : "constant";
  },
  A_Expr: comparison,
};
const PREFIXES: ReadonlySet<string> = new Set(["starts_with", "regexp_like", "like", "textregexeq"]);

const equals = (lexpr: Node, rexpr: Node): Node => ({
  A_Expr: { kind: "AEXPR_OP", name: [{ String: { sval: "=" } }], lexpr, rexpr },
});
const anyOf = (args: Node[]): Node => ({ BoolExpr: { boolop: "OR_EXPR", args } });

/** The queries of a UNION: it gives what each of them gives. */
function unionArms(node: Node | undefined): Node[] {
  const n = as("SelectStmt", node);
  const plain = n && !n.withClause && !n.limitCount && !n.limitOffset;
  if (plain && n.op === "SETOP_UNION" && n.larg && n.rarg) {
    return [...unionArms({ SelectStmt: n.larg }), ...unionArms({ SelectStmt: n.rarg })];
  }
  return node ? [node] : [];
}

function comparison(condition: Condition, n: NodeFields<"A_Expr">, node: Node): Truth {
  const name = strings(n.name).at(-1) ?? "";
  const op = name === "!=" ? "<>" : name;
  const { lexpr, rexpr } = n;
  if (lexpr === undefined || rexpr === undefined) return condition.dependsOn(node) ? "bounds" : "constant";
  const same = condition.canonical(lexpr) === condition.canonical(rexpr);
  const depends = condition.dependsOn(node);

  switch (n.kind) {
    case "AEXPR_DISTINCT":
    case "AEXPR_NOT_DISTINCT":
      if (same) return n.kind === "AEXPR_DISTINCT" ? "never" : "always";
      if (as("A_Const", strip(rexpr))?.isnull && (condition.isRow(lexpr) || condition.notNull(lexpr))) {
        return n.kind === "AEXPR_DISTINCT" ? "always" : "never";
      }
      break;
    case "AEXPR_IN": {
      const left = condition.canonical(lexpr);
      const items = as("List", rexpr)?.items ?? [];
      if (items.some((item) => condition.canonical(item) === left)) return op === "=" ? "always" : "never";
      break;
    }
    case "AEXPR_BETWEEN":
    case "AEXPR_BETWEEN_SYM": {
      const left = condition.canonical(lexpr);
      if ((as("List", rexpr)?.items ?? []).every((item) => condition.canonical(item) === left)) return "always";
      break;
    }
    case "AEXPR_OP_ANY": {
      const array = as("SubLink", strip(rexpr));
      if (array?.subLinkType === "ARRAY_SUBLINK") {
        return condition.sublink({ ...array, subLinkType: "ANY_SUBLINK", testexpr: lexpr });
      }
      const elements = as("A_ArrayExpr", strip(rexpr))?.elements ?? [];
      const left = condition.canonical(lexpr);
      if (op === "=" && elements.some((element) => condition.canonical(element) === left)) return "always";
      break;
    }
    case "AEXPR_OP":
    case "AEXPR_LIKE":
    case "AEXPR_ILIKE":
    case "AEXPR_SIMILAR": {
      const folded = depends ? undefined : constants(op, lexpr, rexpr);
      if (folded) return folded;
      if (same && depends) return IRREFLEXIVE.has(op) ? "never" : "always";
      if (depends && OPPOSITE[op] !== undefined && !op.includes("~")) {
        const left = condition.arithmetic(lexpr);
        const right = condition.arithmetic(rexpr);
        if (left === "" && right === "") return "constant";
        if (left && left === right) return "always";
        if (countIsNotNegative(op, lexpr, rexpr)) return "always";
      }
      const pattern = constantText(as("FuncCall", rexpr)?.args?.[0] ?? rexpr);
      const positive = op.replace(/^!/, "");
      const all = n.kind === "AEXPR_SIMILAR" ? MATCHES_ALL["~~"] : MATCHES_ALL[positive];
      if (pattern !== undefined && all?.test(pattern) && depends) {
        return positive === op ? "always" : "never";
      }
      break;
    }
  }
  return depends ? "bounds" : "constant";
}

/** A comparison of two literals. */
function constants(op: string, left: Node, right: Node): Truth | undefined {
  const l = as("A_Const", strip(left));
  const r = as("A_Const", strip(right));
  if (!l || !r) return undefined;
  if (l.isnull || r.isnull) return "never";
  const [a, b] = [constantText(left) ?? "", constantText(right) ?? ""];
  if (a === b) return REFLEXIVE.has(op) ? "always" : IRREFLEXIVE.has(op) ? "never" : undefined;
  if (l.sval || r.sval) return op === "=" && l.sval && r.sval ? "never" : undefined;
  const [x, y] = [Number(a), Number(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return undefined;
  const holds = { "=": x === y, "<>": x !== y, "<": x < y, ">": x > y, "<=": x <= y, ">=": x >= y }[op];
  return holds === undefined ? undefined : holds ? "always" : "never";
}

function countIsNotNegative(op: string, left: Node, right: Node): boolean {
  const name = strings(as("FuncCall", left)?.funcname).at(-1) ?? "";
  const limit = Number(constantText(right) ?? Number.NaN);
  return COUNTS.has(name) && ((op === ">=" && limit <= 0) || (op === ">" && limit < 0));
}

/** Whether two arms of an OR leave nothing out: `x = 1 or x <> 1`, `x < 5 or x > 3`, `x is null or x is not null`. */
function complementary(condition: Condition, arms: readonly Node[]): boolean {
  const seen = new Set<string>();
  const ranges = new Map<string, Range>();
  for (const arm of arms) {
    const [own, opposite] = signatures(condition, arm);
    if (own === undefined) continue;
    if (opposite !== undefined && seen.has(opposite)) return true;
    seen.add(own);
    const n = as("A_Expr", arm);
    const value = Number(constantText(n?.rexpr) ?? Number.NaN);
    if (!n || Number.isNaN(value)) continue;
    const key = condition.canonical(n.lexpr);
    const range = ranges.get(key) ?? new Range();
    ranges.set(key, range);
    if (range.covers(strings(n.name).at(-1) ?? "", value)) return true;
  }
  return false;
}

/** What arms of an OR let through of one expression's values. */
class Range {
  #above = { value: Number.POSITIVE_INFINITY, too: false };
  #below = { value: Number.NEGATIVE_INFINITY, too: false };
  #but: number | undefined;

  /** With one more arm: whether nothing is left out now. */
  covers(op: string, value: number): boolean {
    const too = op.endsWith("=");
    if (op === "<>") {
      if (this.#but !== undefined && this.#but !== value) return true;
      this.#but = value;
    } else if (op.startsWith(">")) {
      const { value: least } = this.#above;
      if (value < least) this.#above = { value, too };
      else if (value === least) this.#above.too ||= too;
    } else if (op.startsWith("<")) {
      const { value: most } = this.#below;
      if (value > most) this.#below = { value, too };
      else if (value === most) this.#below.too ||= too;
    }
    const [from, to] = [this.#above, this.#below];
    return from.value < to.value || (from.value === to.value && (from.too || to.too));
  }
}

/** A condition and its negation as texts that can be compared. */
function signatures(condition: Condition, node: Node): readonly [string | undefined, string | undefined] {
  const not = as("BoolExpr", node);
  if (not?.boolop === "NOT_EXPR") {
    const [inner] = not.args ?? [];
    const [own, opposite] = inner ? signatures(condition, inner) : [undefined, undefined];
    return [opposite ?? `not ${own}`, own];
  }
  const test = as("NullTest", node);
  if (test) {
    const arg = condition.canonical(test.arg);
    return test.nulltesttype === "IS_NULL" ? [`null ${arg}`, `set ${arg}`] : [`set ${arg}`, `null ${arg}`];
  }
  const truth = as("BooleanTest", node);
  if (truth) {
    const { booltesttype = "" } = truth;
    const arg = condition.canonical(truth.arg);
    const opposite = booltesttype.startsWith("IS_NOT_")
      ? booltesttype.replace("IS_NOT_", "IS_")
      : booltesttype.replace("IS_", "IS_NOT_");
    return [`${booltesttype} ${arg}`, `${opposite} ${arg}`];
  }
  const n = as("A_Expr", node);
  const op = strings(n?.name).at(-1) ?? "";
  const plain = condition.canonical(node);
  const opposite = OPPOSITE[op];
  if (!n || opposite === undefined) return [plain, `not ${plain}`];
  const sides = `${condition.canonical(n.lexpr)} ${condition.canonical(n.rexpr)}`;
  return [`${op} ${sides}`, `${opposite} ${sides}`];
}

/** A view's column is the one it shows. */
function baseKey({ base }: Trace): string | null {
  let shown = base;
  while (shown?.of) shown = shown.of;
  return shown ? `${shown.table}.${shown.column}` : null;
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
