import type { Alias, Node } from "libpg-query";
import type { Analysis } from "./analysis.js";
import type { Relation } from "./catalog.js";
import { columnName } from "./column-names.js";
import { mergedColumn } from "./comparisons.js";
import { condition } from "./conditions.js";
import { as, kindOf, must, type NodeFields, type NodeKind, NotUnderstood, ruleFor, strings } from "./parser/ast.js";
import { readsRelation, relationRow, writesRelation } from "./relations.js";
import { callsRoutines, typeRuns } from "./routine-calls.js";
import { beside, findCte, inside, type Names, NO_NAMES, type Scope } from "./scope.js";
import { type Column, derived, NOTHING, type Row, renamed, type Trace, union, wholeRow } from "./trace.js";
import { FILTER } from "./uses.js";

type Rule<K extends NodeKind> = (analysis: Analysis, fields: NodeFields<K>, scope: Scope, before: Names) => Names;

/** Every kind of node that can stand in FROM. Another one is not understood. */
const RULES: { readonly [K in NodeKind]?: Rule<K> } = {
  RangeVar: rangeVar,
  RangeSubselect: (analysis, n, scope, before) => {
    if (n.subquery === undefined) throw new NotUnderstood("a subquery without a query");
    const row = analysis.query(n.subquery, n.lateral ? inside(scope, before) : scope);
    return named(row, n.alias, "");
  },
  RangeFunction: rangeFunction,
  RangeTableFunc: xmlTable,
  JsonTable: jsonTable,
  RangeTableSample: (analysis, n, scope, before) => {
    const sampler = strings(n.method);
    // The sampling methods are functions, of which PostgreSQL has two.
    if (!["bernoulli", "system"].includes(sampler.join("."))) callsRoutines(analysis, [], sampler.join("."));
    const given = [...(n.args ?? []), n.repeatable].map((node) => analysis.expression(node, inside(scope, before)));
    for (const trace of given) analysis.notes(trace, FILTER.other, "TABLESAMPLE");
    const names = fromItem(analysis, n.relation, scope, before);
    return { items: names.items.map((item) => ({ ...item, row: derived(item.row) })), row: derived(names.row) };
  },
  JoinExpr: join,
};

/** The names a FROM list gives, left to right; `before` is what stands left of it already. */
export function fromClause(
  analysis: Analysis,
  nodes: readonly Node[] | undefined,
  scope: Scope,
  before: Names = NO_NAMES,
): Names {
  return analysis.inClause("FROM", () => {
    let names = NO_NAMES;
    for (const node of nodes ?? []) {
      names = beside(names, fromItem(analysis, node, scope, beside(before, names)));
      // Each item copies those before it.
      analysis.step(Math.ceil((before.row.columns.length + names.row.columns.length) / 16));
    }
    return names;
  });
}

export function fromItem(analysis: Analysis, node: Node | undefined, scope: Scope, before: Names): Names {
  analysis.step();
  if (node === undefined) throw new NotUnderstood("an empty FROM item");
  const found = ruleFor<Rule<NodeKind>>(RULES, node);
  if (found === undefined) throw new NotUnderstood(`${kindOf(node)} in FROM is not known`);
  return found.rule(analysis, found.fields, scope, before);
}

/** One item under its alias and column aliases. */
function named(
  row: Row,
  alias: Alias | undefined,
  fallback: string,
  schema: string | null = null,
  stored = false,
): Names {
  const visible = renamed(row, strings(alias?.colnames));
  const item = { alias: alias?.aliasname ?? fallback, schema: alias ? null : schema, row: visible, stored };
  return { items: [item], row: visible };
}

function rangeVar(analysis: Analysis, n: NodeFields<"RangeVar">, scope: Scope): Names {
  const name = n.relname ?? "";
  const cte = n.schemaname ? undefined : findCte(scope, name);
  if (cte) return named(cte, n.alias, name);
  const found = analysis.names.relation(n.schemaname, name);
  readsRelation(analysis, found.name, found.relation);
  const schema = found.name.includes(".") ? found.name.slice(0, found.name.indexOf(".")) : null;
  return named(relationRow(analysis, found.name, found.relation), n.alias, name, schema, isStored(found.relation));
}

