import type { Node } from "libpg-query";
import { as, NotUnderstood, strings } from "../parser/ast.js";
import { NOTHING, type Row, type Trace, union } from "../trace.js";
import { FILTER } from "../uses.js";
import type { Expression, Kinds } from "./body.js";
import type { Running } from "./running.js";

type Rule<K extends keyof Kinds> = (running: Running, fields: Kinds[K]) => void;

/**
 * Every kind of statement that is known. Left out, so that a body with one of them is not read: SQL that is made at run
 * time (EXECUTE and its kin), cursors that are opened for others, the ends of transactions.
 */
const RULES: { readonly [K in keyof Kinds]: Rule<K> } = {
  PLpgSQL_stmt_block: block,
  PLpgSQL_stmt_assign: (running, { varno, expr }) => {
    const value = running.value(expr);
    const places = subscripts(expr.PLpgSQL_expr.target).map((at) =>
      running.analysis.expression(at, running.variables.scope),
    );
    running.analysis.inClause("assignment", () =>
      running.analysis.notes(union(places), FILTER.other, "[]", "anything"),
    );
    running.assign(varno, places.length > 0 ? union([value, ...places]) : value);
  },
  PLpgSQL_stmt_if: (running, { cond, then_body, elsif_list, else_body }) => {
    running.test(cond, "IF");
    running.statements(then_body);
    for (const { PLpgSQL_if_elsif: other } of elsif_list ?? []) {
      running.test(other.cond, "ELSIF");
      running.statements(other.stmts);
    }
    running.statements(else_body);
  },
  PLpgSQL_stmt_case: (running, { t_expr, t_varno, case_when_list, else_stmts }) => {
    if (t_expr) {
      const value = running.value(t_expr);
      running.decides(value);
      running.assign(t_varno, value);
    }
    for (const { PLpgSQL_case_when: when } of case_when_list ?? []) {
      running.test(when.expr, "CASE");
      running.statements(when.stmts);
    }
    running.statements(else_stmts);
  },
  PLpgSQL_stmt_loop: (running, { body }) => running.loop(body),
  PLpgSQL_stmt_while: (running, { cond, body }) => {
    running.test(cond, "WHILE");
    running.loop(body);
  },
  PLpgSQL_stmt_fori: (running, { var: counter, lower, upper, step, body }) => {
    const limits = [lower, upper, ...(step ? [step] : [])].map((each) => running.value(each));
    running.analysis.inClause("FOR", () => running.decidesBy(union(limits)));
    running.into(counter, { columns: [{ name: "", trace: union(limits) }], open: null });
    running.loop(body);
  },
  PLpgSQL_stmt_fors: (running, { var: target, query, body }) => {
    running.into(target, someRows(running, query, "FOR"));
    running.loop(body);
  },
  PLpgSQL_stmt_forc: (running, { var: target, curvar, argquery, body }) => {
    const { cursor_explicit_expr: query, cursor_explicit_argrow: row } =
      running.variables.datum(curvar).PLpgSQL_var ?? {};
    if (!query) throw new NotUnderstood("a cursor without a query of its own");
    if (argquery && row !== undefined && row >= 0) running.into(running.variables.datum(row), running.rows(argquery));
    running.into(target, someRows(running, query, "FOR"));
    running.loop(body);
  },
  PLpgSQL_stmt_foreach_a: (running, { varno, expr, body }) => {
    const array = running.value(expr);
    running.analysis.inClause("FOREACH", () => running.decidesBy(array));
    running.assign(varno, array);
    running.loop(body);
  },
  PLpgSQL_stmt_exit: (running, { cond }) => {
    if (cond) running.test(cond, "WHEN");
  },
  PLpgSQL_stmt_return: returns,
  PLpgSQL_stmt_return_next: returns,
  PLpgSQL_stmt_return_query: (running, { query }) => {
    if (!query) throw new NotUnderstood("SQL that is made at run time");
    running.returned.push(running.rows(query));
    running.finds(query.PLpgSQL_expr.node);
  },
  PLpgSQL_stmt_raise: (running, { params, options }) => {
    for (const param of params ?? []) message(running, param);
    for (const { PLpgSQL_raise_option: option } of options ?? []) {
      const trace = message(running, option.expr);
      // An error's code is not hidden.
      if (!option.opt_type) running.analysis.inClause("RAISE", () => running.decidesBy(trace, "anything"));
    }
  },
  PLpgSQL_stmt_assert: (running, { cond, message: told }) => {
    running.test(cond, "ASSERT");
    if (told) message(running, told);
  },
  PLpgSQL_stmt_execsql: (running, { sqlstmt, into, target }) => {
    const row = into ? someRows(running, sqlstmt, "INTO") : running.rows(sqlstmt);
    if (!into) running.finds(sqlstmt.PLpgSQL_expr.node);
    if (!into) return;
    if (!target) throw new NotUnderstood("INTO without a variable");
    running.into(target, row);
  },
  PLpgSQL_stmt_perform: (running, { expr }) => {
    running.rows(expr);
    running.finds(expr.PLpgSQL_expr.node);
  },
  PLpgSQL_stmt_call: (running, { expr, is_call }) => {
    const call = as("CallStmt", running.node(expr))?.funccall;
    if (!is_call || !call) throw new NotUnderstood("code within code");
    const { analysis, variables } = running;
    analysis.effects.extra("sql:call", strings(call.funcname).join("."));
    const value = analysis.expression({ FuncCall: call }, variables.scope);
    for (const given of call.args ?? []) {
      const names = strings(as("ColumnRef", as("NamedArgExpr", given)?.arg ?? given)?.fields);
      // An OUT argument is a variable, or a field of one.
      for (const name of names) {
        const place = variables.named(name);
        if (place) variables.assign(place, union([value]), running.control);
      }
    }
  },
  PLpgSQL_stmt_getdiag: (running, { is_stacked, diag_items }) => {
    for (const { PLpgSQL_diag_item: item } of diag_items ?? []) {
      if (is_stacked || !["ROW_COUNT", "PG_CONTEXT", "PG_ROUTINE_OID"].includes(item.kind))
        throw new NotUnderstood("code that looks at errors");
      running.assign(item.target, item.kind === "ROW_COUNT" ? running.variables.value({ name: "found" }) : NOTHING);
    }
  },
};

