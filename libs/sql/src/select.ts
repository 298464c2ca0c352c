import type { Node, SelectStmt, WithClause } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { restricted } from "./bounds/where.js";
import { columnName } from "./column-names.js";
import { condition } from "./conditions.js";
import { fromClause } from "./from-clause.js";
import { as, everyNode, must, type NodeFields, NotUnderstood, strings } from "./parser/ast.js";
import { columnOf, everything, findItem, inside, type Names, type RangeItem, type Scope, withCtes } from "./scope.js";
import {
  type Column,
  derived,
  each,
  fewer,
  merged,
  NOTHING,
  narrowed,
  type Row,
  renamed,
  type Trace,
  union,
  wholeRow,
} from "./trace.js";
import { FILTER, ORDER } from "./uses.js";

export function select(analysis: Analysis, n: SelectStmt, outer: Scope): Row {
  analysis.step();
  const before = analysis.arranged;
  const scope = n.withClause ? withClause(analysis, n.withClause, outer) : outer;
  if (n.larg && n.rarg) return setOperation(analysis, n, scope, before);
  if (n.valuesLists) return values(analysis, n, scope);

  const from = fromClause(analysis, n.fromClause, scope);
  const all = inside(scope, from);
  where(analysis, n.whereClause, all);
  const names = without(from, restricted(analysis, n, all));
  const inner = inside(scope, names);
  const own = { ...inner, windows: analysis.inClause("WINDOW", () => windows(analysis, n.windowClause, inner)) };
  const row = analysis.inClause("SELECT", () => targetList(analysis, n.targetList ?? [], own, names));
  if (n.groupClause) analysis.settles(before);
  ordered(analysis, "GROUP BY", n.groupClause, own, row);
  ordered(analysis, "DISTINCT", n.distinctClause, own, row);
  const sorts = ordered(analysis, "ORDER BY", n.sortClause, own, row);
  analysis.inClause("HAVING", () => condition(analysis, n.havingClause, own));
  if (sorts.some((trace) => isUnique(analysis, trace))) analysis.settles(before);
  limits(analysis, n, own, before);
  locks(analysis, n, from);
  return row;
}

/** The same names, where some of the items give fewer rows. */
function without(names: Names, items: ReadonlySet<RangeItem>): Names {
  if (items.size === 0) return names;
  const narrow = new Set([...items].flatMap(({ row }) => [...row.columns.map(({ trace }) => trace), row.open]));
  const all = items.size === names.items.length;
  return {
    items: names.items.map((item) => (items.has(item) ? { ...item, row: narrowed(item.row) } : item)),
    row: each(names.row, (trace) => (all || narrow.has(trace) ? fewer(trace) : trace)),
  };
}

/** What each window of a WINDOW clause looks at; one may be made of another before it. */
function windows(analysis: Analysis, nodes: readonly Node[] | undefined, scope: Scope): ReadonlyMap<string, Trace> {
  const known = new Map<string, Trace>();
  for (const node of nodes ?? []) {
    const { name = "", refname } = must("WindowDef", node);
    const of = refname ? (known.get(refname) ?? everything(scope)) : NOTHING;
    known.set(name, union([of, analysis.expression(node, scope)]));
  }
  return known;
}

export function where(analysis: Analysis, node: Node | undefined, scope: Scope): void {
  analysis.inClause("WHERE", () => condition(analysis, node, scope));
}

/** MaxTupleAttributeNumber: the server refuses more. */
const MAX_COLUMNS = 1664;

/** The output columns of a target list, stars expanded. */
export function targetList(analysis: Analysis, nodes: readonly Node[], scope: Scope, names: Names): Row {
  const columns: Column[] = [];
  const opens: Trace[] = [];
  const expand = (row: Row) => {
    analysis.step(row.columns.length);
    for (const column of row.columns) columns.push({ name: column.name, trace: analysis.reads(column.trace) });
    if (row.open) opens.push(analysis.reads(row.open));
  };
  for (const node of nodes) {
    const target = must("ResTarget", node);
    const star = starOf(analysis, target.val, scope, names);
    if (star) {
      expand(star);
      continue;
    }
    const trace = analysis.expression(target.val, scope);
    // A subquery in it has been understood by now: once more for its name would double the cost of every level.
    columns.push({
      name: target.name ?? columnName(target.val, (subquery) => analysis.firstOutputs.get(subquery)),
      trace,
    });
  }
  if (columns.length > MAX_COLUMNS) throw new NotUnderstood(`it selects more than ${MAX_COLUMNS} columns`);
  // Columns that are not known shift the ones behind them: any could be anywhere.
  const open = opens.length === 0 ? null : union([...opens, ...columns.map((c) => c.trace)]);
  return { columns: open ? columns.map((c) => ({ name: c.name, trace: union([c.trace, open]) })) : columns, open };
}

