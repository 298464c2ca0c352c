import type { Node } from "libpg-query";
import { as, kindOf, type NodeFields, type NodeKind, strings } from "./parser/ast.js";

interface Figured {
  readonly name: string;
  /** 2: from a column or function; 1: from a type, which a better name inside a CASE overrides; 0: none. */
  readonly strength: 0 | 1 | 2;
}

const NONE: Figured = { name: "?column?", strength: 0 };
const sure = (name: string | undefined): Figured => (name === undefined ? NONE : { name, strength: 2 });

const VALUE_FUNCTIONS: Readonly<Record<string, string>> = {
  SVFOP_CURRENT_DATE: "current_date",
  SVFOP_CURRENT_TIME: "current_time",
  SVFOP_CURRENT_TIME_N: "current_time",
  SVFOP_CURRENT_TIMESTAMP: "current_timestamp",
  SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp",
  SVFOP_LOCALTIME: "localtime",
  SVFOP_LOCALTIME_N: "localtime",
  SVFOP_LOCALTIMESTAMP: "localtimestamp",
  SVFOP_LOCALTIMESTAMP_N: "localtimestamp",
  SVFOP_CURRENT_ROLE: "current_role",
  SVFOP_CURRENT_USER: "current_user",
  SVFOP_USER: "user",
  SVFOP_SESSION_USER: "session_user",
  SVFOP_CURRENT_CATALOG: "current_catalog",
  SVFOP_CURRENT_SCHEMA: "current_schema",
};
const XML: Readonly<Record<string, string>> = {
  IS_XMLCONCAT: "xmlconcat",
  IS_XMLELEMENT: "xmlelement",
  IS_XMLFOREST: "xmlforest",
  IS_XMLPARSE: "xmlparse",
  IS_XMLPI: "xmlpi",
  IS_XMLROOT: "xmlroot",
  IS_XMLSERIALIZE: "xmlserialize",
};
const JSON_QUERIES: Readonly<Record<string, string>> = {
  JSON_EXISTS_OP: "json_exists",
  JSON_QUERY_OP: "json_query",
  JSON_VALUE_OP: "json_value",
};

const RULES: { readonly [K in NodeKind]?: (node: NodeFields<K>, sublink: SublinkName) => Figured } = {
  ColumnRef: (n) => sure(strings(n.fields).at(-1)),
  A_Indirection: (n, sublink) => {
    const field = strings(n.indirection).at(-1);
    return field !== undefined ? sure(field) : figure(n.arg, sublink);
  },
  FuncCall: (n) => sure(strings(n.funcname).at(-1)),
  A_Expr: (n) => (n.kind === "AEXPR_NULLIF" ? sure("nullif") : NONE),
  TypeCast: (n, sublink) => {
    const inner = figure(n.arg, sublink);
    const type = strings(n.typeName?.names).at(-1);
    return inner.strength > 1 || type === undefined ? inner : { name: type, strength: 1 };
  },
  CollateClause: (n, sublink) => figure(n.arg, sublink),
  GroupingFunc: () => sure("grouping"),
  MergeSupportFunc: () => sure("merge_action"),
  SubLink: (n, sublink) => {
    if (n.subLinkType === "EXISTS_SUBLINK") return sure("exists");
    if (n.subLinkType === "ARRAY_SUBLINK") return sure("array");
    if (n.subLinkType === "EXPR_SUBLINK" && n.subselect) return sure(sublink(n.subselect));
    return NONE;
  },
  CaseExpr: (n, sublink) => {
    const inner = figure(n.defresult, sublink);
    return inner.strength > 1 ? inner : { name: "case", strength: 1 };
  },
  A_ArrayExpr: () => sure("array"),
  RowExpr: () => sure("row"),
  CoalesceExpr: () => sure("coalesce"),
  MinMaxExpr: (n) => sure(n.op === "IS_LEAST" ? "least" : "greatest"),
  SQLValueFunction: (n) => sure(VALUE_FUNCTIONS[n.op ?? ""]),
  XmlExpr: (n) => sure(XML[n.op ?? ""]),
  XmlSerialize: () => sure("xmlserialize"),
  JsonParseExpr: () => sure("json"),
  JsonScalarExpr: () => sure("json_scalar"),
  JsonSerializeExpr: () => sure("json_serialize"),
  JsonObjectConstructor: () => sure("json_object"),
  JsonArrayConstructor: () => sure("json_array"),
  JsonArrayQueryConstructor: () => sure("json_array"),
  JsonObjectAgg: () => sure("json_objectagg"),
  JsonArrayAgg: () => sure("json_arrayagg"),
  JsonFuncExpr: (n) => sure(JSON_QUERIES[n.op ?? ""]),
};

/** Names the first column of a subquery. */
type SublinkName = (select: Node) => string | undefined;

/** What RowDescription calls an expression without AS: FigureColname of PostgreSQL's parse_target.c. */
export function columnName(node: Node | undefined, sublink: SublinkName = firstName): string {
  return figure(node, sublink).name;
}

function figure(node: Node | undefined, sublink: SublinkName): Figured {
  if (node === undefined) return NONE;
  const kind = kindOf(node);
  const rule = RULES[kind] as ((fields: unknown, sublink: SublinkName) => Figured) | undefined;
  return rule ? rule((node as Record<string, unknown>)[kind], sublink) : NONE;
}

function firstName(node: Node): string | undefined {
  let select = as("SelectStmt", node);
  while (select?.larg) select = select.larg;
  if (select?.valuesLists) return "column1";
  const target = as("ResTarget", select?.targetList?.[0]);
  return target ? (target.name ?? columnName(target.val)) : undefined;
}
