import type { FuncCall, Node } from "libpg-query";
import type { Analysis } from "./analysis.js";
import type { RoutineFacts } from "./catalog.js";
import { isConstant } from "./comparisons.js";
import { condition } from "./conditions.js";
import { functionEffect, keepsArguments, UNKNOWN_FUNCTION } from "./functions.js";
import { as, constantText, NotUnderstood, strings } from "./parser/ast.js";
import { callsRoutines } from "./routine-calls.js";
import { isText, TEXT } from "./scalar-types.js";
import { everything, type Scope } from "./scope.js";
import { setsNames } from "./set-statement.js";
import { couldMisread, couldPlan, isHarmless, pathNames, settingEffect } from "./settings.js";
import { isTotal } from "./total-functions.js";
import { type Column, LEAK, type Trace, union } from "./trace.js";
import { FILTER, ORDER } from "./uses.js";

export function functionCall(analysis: Analysis, call: FuncCall, scope: Scope): Trace {
  const names = strings(call.funcname);
  const spelled = names.join(".");
  const args = analysis.expressions(call.args, scope);
  const sorts = analysis.expressions(call.agg_order, scope);
  // Every aggregate beside it may be given its rows in the same order.
  for (const trace of sorts) analysis.notes(trace, ORDER.sort, `ORDER BY in ${spelled}()`);
  if (call.agg_distinct) analysis.notes(union(args), ORDER.distinct, `DISTINCT in ${spelled}()`);
  const rest = [
    ...sorts,
    analysis.expression(call.over && { WindowDef: call.over }, scope),
    analysis.inClause("FILTER", () => condition(analysis, call.agg_filter, scope)),
  ];
  const window = call.over?.name ?? call.over?.refname;
  if (window) rest.push(scope.windows?.get(window) ?? everything(scope));
  const given = union([...args, ...rest]);
  const routines = analysis.names.routines(names);
  const [only] = args;
  if (routines.length === 0 && names.length === 1 && args.length === 1 && only?.fields) {
    // `email(customers)` is `customers.email`.
    const field = only.fields.find((f) => f.name === spelled);
    if (field) return analysis.reads({ ...field.trace, direct: false });
  }
  if (spelled.replace(/^pg_catalog\./, "") === "set_config") {
    if (knownSetting(analysis, call, routines.length)) return given;
    unknownSetting(analysis, call);
  }
  const own = callsRoutines(analysis, routines, spelled, given, (call.args ?? []).every(isFixed));
  passes(analysis, call, routines, args, own);
  const plain = routines.length > 0 && routines.every((r) => r.plain || (passesPlain(r) && union(args).plain));
  const fields = own.fields ?? rowFields(routines, args, [...rest, own]);
  return { ...union([given, own]), typeOid: typeGiven(routines, args), plain, fields };
}

/** Give what they are given in another form, of its type. */
const OF_TEXT: ReadonlySet<string> = new Set(
  "lower upper initcap casefold reverse left right lpad rpad substr substring string_agg min max".split(" "),
);

/** pg_type OID of what the call gives; 0 where it depends. */
function typeGiven(routines: readonly RoutineFacts[], args: readonly Trace[]): number {
  const [first] = routines;
  if (first && args[0] && OF_TEXT.has(first.name) && routines.every(({ userDefined }) => !userDefined))
    return isText(args[0]) ? TEXT : 0;
  return first && routines.every(({ returns }) => returns === first.returns) ? first.returns : 0;
}

/** What PostgreSQL's own functions make of plain values is plain. */
const passesPlain = ({ passesRow, userDefined, name }: RoutineFacts): boolean =>
  !userDefined && (passesRow || name === "unnest");

/** Of stored values alone they pick one; among others they compare it with these. */
const COMPARES: ReadonlySet<string> = new Set(["min", "max"]);

