import type { Node } from "libpg-query";
import type { Analysis } from "../analysis.js";
import { as, everyNode, kindOf, type NodeFields, NotUnderstood, strings } from "../parser/ast.js";
import { intoOf } from "../select-into.js";
import { NOTHING, type Row, type Trace, union, wholeRow } from "../trace.js";
import { FILTER } from "../uses.js";
import type { Datum, Expr, Expression, PlpgsqlBody, Statement } from "./body.js";
import { statementRule } from "./statements.js";
import { OF_ERRORS, type Variables } from "./variables.js";

/** A body being understood: once through it from top to bottom, and again where it goes back. */
export class Running {
  /** What it gives, by each RETURN. */
  readonly returned: Row[] = [];
  /** It goes back to what stands further up. */
  goesBack = false;
  private readonly seen = new Set<Expr>();
  private readonly handlesErrors: boolean;

  constructor(
    readonly analysis: Analysis,
    readonly body: PlpgsqlBody,
    readonly variables: Variables,
    /** What has decided which way is taken, up to now. */
    public control: Trace,
  ) {
    this.handlesErrors = body.datums.some(({ PLpgSQL_var }) => PLpgSQL_var?.refname === "sqlerrm");
  }

  /** What variables are declared with. Where that is made of others, they may have changed since. */
  defaults(): void {
    for (const { PLpgSQL_var: { refname, default_val, cursor_explicit_expr } = {} } of this.body.datums) {
      if (default_val) {
        this.goesBack ||= namesColumns(default_val.PLpgSQL_expr.node);
        this.variables.assign({ name: refname! }, this.value(default_val), this.control);
      }
      // It is run where it is opened.
      if (cursor_explicit_expr) this.seen.add(cursor_explicit_expr.PLpgSQL_expr);
    }
  }

  /** @throws NotUnderstood for anything in it that cannot be told. */
  statements(list: readonly Statement[] | undefined): void {
    for (const statement of list ?? []) {
      this.analysis.step();
      const [kind = "", fields] = Object.entries(statement)[0] ?? [];
      const rule = statementRule(kind);
      if (!rule) throw new NotUnderstood(`${kind} in PL/pgSQL is not known`);
      rule(this, fields as never);
    }
  }

  /** What is in it is done any number of times. */
  loop(list: readonly Statement[] | undefined): void {
    this.goesBack = true;
    const { parts } = this.analysis;
    const before = parts.length;
    this.statements(list);
    for (const part of parts.slice(before)) part.repeats();
  }

  /** Whether every expression of the body has been looked at. */
  get whole(): boolean {
    return this.seen.size === this.body.expressions;
  }

  /** The node of an expression that is looked at now. */
  node({ PLpgSQL_expr: expr }: Expression): Node {
    this.seen.add(expr);
    if (this.handlesErrors) refuseErrors(this.analysis, expr.node);
    return expr.node;
  }

  /** The rows of a query. */
  rows(expression: Expression): Row {
    return this.query(this.node(expression));
  }

  private query(node: Node): Row {
    if (intoOf(node)) throw new NotUnderstood("a table made by SELECT INTO");
    return this.analysis.query(node, this.variables.scope);
  }

  /** The one value of an expression. */
  value(expression: Expression): Trace {
    const row = this.rows(expression);
    return row.columns.length === 1 && !row.open ? row.columns[0]!.trace : union([wholeRow(row)]);
  }

  /** An expression whose truth decides which way is taken. */
  test(expression: Expression, clause: string): void {
    const node = this.node(expression);
    const only = plainValue(node);
    this.analysis.inClause(clause, () => {
      if (only) this.decides(this.analysis.condition(only, this.variables.scope));
      else this.decidesBy(union([wholeRow(this.query(node))]), "anything");
    });
  }

  /** A value that decides how often something is done, or what becomes of it. */
  decidesBy(trace: Trace, against: "text" | "anything" = "text"): void {
    this.analysis.notes(trace, FILTER.other, "", against);
    this.decides(trace);
  }

