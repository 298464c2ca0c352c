import type { FuncCall, Node } from "libpg-query";
import type { Analysis } from "./analysis.js";
import type { RelationColumn, RoutineFacts } from "./catalog.js";
import { keepsArguments } from "./functions.js";
import {
  as,
  constantText,
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
import { columnOf, everything, findColumn, findItem, type Scope } from "./scope.js";
import { pathNames, settingEffect } from "./settings.js";
import { CONSTANT, type Column, NOTHING, sameFields, type Trace, union, wholeRow } from "./trace.js";

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
    const type = names.length > 0 ? castRelation(analysis, names) : undefined;
    const plain = type === undefined && isPlainName(analysis, names);
    const fields = type?.map(({ name, typeOid }): Column => {
      const trace = { ...value, direct: false, base: null, fields: null, plain: isPlainType(typeOid) };
      return { name, trace };
    });
    const custom = analysis.context.catalog.typeFunctions(names.at(-1) ?? "");
    if (custom.length > 0) {
      return { ...union([value, analysis.calls(custom, names.join("."), value)]), plain: false, fields: null };
    }
    // A cast shows the value in another form: no longer the column as it stands.
    return { ...union([value]), plain, fields: fields ?? null };
  },
  CollateClause: (analysis, n, scope) => ({ ...analysis.expression(n.arg, scope), direct: false, plain: true }),
  A_Expr: (analysis, n, scope) => {
    const name = strings(n.name).at(-1) ?? "";
    const custom = analysis.context.catalog.operatorFunctions(name);
    const operands = composed(analysis, { lexpr: n.lexpr, rexpr: n.rexpr }, scope);
    return custom.length === 0
      ? operands
      : { ...union([operands, analysis.calls(custom, name, operands)]), plain: false };
  },
  A_ArrayExpr: (analysis, n, scope) => {
    const elements = analysis.expressions(n.elements, scope);
    return { ...union(elements), fields: sameFields(elements) };
  },
  SortBy: (analysis, n, scope) => {
    const custom = analysis.context.catalog.operatorFunctions(strings(n.useOp).at(-1) ?? "");
    if (custom.length > 0) analysis.calls(custom, strings(n.useOp).at(-1) ?? "");
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
  BoolExpr: composed,
  NullTest: composed,
  BooleanTest: composed,
  CaseExpr: composed,
  CaseWhen: composed,
  CoalesceExpr: composed,
  MinMaxExpr: composed,
  NamedArgExpr: composed,
  A_Indices: composed,
  List: composed,
  WindowDef: composed,
  GroupingSet: composed,
  ResTarget: composed,
  MultiAssignRef: composed,
  XmlExpr: typed,
  XmlSerialize: typed,
  JsonValueExpr: typed,
  JsonIsPredicate: composed,
  JsonBehavior: composed,
  JsonArgument: composed,
  JsonFuncExpr: typed,
  JsonKeyValue: composed,
  JsonParseExpr: typed,
  JsonScalarExpr: typed,
  JsonSerializeExpr: typed,
  JsonObjectConstructor: typed,
  JsonArrayConstructor: typed,
  JsonArrayQueryConstructor: (analysis, n, scope) => (n.query ? wholeRow(analysis.query(n.query, scope)) : NOTHING),
  JsonAggConstructor: typed,
  JsonObjectAgg: typed,
  JsonArrayAgg: typed,
  JsonTablePathSpec: composed,
};

export function expression(analysis: Analysis, node: Node, scope: Scope): Trace {
  analysis.step();
  const found = ruleFor<Rule<NodeKind>>(RULES, node);
  if (found === undefined) throw new NotUnderstood(`an expression of the kind ${kindOf(node)} is not known`);
  return found.rule(analysis, found.fields, scope);
}

