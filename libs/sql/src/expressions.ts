import type { JsonAggConstructor, Node, TypeName } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { isConstant, operator, testsMembership } from "./comparisons.js";
import { caseExpression, condition } from "./conditions.js";
import { functionCall } from "./function-calls.js";
import {
  as,
  isKind,
  kindOf,
  must,
  type NodeFields,
  type NodeKind,
  NotUnderstood,
  ruleFor,
  strings,
} from "./parser/ast.js";
import { isPlainType, PLAIN_TYPE_NAMES } from "./plain-types.js";
import { callsRoutines, typeRuns } from "./routine-calls.js";
import { commonType, isScalar, TEXT } from "./scalar-types.js";
import { columnOf, everything, findColumn, findItem, type Scope } from "./scope.js";
import { SYSTEM_COLUMNS } from "./system-names.js";
import { isTotal, isTotalCast } from "./total-functions.js";
import { CONSTANT, type Column, NOTHING, sameFields, type Trace, union, wholeRow } from "./trace.js";
import { FILTER, ORDER } from "./uses.js";

type Rule<K extends NodeKind> = (analysis: Analysis, fields: NodeFields<K>, scope: Scope) => Trace;

const nothing = () => NOTHING;
const constant = () => CONSTANT;
/** An expression over whatever is beneath it. */
const composed = (analysis: Analysis, fields: object, scope: Scope): Trace => union(beneath(analysis, fields, scope));
/** The same, whose value may yet be of a type that it names. */
const typed = (analysis: Analysis, fields: object, scope: Scope): Trace => ({
  ...composed(analysis, fields, scope),
  plain: false,
});
/** The same, where what it gives, or whether it fails, tells of what is beneath. */
const telling =
  (by: string) =>
  (analysis: Analysis, fields: object, scope: Scope): Trace => {
    const trace = typed(analysis, fields, scope);
    analysis.notes(trace, FILTER.other, by, isConstantBut(analysis, fields) ? "text" : "anything");
    return trace;
  };

/** It does not cut to a length, as a cast does, but fails. */
const returning = (output: NodeFields<"JsonOutput"> | undefined) =>
  output?.typeName?.typmods?.length ? telling("RETURNING") : typed;