const isStored = (relation: Relation | null): boolean => relation !== null && relation.kind !== "view";

/** What a statement writes to, by its name or alias. A WITH query can't be written to. */
export function target(analysis: Analysis, n: NodeFields<"RangeVar"> | undefined) {
  if (n?.relname === undefined) throw new NotUnderstood("a statement without its table");
  const found = analysis.names.relation(n.schemaname, n.relname);
  writesRelation(analysis, found.name, found.relation);
  const row = relationRow(analysis, found.name, found.relation);
  const schema = found.name.includes(".") ? found.name.slice(0, found.name.indexOf(".")) : null;
  return { ...found, row, names: named(row, n.alias, n.relname, schema, isStored(found.relation)) };
}

function rangeFunction(analysis: Analysis, n: NodeFields<"RangeFunction">, scope: Scope, before: Names): Names {
  const lateral = inside(scope, before);
  const parts = (n.functions ?? []).flatMap((node) => apart(must("List", node).items ?? []));
  const single = parts.length === 1;
  let columns: Column[] = [];
  let open: Trace | null = null;
  for (const [call, definitions] of parts) {
    if (call === undefined) throw new NotUnderstood("a function call in FROM without its function");
    const value = analysis.reads(analysis.expression(call, lateral));
    const defined = as("List", definitions)?.items ?? (single ? n.coldeflist : undefined) ?? [];
    const listed = defined.flatMap((node) => as("ColumnDef", node)?.colname ?? []);
    const runs = defined.map((node) => typeRuns(analysis, as("ColumnDef", node)?.typeName));
    const flat: Trace = { ...union([value, ...runs]), fields: null };
    if (listed.length > 0) columns.push(...listed.map((name) => ({ name, trace: flat })));
    else if (value.fields) columns.push(...value.fields.map((f) => ({ name: f.name, trace: computed(f.trace) })));
    else {
      const name = valueName(analysis, call, value, single ? n.alias?.aliasname : undefined);
      if (name !== undefined) columns.push({ name, trace: flat });
      else open = union(open ? [open, flat] : [flat]);
    }
  }
  if (n.ordinality) columns = [...columns, { name: "ordinality", trace: NOTHING }];
  return named({ columns, open }, n.alias, single ? columnName(parts[0]?.[0]) : "");
}

const computed = (trace: Trace): Trace => ({ ...trace, direct: false, base: null });

/** `unnest` of several arrays is as many functions side by side (parse_clause.c, transformRangeFunction). */
function apart(part: readonly Node[]): (readonly Node[])[] {
  const [call, ...more] = part;
  const fields = as("FuncCall", call);
  const args = fields?.args ?? [];
  if (!fields || args.length < 2 || strings(fields.funcname).join(".") !== "unnest") return [part];
  return args.map((arg) => [{ FuncCall: { ...fields, args: [arg] } }, ...more]);
}

/**
 * What the one column of a function is called: as its OUT argument, else its alias; undefined where it gives a row, or
 * may give one.
 */
function valueName(analysis: Analysis, call: Node, value: Trace, alias: string | undefined): string | undefined {
  const fields = as("FuncCall", call);
  if (!fields) return value.plain ? (alias ?? columnName(call)) : undefined;
  const [only] = fields.args ?? [];
  const unnested = strings(fields.funcname).at(-1) === "unnest";
  // A text without a type may be taken for a text search vector, which gives three columns.
  if (unnested && (!value.plain || as("A_Const", only))) return undefined;
  const routines = analysis.names.routines(strings(fields.funcname)).filter((r) => !unnested || r.passesRow);
  if (routines.length === 0 || routines.some((r) => r.columns !== null || r.shapeless)) return undefined;
  if (!value.plain && routines.some((r) => r.passesRow)) return undefined;
  return routines[0]?.valueName ?? alias ?? columnName(call);
}