  decides(trace: Trace): void {
    this.control = union([this.control, trace]);
  }

  assign(varno: number | undefined, value: Trace): void {
    this.variables.assign(this.variables.place(varno), value, this.control);
  }

  /** The columns of a row, each to its variable; all of them to one that is a row. */
  into(target: Datum, row: Row): void {
    const list = target.PLpgSQL_row?.fields;
    if (list && list.length !== 1) {
      for (const [i, { varno }] of list.entries())
        this.assign(varno, row.open ? union([wholeRow(row)]) : (row.columns[i]?.trace ?? NOTHING));
      return;
    }
    const place = list ? this.variables.place(list[0]!.varno) : this.placeOf(target);
    this.variables.assign(place, ofOne(row), this.control);
  }

  private placeOf({ PLpgSQL_rec, PLpgSQL_var }: Datum) {
    const variable = PLpgSQL_rec ?? PLpgSQL_var;
    if (!variable) throw new NotUnderstood("what a row is stored in");
    return { name: variable.refname };
  }

  /** Notes what decides whether the statement found rows, and how many: FOUND and ROW_COUNT tell it. */
  finds(node: Node): void {
    if (!this.body.asksFound) return;
    const { analysis, variables } = this;
    const decided = analysis.trial(() =>
      analysis.allReads(() => void analysis.query(withoutOutputs(node), variables.scope)),
    );
    this.variables.assign({ name: "found" }, decided, this.control);
  }
}

/** One variable takes the only column, or a row's columns in turn. */
function ofOne(row: Row): Trace {
  const [only] = row.columns;
  const whole = union([wholeRow(row)]);
  if (row.open) return whole;
  if (row.columns.length === 1 && only?.trace.fields) return only.trace;
  if (row.columns.length === 1 && only) return { ...only.trace, fields: row.columns };
  return { ...whole, fields: row.columns };
}

const VALUE_ALONE: ReadonlySet<string> = new Set(["targetList", "limitOption", "op"]);

/** The value of an expression that is no more than that. */
function plainValue(node: Node): Node | undefined {
  const select = as("SelectStmt", node) ?? {};
  const [target, ...more] = select.targetList ?? [];
  const plain = Object.keys(select).every((key) => VALUE_ALONE.has(key));
  return plain && more.length === 0 ? as("ResTarget", target)?.val : undefined;
}

/** The same statement, without what it gives of the rows it finds, where that has no say in which they are. */
function withoutOutputs(node: Node): Node {
  const select = as("SelectStmt", node);
  if (select) {
    const { larg, groupClause, distinctClause, havingClause, limitCount, valuesLists, targetList = [] } = select;
    const counts = larg || groupClause || distinctClause || havingClause || limitCount || valuesLists;
    const plain = targetList.every((target) => {
      const value = as("ResTarget", target)?.val;
      return as("ColumnRef", value) !== undefined || as("A_Const", value) !== undefined;
    });
    if (counts || !plain) return node;
    const { targetList: _, sortClause: __, ...rest } = select;
    return { SelectStmt: rest };
  }
  const kind = kindOf(node);
  const { returningClause: _, ...rest } = Object.values(node)[0] as { returningClause?: unknown };
  const bare = kind === "UpdateStmt" ? { ...rest, targetList: [] } : rest;
  return { [kind]: bare } as unknown as Node;
}

function namesColumns(node: Node): boolean {
  let names = false;
  everyNode(node, (kind) => {
    names ||= kind === "ColumnRef" || kind === "ParamRef";
  });
  return names;
}

/** What a handler learns of an error may hold any value. */
function refuseErrors(analysis: Analysis, node: Node): void {
  const asks = analysis.remembered(node, "asks errors", () => {
    let found = false;
    everyNode(node, (kind, fields) => {
      if (kind !== "ColumnRef") return;
      const name = strings((fields as NodeFields<"ColumnRef">).fields).at(-1) ?? "";
      found ||= OF_ERRORS.has(name);
    });
    return found;
  });
  if (asks) throw new NotUnderstood("code that looks at errors");
}