/** Every kind of node that can stand in an expression. Another one is not understood. */
const RULES: { readonly [K in NodeKind]?: Rule<K> } = {
  ColumnRef: (analysis, n, scope) => analysis.reads(columnRef(analysis, n.fields ?? [], scope)),
  FuncCall: functionCall,
  SubLink: subLink,
  A_Indirection: indirection,
  RowExpr: (analysis, n, scope) => {
    const columns = targetColumns(analysis, n.args ?? [], scope).map((c, i): Column => ({ ...c, name: `f${i + 1}` }));
    return wholeRow({ columns, open: null });
  },
  TypeCast: (analysis, n, scope) => {
    const value = analysis.expression(n.arg, scope);
    const names = strings(n.typeName?.names);
    const custom = analysis.context.catalog.typeFunctions(names.at(-1) ?? "");
    if (custom.length > 0 || !totalCast(analysis, n, names, value))
      analysis.notes(value, FILTER.other, `::${names.at(-1) ?? ""}`);
    const type = names.length > 0 ? analysis.names.known(names.at(-2), names.at(-1)!)?.columns : undefined;
    const plain = type === undefined && isPlainName(analysis, names);
    const fields = type?.map(({ name, typeOid }): Column => {
      const trace = { ...value, direct: false, base: null, fields: null, plain: isPlainType(typeOid) };
      return { name, trace };
    });
    if (custom.length > 0) {
      return { ...union([value, callsRoutines(analysis, custom, names.join("."), value)]), plain: false, fields: null };
    }
    // A cast shows the value in another form: no longer the column as it stands.
    return { ...union([value]), typeOid: isTextCast(analysis, n, names) ? TEXT : 0, plain, fields: fields ?? null };
  },
  CollateClause: (analysis, n, scope) => ({ ...analysis.expression(n.arg, scope), direct: false, plain: true }),
  A_Expr: operator,
  A_ArrayExpr: (analysis, n, scope) => {
    const elements = analysis.expressions(n.elements, scope);
    for (const element of elements) if (!isScalar(element)) analysis.notes(element, FILTER.other, "ARRAY");
    return { ...union(elements), fields: sameFields(elements) };
  },
  // In an aggregate it orders what the aggregate hides; elsewhere the clause says what it decides.
  SortBy: (analysis, n, scope) => {
    const custom = analysis.context.catalog.operatorFunctions(strings(n.useOp).at(-1) ?? "");
    if (custom.length > 0) callsRoutines(analysis, custom, strings(n.useOp).at(-1) ?? "");
    return analysis.expression(n.node, scope);
  },
  A_Const: constant,
  ParamRef: (analysis) => analysis.parameters,
  SetToDefault: nothing,
  SQLValueFunction: constant,
  CurrentOfExpr: nothing,
  MergeSupportFunc: nothing,
  A_Star: nothing,
  String: nothing,
  Integer: nothing,
  TypeName: nothing,
  JsonFormat: nothing,
  JsonOutput: composed,
  JsonReturning: nothing,
  GroupingFunc: composed,
  // What stands behind a part is only computed if that part says so.
  BoolExpr: (analysis, n, scope) => union((n.args ?? []).map((arg) => condition(analysis, arg, scope))),
  NullTest: (analysis, n, scope) => {
    const value = analysis.expression(n.arg, scope);
    analysis.notes({ ...value, leaks: false }, FILTER.presence, "IS NULL");
    if (value.leaks) analysis.notes({ ...NOTHING, leaks: true }, FILTER.other, "IS NULL");
    return union([value]);
  },
  BooleanTest: (analysis, n, scope) => union([condition(analysis, n.arg, scope)]),
  CaseExpr: (analysis, n, scope) => caseExpression(analysis, n, scope, (result) => analysis.expression(result, scope)),
  CoalesceExpr: (analysis, n, scope) => {
    const values = analysis.expressions(n.args, scope);
    return { ...union(values), typeOid: commonType(values) };
  },
  MinMaxExpr: (analysis, n, scope) => {
    const values = composed(analysis, n, scope);
    analysis.notes(values, FILTER.range, n.op === "IS_LEAST" ? "LEAST" : "GREATEST");
    return values;
  },
  NamedArgExpr: composed,
  A_Indices: composed,
  List: composed,
  WindowDef: (analysis, n, scope) => {
    const groups = analysis.expressions(n.partitionClause, scope);
    const sorts = analysis.expressions(n.orderClause, scope);
    for (const trace of groups) analysis.notes(trace, ORDER.group, "PARTITION BY");
    for (const trace of sorts) analysis.notes(trace, ORDER.sort, "OVER");
    const frame = beneath(analysis, { startOffset: n.startOffset, endOffset: n.endOffset }, scope);
    for (const trace of frame) analysis.notes(trace, FILTER.other, "OVER");
    return union([...groups, ...sorts, ...frame]);
  },
  GroupingSet: composed,
  ResTarget: composed,
  MultiAssignRef: composed,
  XmlExpr: (analysis, n, scope) => (XML_BUILDERS.has(n.op ?? "") ? typed : telling("XML"))(analysis, n, scope),
  XmlSerialize: (analysis, n, scope) =>
    (n.typeName?.typmods?.length ? telling("XMLSERIALIZE") : typed)(analysis, n, scope),
  JsonValueExpr: (analysis, n, scope) =>
    (n.format?.format_type === "JS_FORMAT_JSON" ? telling("FORMAT JSON") : typed)(analysis, n, scope),
  JsonIsPredicate: telling("IS JSON"),
  JsonBehavior: composed,
  JsonArgument: composed,
  JsonFuncExpr: telling("JSON_QUERY"),
  JsonKeyValue: composed,
  JsonParseExpr: telling("JSON"),
  JsonScalarExpr: typed,
  JsonSerializeExpr: (analysis, n, scope) => returning(n.output)(analysis, n, scope),
  JsonObjectConstructor: (analysis, n, scope) =>
    (n.unique ? telling("UNIQUE KEYS") : returning(n.output))(analysis, n, scope),
  JsonArrayConstructor: (analysis, n, scope) => returning(n.output)(analysis, n, scope),
  JsonArrayQueryConstructor: (analysis, n, scope) => (n.query ? wholeRow(analysis.query(n.query, scope)) : NOTHING),
  JsonObjectAgg: (analysis, n, scope) => {
    aggregates(analysis, n.constructor, scope);
    return (n.unique ? telling("UNIQUE KEYS") : returning(n.constructor?.output))(analysis, n, scope);
  },
  JsonArrayAgg: (analysis, n, scope) => {
    aggregates(analysis, n.constructor, scope);
    return returning(n.constructor?.output)(analysis, n, scope);
  },
  JsonTablePathSpec: composed,
};

