import type { ExplainStmt, Node } from "libpg-query";
import type { SqlAction } from "#commands";
import type { Analysis } from "./analysis.js";
import { as, NotUnderstood } from "./parser/ast.js";
import { relationRow } from "./relations.js";
import { type Returned, rows } from "./returned.js";
import { LEAK, NOTHING, type Trace, union, wholeRow } from "./trace.js";
import { ORDER } from "./uses.js";

/** How the statement that is explained is understood. */
interface Statements {
  actionOf(node: Node): SqlAction;
  analyse(node: Node): unknown;
}

export function explain(analysis: Analysis, n: ExplainStmt, statements: Statements): Returned {
  if (n.query === undefined) throw new NotUnderstood("EXPLAIN without a statement");
  const runs = (n.options ?? []).some((node) => {
    const option = as("DefElem", node);
    return option?.defname === "analyze" && !isOff(option.arg);
  });
  const explained = n.query;
  // Only EXPLAIN ANALYZE does what it explains; the plan of any other statement still names what it would read.
  const run = () => statements.analyse(explained);
  if (runs) measured(analysis, () => analysis.within(statements.actionOf(explained), run));
  else explainOnly(analysis, run);
  const leaks = analysis.parts.some((part) => part.functions.size > 0) && callsOpaque(analysis);
  return rows({ columns: [{ name: "QUERY PLAN", trace: leaks ? LEAK : NOTHING }], open: null });
}

/** ANALYZE counts rows, pages and bytes on the way: of whatever the statement looks at, and of the rows it writes. */
function measured(analysis: Analysis, run: () => void): void {
  const read = analysis.allReads(run);
  const written = analysis.parts.flatMap((part) => [...part.tablesWritten].map((name) => wholeTable(analysis, name)));
  // What is prepared was understood before.
  const executes = analysis.session.some(({ kind }) => kind === "executes");
  const touched = union([read, ...written, ...(executes ? [LEAK] : [])]);
  analysis.inClause("EXPLAIN", () => analysis.notes(touched, ORDER.plan, "ANALYZE"));
}

function wholeTable(analysis: Analysis, name: string): Trace {
  const dot = name.indexOf(".");
  const relation = analysis.context.catalog.relation(name.slice(0, dot), name.slice(dot + 1));
  return relation ? wholeRow(relationRow(analysis, name, relation)) : NOTHING;
}

/** Keeps what an explained statement reads, drops what it would do. */
function explainOnly(analysis: Analysis, run: () => unknown): void {
  const { parts, session, stores, effects } = analysis;
  const kept = [parts.length, session.length, stores.length] as const;
  analysis.within("sql:explain", run);
  for (const part of parts.splice(kept[0])) {
    for (const table of [...part.tablesRead, ...part.tablesWritten]) effects.tablesRead.add(table);
    for (const column of part.columnsRead) effects.columnsRead.add(column);
    for (const called of part.functions) effects.functions.add(called);
  }
  // A cursor or prepared statement that is only explained is not made, but EXPLAIN EXECUTE shows its plan.
  const executes = session.splice(kept[1]).filter((effect) => effect.kind === "executes");
  session.push(...executes);
  stores.splice(kept[2]);
}

/** A plan shows what the planner computed: a function that reads tables and says it is immutable is computed then. */
function callsOpaque(analysis: Analysis): boolean {
  const { catalog } = analysis.context;
  return [...analysis.parts].some((part) =>
    [...part.functions].some((name) => {
      const dot = name.indexOf(".");
      const routines = catalog.functions(name.slice(0, dot), name.slice(dot + 1));
      return routines.length === 0 || routines.some((routine) => routine.userDefined && routine.language !== "c");
    }),
  );
}

function isOff(arg: Node | undefined): boolean {
  const text = as("String", arg)?.sval ?? (as("Integer", arg) ? String(as("Integer", arg)?.ival ?? 0) : undefined);
  const bool = as("Boolean", arg);
  if (bool) return !bool.boolval;
  return text !== undefined && ["off", "false", "0", "no"].includes(text.toLowerCase());
}
