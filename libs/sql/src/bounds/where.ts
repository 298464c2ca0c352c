import type { Node, SelectStmt } from "libpg-query";
import type { ColumnRef } from "#commands";
import type { Analysis } from "../analysis.js";
import { as } from "../parser/ast.js";
import type { Names, RangeItem, Scope } from "../scope.js";
import type { Row, Trace } from "../trace.js";
import { leftOut } from "./conditions.js";
import { Rows } from "./rows.js";

/**
 * Whether the condition keeps a write from touching every row of `target`: it is proved, from the text alone, that there
 * could be a row that it leaves out. The proof compares one of the target's columns, of which it is known what values it
 * can have, with something that does not come from the target's own rows; of a constant it needs the value itself. What
 * is not proved is taken for a condition that leaves no row out.
 */
export function bounds(analysis: Analysis, condition: Node | undefined, scope: Scope, target: Names): boolean {
  const [item] = target.items;
  if (condition === undefined || item === undefined) return false;
  return analysis.trial(() => leavesOut(analysis, scope, item, condition));
}

/** The items of FROM of which a SELECT gives some rows only, whatever else it does with them. */
export function restricted(analysis: Analysis, n: SelectStmt, scope: Scope): ReadonlySet<RangeItem> {
  const { items } = scope.names;
  if (n.limitCount && !as("A_Const", n.limitCount)?.isnull) return new Set(items);
  const conditions = [...innerJoins(n.fromClause), ...(n.whereClause ? [n.whereClause] : [])];
  // Only a write asks; for a read the answer that costs nothing is as good.
  if (!analysis.writing) return new Set(conditions.length > 0 ? items : []);
  const bounded = analysis.remembered(n, "restricted", () =>
    analysis.trial(() => items.map((item) => conditions.some((each) => leavesOut(analysis, scope, item, each)))),
  );
  return new Set(items.filter((_, i) => bounded[i]));
}

const leavesOut = (analysis: Analysis, scope: Scope, item: RangeItem, condition: Node): boolean =>
  leftOut(rowsOf(analysis, scope, item), condition).length > 0;

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
  return new Rows(analysis, marking(scope, item, mark), mark, tablesOf(item));
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
      [...sources].map(({ schema, table }) => `${schema}.${table}`),
    ),
  );