const XML_BUILDERS: ReadonlySet<string> = new Set(["IS_XMLELEMENT", "IS_XMLFOREST", "IS_XMLCONCAT"]);

export function expression(analysis: Analysis, node: Node, scope: Scope): Trace {
  analysis.step();
  const found = ruleFor<Rule<NodeKind>>(RULES, node);
  if (found === undefined) throw new NotUnderstood(`an expression of the kind ${kindOf(node)} is not known`);
  return found.rule(analysis, found.fields, scope);
}

/** Whether at most one thing in the expression is no constant: then all that is asked of it stands in the text. */
function isConstantBut(analysis: Analysis, fields: object): boolean {
  const parts = Object.values(fields).flat() as unknown[];
  return parts.filter((part) => typeof part === "object" && part && !isConstant(analysis, part as Node)).length <= 1;
}

function totalCast(analysis: Analysis, n: NodeFields<"TypeCast">, names: readonly string[], value: Trace): boolean {
  const limited = (n.typeName?.typmods?.length ?? 0) > 0;
  return (
    isSystemScalar(analysis, n, names) && isTotalCast(value.direct ? value.typeOid : 0, names.at(-1) ?? "", limited)
  );
}

const isTextCast = (analysis: Analysis, n: NodeFields<"TypeCast">, names: readonly string[]): boolean =>
  isSystemScalar(analysis, n, names) && isTotalCast(0, names.at(-1) ?? "", false);

/** Whether a cast names a type of PostgreSQL's own, and no array of it. */
function isSystemScalar(analysis: Analysis, n: NodeFields<"TypeCast">, names: readonly string[]): boolean {
  const systems = names.length > 1 ? names.at(-2) === "pg_catalog" : analysis.names.systemFirst;
  return systems && !n.typeName?.arrayBounds?.length;
}

/** Traces of all nodes in all fields, fields that are plain structures included. */
function beneath(analysis: Analysis, fields: object, scope: Scope): Trace[] {
  const traces: Trace[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== "object" || value === null) continue;
    if (name === "typeName") traces.push(typeRuns(analysis, value as TypeName));
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item !== "object" || item === null) continue;
      const [first] = Object.keys(item);
      if (first === undefined) continue;
      if (isKind(first)) traces.push(expression(analysis, item as Node, scope));
      else traces.push(...beneath(analysis, item, scope));
    }
  }
  return traces;
}

/** Columns of a list that may hold `*`, `t.*` and `(x).*`: a target list, a ROW, an argument list. */
function targetColumns(analysis: Analysis, nodes: readonly Node[], scope: Scope): Column[] {
  return nodes.map((node) => ({ name: "", trace: analysis.expression(node, scope) }));
}

function columnRef(analysis: Analysis, fields: readonly Node[], scope: Scope): Trace {
  if (as("A_Star", fields.at(-1)) !== undefined) {
    const names = strings(fields.slice(0, -1));
    if (names.length === 0) return wholeRow(scope.names.row);
    const item = findItem(scope, names.length > 1 ? names.at(-2)! : null, names.at(-1)!);
    return item ? wholeRow(item.row) : everything(scope);
  }
  const names = strings(fields);
  const name = names.at(-1) ?? "";
  if (names.length === 1) {
    const column = findColumn(scope, name);
    // With an unknown table in scope a name could be its column or a whole row of another's.
    const item = findItem(scope, null, name);
    // The row of a table and a variable may have the same name.
    if (column && item && scope.variables && !scope.variables.items.includes(item))
      return union([column, wholeRow(item.row)]);
    if (column && !(item && column.base === null && column.leaks)) return column;
    if (item) return wholeRow(item.row);
    return SYSTEM_COLUMNS.has(name) ? NOTHING : everything(scope);
  }
  const item = findItem(scope, names.length > 2 ? names.at(-3)! : null, names.at(-2)!);
  if (item === undefined) return everything(scope);
  const column = columnOf(item.row, name);
  if (column) return column;
  return item.stored && SYSTEM_COLUMNS.has(name) ? NOTHING : attribute(analysis, wholeRow(item.row), name);
}