/** The row a `*` stands for; undefined where the target is no star. */
function starOf(analysis: Analysis, node: Node | undefined, scope: Scope, names: Names): Row | undefined {
  const fields = as("ColumnRef", node)?.fields;
  if (fields && as("A_Star", fields.at(-1))) {
    const qualifier = strings(fields.slice(0, -1));
    if (qualifier.length === 0) return names.row;
    const item = findItem(scope, qualifier.length > 1 ? qualifier.at(-2)! : null, qualifier.at(-1)!);
    if (item) return item.row;
    return { columns: [], open: everything(scope) };
  }
  const indirection = as("A_Indirection", node);
  if (indirection && as("A_Star", indirection.indirection?.at(-1))) {
    const value = analysis.expression(node, scope);
    return value.fields ? { columns: value.fields, open: null } : { columns: [], open: union([value]) };
  }
  return undefined;
}

function setOperation(analysis: Analysis, n: SelectStmt, scope: Scope, before: number): Row {
  // Left-deep chains of hundreds are common in generated SQL: no recursion down the left side.
  const operations: SelectStmt[] = [];
  let leftmost: SelectStmt = n;
  while (leftmost.larg && leftmost.rarg && (leftmost === n || plain(leftmost))) {
    operations.push(leftmost);
    leftmost = leftmost.larg;
  }
  let row = select(analysis, leftmost, scope);
  for (const operation of operations.reverse()) {
    row = merged(row, select(analysis, operation.rarg!, scope));
    compares(analysis, operation, row);
  }
  limits(analysis, n, scope, before);
  // ORDER BY of a set operation knows output names and positions only.
  ordered(analysis, "ORDER BY", n.sortClause, scope, row);
  return isLimited(n) ? narrowed(row) : row;
}

const isLimited = ({ limitCount }: SelectStmt): boolean =>
  limitCount !== undefined && !as("A_Const", limitCount)?.isnull;

/** A set operation other than UNION ALL finds out which rows are the same. */
function compares(analysis: Analysis, { op, all }: SelectStmt, row: Row): void {
  if (op === "SETOP_UNION" && all) return;
  const [use, clause] =
    op === "SETOP_UNION"
      ? ([ORDER.distinct, "UNION"] as const)
      : ([FILTER.join, op === "SETOP_EXCEPT" ? "EXCEPT" : "INTERSECT"] as const);
  analysis.inClause(clause, () => analysis.notes(wholeRow(row), use));
}

const plain = (n: SelectStmt): boolean => !n.withClause && !n.sortClause && !n.limitCount && !n.limitOffset;

function values(analysis: Analysis, n: SelectStmt, scope: Scope): Row {
  let row: Row | null = null;
  for (const list of n.valuesLists ?? []) {
    const items = must("List", list).items ?? [];
    const columns = analysis.inClause("VALUES", () =>
      items.map((item, i) => ({ name: `column${i + 1}`, trace: analysis.expression(item, scope) })),
    );
    row = row ? merged(row, { columns, open: null }) : { columns, open: null };
  }
  limits(analysis, n, scope);
  const result = row ?? { columns: [], open: null };
  ordered(analysis, "ORDER BY", n.sortClause, inside(scope, { items: [], row: result }), result);
  return derived(result);
}

const ORDERS = { "GROUP BY": ORDER.group, DISTINCT: ORDER.distinct, "ORDER BY": ORDER.sort } as const;

/** ORDER BY, GROUP BY, DISTINCT ON: a bare name or number may mean an output column, which has been looked at already. */
function ordered(
  analysis: Analysis,
  clause: keyof typeof ORDERS,
  nodes: readonly Node[] | undefined,
  scope: Scope,
  outputs: Row,
): Trace[] {
  return analysis.inClause(clause, () => {
    const traces = (nodes ?? []).flatMap((node) => orderedBy(analysis, node, scope, outputs));
    for (const trace of traces) analysis.notes(trace, ORDERS[clause]);
    return traces;
  });
}

/** A key as it stands: of rows in its order, no other order is to be seen. */
const isUnique = (analysis: Analysis, { direct, sources }: Trace): boolean =>
  direct && [...sources].some((source) => analysis.context.catalog.keysOf(source).includes(source));

function orderedBy(analysis: Analysis, node: Node, scope: Scope, outputs: Row): Trace[] {
  // DISTINCT without ON: all of them.
  if (Object.keys(node).length === 0) return [wholeRow(outputs)];
  const sets = as("GroupingSet", node);
  if (sets) return (sets.content ?? []).flatMap((set) => orderedBy(analysis, set, scope, outputs));
  const plain = as("SortBy", node)?.node ?? node;
  const names = strings(as("ColumnRef", plain)?.fields);
  const position = as("A_Const", plain)?.ival?.ival;
  const numbered = position ? (outputs.columns[position - 1]?.trace ?? outputs.open) : undefined;
  if (numbered) return [numbered];
  const named = names.length === 1 ? columnOf(outputs, names[0]!) : undefined;
  if (!named) return [analysis.expression(node, scope)];
  // GROUP BY takes a name for a column of the tables first, where there is one.
  const column = columnOf(scope.names.row, names[0]!);
  return [analysis.reads(named), ...(column ? [analysis.reads(column)] : [])];
}

