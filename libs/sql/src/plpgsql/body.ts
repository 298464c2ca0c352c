import type { Node, TypeName } from "libpg-query";

/**
 * A body in PL/pgSQL, as the parser gives it (libpg-query's JSON of plpgsql.h, in which a zero is left out), with every
 * expression of SQL parsed: see parser/plpgsql-body.cjs.
 */
export interface PlpgsqlBody {
  /** Variables, their fields and lists of them, by number. */
  readonly datums: readonly Datum[];
  readonly aliases: readonly { readonly PLpgSQL_alias: { readonly name: string; readonly varno?: number } }[];
  readonly action: Statement;
  /** The datum of the OUT arguments. */
  readonly outs?: number;
  /** Names of its blocks and loops. */
  readonly labels: readonly string[];
  /** How many there are in it. */
  readonly expressions: number;
  /** It may ask how many rows a statement found. */
  readonly asksFound: boolean;
}

export interface Expr {
  /** RawParseMode; of 0 a statement, else what would stand behind SELECT. */
  readonly parseMode: number;
  readonly node: Node;
  /** What is assigned to, as `SELECT` would show it. */
  readonly target?: Node;
}
export interface Expression {
  readonly PLpgSQL_expr: Expr;
}

export interface Variable {
  readonly refname: string;
  /** Of its declaration; an argument has none. */
  readonly lineno?: number;
  readonly datatype?: { readonly PLpgSQL_type: { readonly typname: string; readonly type: TypeName | null } };
  readonly default_val?: Expression;
  readonly notnull?: boolean;
  readonly cursor_explicit_expr?: Expression;
  readonly cursor_explicit_argrow?: number;
}
interface Fields {
  readonly fields: readonly { readonly name: string; readonly varno?: number }[];
}

/** One key says which kind it is. */
export interface Datum {
  readonly PLpgSQL_var?: Variable;
  readonly PLpgSQL_rec?: Variable;
  readonly PLpgSQL_recfield?: { readonly fieldname: string; readonly recparentno?: number };
  readonly PLpgSQL_row?: Fields;
}

/** One key, its kind: see the rules in `statements.ts`. */
export type Statement = { readonly [kind: string]: object };

/** Fields of the kinds that are known, as far as anything is made of them. */
export interface Kinds {
  PLpgSQL_stmt_block: {
    body?: readonly Statement[];
    exceptions?: {
      PLpgSQL_exception_block: {
        exc_list: readonly { PLpgSQL_exception: { action?: readonly Statement[] } }[];
      };
    };
  };
  PLpgSQL_stmt_assign: { varno?: number; expr: Expression };
  PLpgSQL_stmt_if: {
    cond: Expression;
    then_body?: readonly Statement[];
    elsif_list?: readonly { PLpgSQL_if_elsif: { cond: Expression; stmts?: readonly Statement[] } }[];
    else_body?: readonly Statement[];
  };
  PLpgSQL_stmt_case: {
    t_expr?: Expression;
    t_varno?: number;
    case_when_list?: readonly { PLpgSQL_case_when: { expr: Expression; stmts?: readonly Statement[] } }[];
    else_stmts?: readonly Statement[];
  };
  PLpgSQL_stmt_loop: { body?: readonly Statement[] };
  PLpgSQL_stmt_while: { cond: Expression; body?: readonly Statement[] };
  PLpgSQL_stmt_fori: {
    var: Datum;
    lower: Expression;
    upper: Expression;
    step?: Expression;
    body?: readonly Statement[];
  };
  PLpgSQL_stmt_fors: { var: Datum; query: Expression; body?: readonly Statement[] };
  PLpgSQL_stmt_forc: { var: Datum; curvar?: number; argquery?: Expression; body?: readonly Statement[] };
  PLpgSQL_stmt_foreach_a: { varno?: number; expr: Expression; body?: readonly Statement[] };
  PLpgSQL_stmt_exit: { cond?: Expression };
  PLpgSQL_stmt_return: { expr?: Expression; retvarno?: number };
  PLpgSQL_stmt_return_next: { expr?: Expression; retvarno?: number };
  PLpgSQL_stmt_return_query: { query?: Expression };
  PLpgSQL_stmt_raise: {
    params?: readonly Expression[];
    options?: readonly { PLpgSQL_raise_option: { opt_type?: number; expr: Expression } }[];
  };
  PLpgSQL_stmt_assert: { cond: Expression; message?: Expression };
  PLpgSQL_stmt_execsql: { sqlstmt: Expression; into?: boolean; target?: Datum };
  PLpgSQL_stmt_perform: { expr: Expression };
  PLpgSQL_stmt_call: { expr: Expression; is_call?: boolean };
  PLpgSQL_stmt_getdiag: {
    is_stacked?: boolean;
    diag_items?: readonly { PLpgSQL_diag_item: { kind: string; target?: number } }[];
  };
}