/** `x.f` where x has no field f: a function of one argument, called as if it were a column. */
function attribute(analysis: Analysis, of: Trace, name: string): Trace {
  // A table's own can be asked of its row, too; any other row has a field of the name, or none.
  if (SYSTEM_COLUMNS.has(name)) return union([of]);
  const routines = analysis.names.routines([name]);
  if (!isTotal(routines, { count: 1, position: 0, value: of })) analysis.notes(of, FILTER.other, `${name}()`);
  return union([of, callsRoutines(analysis, routines, name, of)]);
}

function subLink(analysis: Analysis, n: NodeFields<"SubLink">, scope: Scope): Trace {
  if (n.subselect === undefined) return analysis.expression(n.testexpr, scope);
  if (n.subLinkType === "EXISTS_SUBLINK") {
    const { subselect } = n;
    const before = analysis.arranged;
    const read = analysis.allReads(() => analysis.query(subselect, scope));
    if (isJoined(subselect)) analysis.stopsEarly(before, "EXISTS with a join");
    return read;
  }
  const before = analysis.arranged;
  const row = analysis.query(n.subselect, scope);
  if (n.subLinkType !== "EXPR_SUBLINK" && n.subLinkType !== "ARRAY_SUBLINK" && isJoined(n.subselect))
    analysis.stopsEarly(before, "IN with a join");
  const test = testsMembership(analysis, n, row, scope);
  const operators = strings(n.operName);
  const custom = analysis.context.catalog.operatorFunctions(operators.at(-1) ?? "");
  const called = custom.length > 0 ? callsRoutines(analysis, custom, operators.join(".")) : NOTHING;
  const [only] = row.columns;
  const single = !row.open && row.columns.length === 1;
  const fields = row.open ? null : single ? (only?.trace.fields ?? null) : row.columns;
  if (n.subLinkType === "ARRAY_SUBLINK" && only && !isScalar(only.trace))
    analysis.notes(only.trace, FILTER.other, "ARRAY");
  const gives = n.subLinkType === "EXPR_SUBLINK" || n.subLinkType === "ARRAY_SUBLINK";
  const plain = !gives || (single && (only?.trace.plain ?? false));
  return { ...union([test, wholeRow(row), called]), plain, fields };
}

/** What an aggregate of SQL/JSON does besides: as any other one (see functionCall). */
function aggregates(analysis: Analysis, of: JsonAggConstructor = {}, scope: Scope): void {
  for (const trace of analysis.expressions(of.agg_order, scope))
    analysis.notes(trace, ORDER.sort, "ORDER BY in JSON_ARRAYAGG()");
  if (of.over) analysis.expression({ WindowDef: of.over }, scope);
  analysis.inClause("FILTER", () => condition(analysis, of.agg_filter, scope));
}

/** More than a table of its own, which is joined with the query around. */
const isJoined = (query: Node): boolean => {
  const from = as("SelectStmt", query)?.fromClause ?? [];
  return from.length !== 1 || as("RangeVar", from[0]) === undefined;
};

function indirection(analysis: Analysis, n: NodeFields<"A_Indirection">, scope: Scope): Trace {
  let value = analysis.expression(n.arg, scope);
  for (const step of n.indirection ?? []) {
    const name = as("String", step)?.sval;
    if (name !== undefined) {
      const field = value.fields?.find((f) => f.name === name);
      value = field ? { ...field.trace, direct: false } : attribute(analysis, union([value]), name);
      analysis.reads(value);
    } else if (as("A_Indices", step)) {
      const { plain, fields } = value;
      const at = expression(analysis, step, scope);
      analysis.notes(union([value, at]), FILTER.other, "[]", isConstant(analysis, step) ? "text" : "anything");
      value = { ...union([value, at]), plain, fields };
    } else {
      must("A_Star", step);
    }
  }
  return { ...value, direct: false, base: null };
}

/** Whether a type's name is one of PostgreSQL's own, of values that are one column wherever they stand. */
function isPlainName(analysis: Analysis, names: readonly string[]): boolean {
  const name = names.at(-1) ?? "";
  if (!PLAIN_TYPE_NAMES.has(name)) return false;
  if (names.length > 1) return names.at(-2) === "pg_catalog";
  return analysis.names.systemFirst && !analysis.names.hasTemporary(name);
}