export const statementRule = (kind: string): Rule<never> | undefined =>
  (RULES as Readonly<Record<string, Rule<never>>>)[kind];

function block(running: Running, { body, exceptions }: Kinds["PLpgSQL_stmt_block"]): void {
  if (!exceptions) {
    running.statements(body);
    return;
  }
  // Whether a handler runs is up to whatever failed, and that to whatever was looked at.
  running.decides(running.analysis.allReads(() => running.statements(body)));
  for (const { PLpgSQL_exception: handler } of exceptions.PLpgSQL_exception_block.exc_list)
    running.statements(handler.action);
}

/** Of a query of which the first row is taken, or as many as are asked for: which are the first may be seen. */
function someRows(running: Running, query: Expression, clause: string): Row {
  const { analysis } = running;
  const before = analysis.arranged;
  const row = running.rows(query);
  analysis.stopsEarly(before, `${clause} without ORDER BY of a unique column`);
  running.finds(query.PLpgSQL_expr.node);
  return row;
}

function returns(running: Running, { expr, retvarno }: Kinds["PLpgSQL_stmt_return"]): void {
  if (expr) running.returned.push(running.rows(expr));
  else if (retvarno !== undefined) running.returned.push(rowOf(running, retvarno));
}

/** The row a variable is, or a list of them. */
export function rowOf({ variables }: Running, varno: number): Row {
  const list = variables.datum(varno).PLpgSQL_row?.fields;
  const columns = list
    ? list.map(({ name, varno: at }) => ({ name, trace: variables.value(variables.place(at)) }))
    : [{ name: "", trace: variables.value(variables.place(varno)) }];
  return { columns, open: null };
}

/** A text of a message: the enforcer hides it where what it is made of is known. */
function message(running: Running, expression: Expression): Trace {
  const trace = running.value(expression);
  if (trace.leaks) throw new NotUnderstood("a message that could show anything");
  return trace;
}

/** The subscripts in what is assigned to; which variable it is has been found out by the parser. */
function subscripts(select: Node | undefined): readonly Node[] {
  const [target] = as("SelectStmt", select)?.targetList ?? [];
  const place = as("ResTarget", target)?.val;
  const steps = as("A_Indirection", place)?.indirection;
  if (!steps && !as("ColumnRef", place)) throw new NotUnderstood("an assignment that is not known");
  return (steps ?? []).filter((step) => as("A_Indices", step));
}