function xmlTable(analysis: Analysis, n: NodeFields<"RangeTableFunc">, scope: Scope, before: Names): Names {
  const lateral = inside(scope, before);
  const defined = (n.columns ?? []).map((node) => must("RangeTableFuncCol", node));
  const value = union([
    analysis.expression(n.docexpr, lateral),
    analysis.expression(n.rowexpr, lateral),
    ...analysis.expressions(n.namespaces, lateral),
    ...defined.flatMap((c) => [analysis.expression(c.colexpr, lateral), analysis.expression(c.coldefexpr, lateral)]),
    ...defined.map((c) => typeRuns(analysis, c.typeName)),
  ]);
  analysis.notes(value, FILTER.other, "XMLTABLE");
  const columns = defined.map((c) => ({ name: c.colname ?? "", trace: c.for_ordinality ? NOTHING : value }));
  return named({ columns, open: null }, n.alias, "xmltable");
}

function jsonTable(analysis: Analysis, n: NodeFields<"JsonTable">, scope: Scope, before: Names): Names {
  const lateral = inside(scope, before);
  const parts: Trace[] = analysis.expressions(n.passing, lateral);
  const also = (kind: NodeKind, fields: object | undefined) => {
    if (fields) parts.push(analysis.expression({ [kind]: fields } as unknown as Node, lateral));
  };
  also("JsonValueExpr", n.context_item);
  also("JsonTablePathSpec", n.pathspec);
  also("JsonBehavior", n.on_error);
  const defined: { name: string; counts: boolean }[] = [];
  const collect = (nodes: readonly Node[] | undefined) => {
    for (const node of nodes ?? []) {
      const column = must("JsonTableColumn", node);
      parts.push(typeRuns(analysis, column.typeName));
      also("JsonBehavior", column.on_empty);
      also("JsonBehavior", column.on_error);
      if (column.coltype === "JTC_NESTED") collect(column.columns);
      else defined.push({ name: column.name ?? "", counts: column.coltype === "JTC_FOR_ORDINALITY" });
    }
  };
  collect(n.columns);
  const value = union(parts);
  analysis.notes(value, FILTER.other, "JSON_TABLE");
  const columns = defined.map((c) => ({ name: c.name, trace: c.counts ? NOTHING : value }));
  return named({ columns, open: null }, n.alias, "json_table");
}

function join(analysis: Analysis, n: NodeFields<"JoinExpr">, scope: Scope, before: Names): Names {
  const left = fromItem(analysis, n.larg, scope, before);
  const right = fromItem(analysis, n.rarg, scope, beside(before, left));
  const both = beside(left, right);
  analysis.inClause("ON", () => condition(analysis, n.quals, inside(scope, beside(before, both))));

  const shared = n.isNatural
    ? left.row.columns.map((c) => c.name).filter((name) => right.row.columns.some((c) => c.name === name))
    : strings(n.usingClause);
  let row = both.row;
  let items = both.items;
  if (shared.length > 0) {
    const mergedColumns = shared.map((name): Column => {
      const sides = [left.row, right.row].map((side) => side.columns.find((c) => c.name === name)?.trace ?? side.open);
      const known = sides.filter((side) => side !== null && side !== undefined);
      const [one, other] = known;
      if (one && other)
        analysis.inClause(n.isNatural ? "NATURAL JOIN" : "USING", () => mergedColumn(analysis, one, other));
      const plain = n.jointype !== "JOIN_FULL" && known.every((side) => side.direct);
      const shown = n.jointype === "JOIN_RIGHT" ? known.at(-1) : known[0];
      const trace = union(known);
      return { name, trace: plain && shown ? { ...trace, direct: true, typeOid: shown.typeOid } : trace };
    });
    for (const column of mergedColumns) analysis.reads(column.trace);
    const others = both.row.columns.filter((c) => !shared.includes(c.name));
    row = { columns: [...mergedColumns, ...others], open: both.row.open };
    if (n.join_using_alias?.aliasname) {
      const using = { alias: n.join_using_alias.aliasname, schema: null, row: { columns: mergedColumns, open: null } };
      items = [...items, using];
    }
  }
  if (n.isNatural && both.row.open) {
    analysis.inClause("NATURAL JOIN", () => analysis.notes(wholeRow(both.row), FILTER.join));
    // Which columns merge is not known, so neither is their order.
    row = { columns: [], open: wholeRow(both.row) };
  }
  // An alias hides the tables within.
  return n.alias ? named(row, n.alias, "") : { items, row };
}
