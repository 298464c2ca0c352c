import type { Node, TypeName } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { findings } from "./body-findings.js";
import type { RoutineFacts } from "./catalog.js";
import { functionEffect, UNKNOWN_FUNCTION } from "./functions.js";
import { kindOf, NotUnderstood, strings } from "./parser/ast.js";
import type { PlpgsqlBody } from "./plpgsql/body.js";
import { runPlpgsql } from "./plpgsql/run.js";
import { inside, type Names, ROOT } from "./scope.js";
import { intoOf } from "./select-into.js";
import { derived, LEAK, NOTHING, type Row, type Trace, union, wholeRow } from "./trace.js";

/**
 * Notes a call, and says what its value can show besides its arguments.
 * @param routines every one the call could mean; none where nothing is known by the name.
 * @param fixed whether each call in the statement has the same arguments.
 */
export function callsRoutines(
  analysis: Analysis,
  routines: readonly RoutineFacts[],
  spelled: string,
  args: Trace = NOTHING,
  fixed = false,
): Trace {
  if (routines.length === 0) {
    analysis.names.unknown.add(`${spelled}()`);
    analysis.effects.runsUnknown(spelled);
    analysis.effects.extra(UNKNOWN_FUNCTION.action!, spelled);
    analysis.unsettles = true;
    return LEAK;
  }
  const values = [...new Set(routines)].map((routine) => runs(analysis, routine, args, fixed));
  return values.length === 1 ? values[0]! : union(values);
}

/** What runs when a value becomes one of a type, where that is no code of PostgreSQL's own. */
export function typeRuns(analysis: Analysis, type: TypeName | undefined): Trace {
  const names = strings(type?.names);
  const custom = analysis.context.catalog.typeFunctions(names.at(-1) ?? "");
  return custom.length > 0 ? callsRoutines(analysis, custom, names.join(".")) : NOTHING;
}

function runs(analysis: Analysis, routine: RoutineFacts, args: Trace, fixed: boolean): Trace {
  const effect = functionEffect(routine);
  const value = effect.unread ? bodyValue(analysis, routine, args, fixed) : null;
  analysis.effects.runs(routine, effect.unread && value === null);
  if (value) return value;
  if (effect.unread && routine.unsettling) analysis.unsettles = true;
  if (effect.action) analysis.effects.extra(effect.action, `${routine.schema}.${routine.name}`);
  return effect.leaks ? LEAK : NOTHING;
}

/**
 * A function in SQL or PL/pgSQL, understood through its body: what it reads and writes counts as done by the statement
 * that calls it. Gives what its value can show; null where the body cannot be told, and so could do anything.
 */
function bodyValue(analysis: Analysis, routine: RoutineFacts, args: Trace, fixed: boolean): Trace | null {
  const { body } = routine;
  if (body === null) return null;
  if (analysis.running.has(routine)) {
    analysis.recursions += 1;
    return null;
  }
  // A path of the owner's own cannot be known.
  if (body.searchPath?.includes("$user")) return null;
  const { head, text } = body;
  const code = head === null ? analysis.definition(routine, text) : analysis.body(routine, { head, text });
  if (code === null) return null;
  const value = findings(analysis, routine, args, fixed, () => runBody(analysis, routine, code, args, fixed));
  if (value) analysis.followsPath ||= body.searchPath === null;
  return value;
}

function runBody(
  analysis: Analysis,
  routine: RoutineFacts,
  code: readonly Node[] | PlpgsqlBody,
  args: Trace,
  fixed: boolean,
): Trace | null {
  const { parts, stores, session, parameters, sameArguments, followsPath } = analysis;
  const kept = [parts, stores, session].map((list) => [list, list.length] as const);
  analysis.running.add(routine);
  // One object, by which an argument is known for one, whether it is called by its name or its number.
  analysis.parameters = { ...args, base: null };
  analysis.sameArguments &&= fixed;
  try {
    const value = analysis.names.inFunction(routine, () => analysis.afresh(() => valueGiven(analysis, routine, code)));
    // Their names are settled one by one, as they are run.
    if (!("datums" in code) && code.length > 1 && analysis.unsettles)
      throw new NotUnderstood("a function that changes what its names mean");
    if (session.length > kept[2]![1]) {
      analysis.unsettles = true;
      throw new NotUnderstood("a function that changes the session");
    }
    for (const part of parts.slice(kept[0]![1])) {
      part.rowLimit = null;
      // The same call with other arguments for each row of a query writes other rows each time.
      if (!fixed) part.repeats();
    }
    return value;
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    for (const [list, length] of kept) list.length = length;
    analysis.followsPath = followsPath;
    return null;
  } finally {
    analysis.running.delete(routine);
    analysis.parameters = parameters;
    analysis.sameArguments = sameArguments;
  }
}

/** pg_type OID of what says that there is no value. */
const VOID = 2278;

function valueGiven(analysis: Analysis, routine: RoutineFacts, code: readonly Node[] | PlpgsqlBody): Trace {
  if (!("datums" in code)) return shownBy(routine, last(analysis, routine, code));
  const { returned, control } = runPlpgsql(analysis, code, routine.name, routine.body?.argumentNames);
  if (routine.returns === VOID) return NOTHING;
  const values = returned.map((row) => shownBy(routine, derived(row)));
  const whole = { ...union([...values, control]), direct: false };
  const fields = routine.columns?.map((name, i) => ({
    name,
    trace: union([...values.map((value) => value.fields?.[i]?.trace ?? value), control]),
  }));
  return { ...whole, fields: fields ?? null };
}

/** Runs the statements in turn; a function gives what its last one gives. */
function last(analysis: Analysis, routine: RoutineFacts, statements: readonly Node[]): Row {
  const columns = (routine.body?.argumentNames ?? []).map((name) => ({ name, trace: analysis.parameters }));
  const row = { columns: columns.filter(({ name }) => name !== ""), open: null };
  // Arguments are found behind all columns, by their names or as `function.argument`.
  const names: Names = { items: [{ alias: routine.name, schema: null, row }], row };
  const scope = inside(ROOT, names);
  let given: Row = { columns: [], open: null };
  for (const node of statements) {
    if (intoOf(node)) throw new NotUnderstood("a table made by SELECT INTO");
    // What is no query is not understood, and so is not read; what writes is a statement of its own anyway.
    const query = () => analysis.query(node, scope);
    given = kindOf(node) === "SelectStmt" ? analysis.within("sql:select", query) : query();
  }
  return derived(given);
}

function shownBy({ columns }: RoutineFacts, row: Row): Trace {
  const whole = { ...union([wholeRow(row)]), fields: null };
  if (columns === null) return whole;
  const [only] = row.columns;
  const given = row.columns.length === 1 && columns.length > 1 ? (only?.trace.fields ?? []) : row.columns;
  const fits = row.open === null && given.length === columns.length;
  const fields = columns.map((name, i) => ({
    name,
    trace: fits ? { ...union([given[i]?.trace ?? NOTHING]), direct: false } : whole,
  }));
  return { ...whole, fields };
}