/** @param before how many values could arrange rows before those that are limited. */
function limits(analysis: Analysis, n: SelectStmt, scope: Scope, before = analysis.arranged): void {
  if (isLimited(n)) analysis.stopsEarly(before, "LIMIT without ORDER BY of a unique column");
  for (const [clause, node] of [
    ["LIMIT", n.limitCount],
    ["OFFSET", n.limitOffset],
  ] as const) {
    analysis.inClause(clause, () => analysis.notes(analysis.expression(node, scope), FILTER.other));
  }
}

function locks(analysis: Analysis, n: SelectStmt, names: Names): void {
  for (const node of n.lockingClause ?? []) {
    const lock = must("LockingClause", node);
    const wanted = (lock.lockedRels ?? []).map((rel) => must("RangeVar", rel).relname ?? "");
    for (const item of names.items) {
      if (wanted.length > 0 && !wanted.includes(item.alias)) continue;
      const table = [...item.row.columns.map((c) => c.trace), item.row.open].find((t) => t?.base)?.base?.table;
      analysis.effects.extra("sql:lock", table ?? item.alias);
    }
  }
}

/** A scope in which the WITH queries can be selected from. */
export function withClause(analysis: Analysis, n: WithClause, outer: Scope): Scope {
  const ctes = new Map<string, Row>();
  const scope = withCtes(outer, ctes);
  const waiting = new Map((n.ctes ?? []).map((node) => must("CommonTableExpr", node)).map((c) => [c.ctename ?? "", c]));
  const define = (name: string) => {
    const cte = waiting.get(name);
    if (cte === undefined) return;
    waiting.delete(name);
    if (cte.ctequery === undefined) throw new NotUnderstood("a WITH query without a query");
    const used = n.recursive ? relationNames(cte.ctequery) : new Set<string>();
    // In WITH RECURSIVE a query may come before those it selects from.
    for (const other of used) if (other !== name) define(other);
    const names = strings(cte.aliascolnames);
    const arms = used.has(name) ? recursiveArms(cte.ctequery) : undefined;
    const row = arms
      ? fixpoint(analysis, arms, name, names, scope, ctes)
      : renamed(analysis.query(cte.ctequery, scope), names);
    ctes.set(name, withSearchAndCycle(analysis, row, cte));
  };
  for (const name of [...waiting.keys()]) define(name);
  return scope;
}

function relationNames(node: Node): Set<string> {
  const names = new Set<string>();
  everyNode(node, (kind, fields) => {
    const range = fields as NodeFields<"RangeVar">;
    if (kind === "RangeVar" && !range.schemaname && range.relname) names.add(range.relname);
  });
  return names;
}

function recursiveArms(node: Node): SelectStmt | undefined {
  const n = as("SelectStmt", node);
  return n?.larg && n.rarg && n.op === "SETOP_UNION" ? n : undefined;
}

/** Sources go round until no column gains one: then no further round would. */
function fixpoint(
  analysis: Analysis,
  n: SelectStmt,
  name: string,
  names: readonly string[],
  outer: Scope,
  ctes: Map<string, Row>,
): Row {
  const scope = n.withClause ? withClause(analysis, n.withClause, outer) : outer;
  let row = derived(renamed(select(analysis, n.larg!, scope), names));
  for (;;) {
    ctes.set(name, row);
    const both = merged(row, select(analysis, n.rarg!, scope));
    compares(analysis, n, both);
    const next = derived(renamed(both, names));
    if (weight(next) === weight(row)) break;
    row = next;
  }
  limits(analysis, n, scope);
  return derived({
    ...row,
    columns: row.columns.map((c) => ({ name: c.name, trace: { ...c.trace, direct: false } })),
  });
}

const weight = (row: Row): number =>
  [...row.columns.map((c) => c.trace), row.open ?? NOTHING].reduce(
    (sum, trace) => sum + trace.sources.size + (trace.leaks ? 1 : 0) + (trace.everyRow ? 1 : 0),
    0,
  );

function withSearchAndCycle(analysis: Analysis, row: Row, cte: NodeFields<"CommonTableExpr">): Row {
  const added: Column[] = [];
  if (cte.search_clause?.search_seq_column) {
    added.push({ name: cte.search_clause.search_seq_column, trace: union([wholeRow(row)]) });
  }
  if (cte.cycle_clause) {
    // A row that was there before ends the search.
    const columns = strings(cte.cycle_clause.cycle_col_list).map((name) => columnOf(row, name) ?? NOTHING);
    analysis.inClause("CYCLE", () => analysis.notes(union(columns), FILTER.join));
    added.push({ name: cte.cycle_clause.cycle_mark_column ?? "", trace: NOTHING });
    added.push({ name: cte.cycle_clause.cycle_path_column ?? "", trace: union([wholeRow(row)]) });
  }
  return added.length === 0 ? row : { columns: [...row.columns, ...added], open: row.open };
}