/** Traces of all nodes in all fields, fields that are plain structures included. */
function beneath(analysis: Analysis, fields: object, scope: Scope): Trace[] {
  const traces: Trace[] = [];
  for (const value of Object.values(fields)) {
    if (typeof value !== "object" || value === null) continue;
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
  return union([of, analysis.calls(analysis.routines([name]), name, of)]);
}

const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"]);

function functionCall(analysis: Analysis, call: FuncCall, scope: Scope): Trace {
  const names = strings(call.funcname);
  const spelled = names.join(".");
  const args = analysis.expressions(call.args, scope);
  const rest = beneath(analysis, { agg_order: call.agg_order, agg_filter: call.agg_filter, over: call.over }, scope);
  const window = call.over?.name ?? call.over?.refname;
  if (window) rest.push(scope.windows?.get(window) ?? everything(scope));
  const given = union([...args, ...rest]);
  const routines = analysis.routines(names);
  const [only] = args;
  if (routines.length === 0 && names.length === 1 && args.length === 1 && only?.fields) {
    // `email(customers)` is `customers.email`.
    const field = only.fields.find((f) => f.name === spelled);
    if (field) return analysis.reads({ ...field.trace, direct: false });
  }
  if (spelled.replace(/^pg_catalog\./, "") === "set_config" && knownSetting(analysis, call, routines.length))
    return given;
  const own = analysis.calls(routines, spelled, given, (call.args ?? []).every(isFixed));
  const kept = union(args);
  if ((kept.leaks || kept.sources.size > 0) && routines.some(keepsArguments)) {
    analysis.stores.push({ name: spelled, target: `${spelled}()`, trace: kept });
  }
  const plain = routines.length > 0 && routines.every((r) => r.plain || (passesPlain(r) && union(args).plain));
  return { ...union([given, own]), plain, fields: own.fields ?? rowFields(routines, args, [...rest, own]) };
}

/** What PostgreSQL's own functions make of plain values is plain. */
const passesPlain = ({ passesRow, userDefined, name }: RoutineFacts): boolean =>
  !userDefined && (passesRow || name === "unnest");

/** set_config with plain constants is the SET it stands for. */
function knownSetting(analysis: Analysis, call: FuncCall, candidates: number): boolean {
  const [name, value, local] = (call.args ?? []).map(constantText);
  if (candidates > 1 || name === undefined || value === undefined || local === undefined) return false;
  const effect = settingEffect(name, name.toLowerCase() === "search_path" ? pathNames(value) : [value]);
  if (effect.action !== "sql:session") return false;
  analysis.effects.functions.add("pg_catalog.set_config");
  if (effect.searchPath !== undefined) {
    analysis.session.push({ kind: "searchPath", path: effect.searchPath, local: /^(t|true|1|on|yes|y)$/i.test(local) });
  }
  return true;
}

/** A constant or a parameter: the same for every row. */
function isFixed(node: Node): boolean {
  const cast = as("TypeCast", node);
  return cast?.arg ? isFixed(cast.arg) : as("A_Const", node) !== undefined || as("ParamRef", node) !== undefined;
}

function rowFields(
  routines: ReturnType<Analysis["routines"]>,
  args: readonly Trace[],
  rest: readonly Trace[],
): readonly Column[] | null {
  const given = union([...args, ...rest]);
  const columns = routines.map((r) => r.columns);
  const [first] = columns;
  if (first && columns.every((c) => c?.join() === first.join())) {
    return first.map((name) => ({ name, trace: given }));
  }
  if (!routines.some((r) => r.passesRow)) return null;
  // What passes its argument's row through: unnest, array_agg; or fills it from other arguments: json_populate_record.
  const row = args.find((arg) => arg.fields);
  const others = [...args.filter((arg) => arg !== row), ...rest];
  return row?.fields?.map((f) => ({ name: f.name, trace: union([f.trace, ...others]) })) ?? null;
}

function subLink(analysis: Analysis, n: NodeFields<"SubLink">, scope: Scope): Trace {
  const test = analysis.expression(n.testexpr, scope);
  if (n.subselect === undefined) return test;
  if (n.subLinkType === "EXISTS_SUBLINK") {
    const { subselect } = n;
    return analysis.allReads(() => analysis.query(subselect, scope));
  }
  const row = analysis.query(n.subselect, scope);
  const operators = strings(n.operName);
  const custom = analysis.context.catalog.operatorFunctions(operators.at(-1) ?? "");
  const called = custom.length > 0 ? analysis.calls(custom, operators.join(".")) : NOTHING;
  const [only] = row.columns;
  const single = !row.open && row.columns.length === 1;
  const fields = row.open ? null : single ? (only?.trace.fields ?? null) : row.columns;
  const gives = n.subLinkType === "EXPR_SUBLINK" || n.subLinkType === "ARRAY_SUBLINK";
  const plain = !gives || (single && (only?.trace.plain ?? false));
  return { ...union([test, wholeRow(row), called]), plain, fields };
}

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
      value = { ...union([value, expression(analysis, step, scope)]), plain, fields };
    } else {
      must("A_Star", step);
    }
  }
  return { ...value, direct: false, base: null };
}

/** Columns of a relation whose row type a cast names. */
function castRelation(analysis: Analysis, names: readonly string[]): readonly RelationColumn[] | undefined {
  const { catalog } = analysis.context;
  const name = names.at(-1) ?? "";
  const schemas = names.length > 1 ? [names.at(-2) ?? ""] : analysis.searched;
  // A temporary relation's columns are not known, and its name comes first.
  if (names.length === 1 && analysis.hasTemporary(name)) return undefined;
  for (const schema of schemas) {
    const relation = catalog.relation(schema, name);
    if (relation) return relation.columns;
  }
  return undefined;
}

/** Whether a type's name is one of PostgreSQL's own, of values that are one column wherever they stand. */
function isPlainName(analysis: Analysis, names: readonly string[]): boolean {
  const name = names.at(-1) ?? "";
  if (!PLAIN_TYPE_NAMES.has(name)) return false;
  if (names.length > 1) return names.at(-2) === "pg_catalog";
  return analysis.searched[0] === "pg_catalog" && !analysis.hasTemporary(name);
}