/** What a function does with the values given to it, besides giving one of its own. */
function passes(
  analysis: Analysis,
  call: FuncCall,
  routines: readonly RoutineFacts[],
  args: readonly Trace[],
  own: Trace,
): void {
  const name = strings(call.funcname).at(-1) ?? "";
  const by = `${name}()`;
  // What a body that is read does with them has been noted there: with a query all of it, but not which way code takes.
  const opaque = routines.filter((routine) => !analysis.effects.hasRead(routine));
  const branching = routines.filter((routine) => !opaque.includes(routine) && routine.language !== "sql");
  if (routines.length > 0 && opaque.length + branching.length === 0) return;
  const picks = COMPARES.has(name) && branching.length === 0 && opaque.every(({ userDefined }) => !userDefined);
  const nodes: readonly (Node | undefined)[] = call.args ?? [];
  for (const [i, arg] of args.entries()) {
    if (arg.sources.size === 0 && !arg.leaks) continue;
    // Where the first one is found the server stops, and has come there in order.
    if (picks) analysis.notes(arg, ORDER.sort, by);
    if (picks ? arg.direct : !call.func_variadic && takesAny([...opaque, ...branching], arg, i, nodes)) continue;
    const fixed = nodes.every((node, other) => other === i || !node || isConstant(analysis, node));
    analysis.notes(arg, picks ? FILTER.range : FILTER.other, by, fixed ? "text" : "anything");
  }
  // How many rows it gives is not hidden, and is as much an answer as the rows.
  if (own.leaks && routines.some(({ returnsSet }) => returnsSet)) analysis.notes(own, FILTER.other, by, "anything");
  // What it does outlasts the statement, and can be done with what it was given.
  const effects = routines.length > 0 ? opaque.map(functionEffect) : [UNKNOWN_FUNCTION];
  const given = union(args);
  const keeps = effects.some(({ action }) => action !== null) || opaque.some(keepsArguments);
  if (keeps && (given.sources.size > 0 || given.leaks)) analysis.given(by, { name, trace: given });
}

/** Whether the function gives a value whatever the argument at `position` is. */
function takesAny(
  routines: readonly RoutineFacts[],
  value: Trace,
  position: number,
  nodes: readonly (Node | undefined)[],
): boolean {
  if (as("NamedArgExpr", nodes[position])) return false;
  // By numbers it cuts; by a pattern it finds, or not.
  if (routines.length === 0) return false;
  const cuts = position === 0 && nodes.slice(1).every((node) => as("A_Const", node)?.ival);
  return isTotal(routines, { count: nodes.length, position, value }) || (cuts && routines.every(isSubstring));
}

const isSubstring = ({ schema, name }: RoutineFacts): boolean => schema === "pg_catalog" && name === "substring";

/** set_config by plain constants is the SET it stands for, and by the command's own parameters where any value is harmless. */
function knownSetting(analysis: Analysis, call: FuncCall, candidates: number): boolean {
  const [name, value, local] = (call.args ?? []).map(constantText);
  if (candidates > 1 || name === undefined) return false;
  if (value === undefined || local === undefined) {
    // In a function's body a parameter is whatever it is called with.
    const ownParameters = analysis.running.size === 0 && call.args!.every(isFixed);
    if (!ownParameters || !isHarmless(name)) return false;
    analysis.effects.functions.add("pg_catalog.set_config");
    return true;
  }
  const setting = name.toLowerCase();
  const effect = settingEffect(name, setting === "search_path" ? pathNames(value) : [value]);
  if (effect.refused) throw new NotUnderstood(effect.refused);
  if (effect.plans) analysis.inClause("set_config()", () => analysis.notes(LEAK, ORDER.plan, setting));
  if (effect.action !== "sql:session") return false;
  analysis.effects.functions.add("pg_catalog.set_config");
  setsNames(analysis, effect, /^(t|true|1|on|yes|y)$/i.test(local));
  return true;
}

/** set_config of which not all is known, or of what is no harmless setting. */
function unknownSetting(analysis: Analysis, call: FuncCall): void {
  const [name, value] = (call.args ?? []).map(constantText);
  const refused = couldMisread(name, value);
  if (refused) throw new NotUnderstood(refused);
  if (couldPlan(name, value)) analysis.notes(LEAK, ORDER.plan, "set_config");
  const effect = settingEffect(name ?? "search_path", [undefined]);
  // Whether, and how often, is not asked.
  if (effect.unsettles || "role" in effect) analysis.unsettles = true;
  if (effect.action === "sql:set_role") analysis.effects.extra(effect.action, name!);
}

/** A constant or a parameter: the same for every row. */
function isFixed(node: Node): boolean {
  const cast = as("TypeCast", node);
  return cast?.arg ? isFixed(cast.arg) : as("A_Const", node) !== undefined || as("ParamRef", node) !== undefined;
}

function rowFields(
  routines: readonly RoutineFacts[],
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
