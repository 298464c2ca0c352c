import type { SqlAction } from "#commands";
import type { RoutineFacts } from "./catalog.js";
import {
  FUNCTION_ACTIONS,
  HARMLESS_EXTENSION,
  HARMLESS_VOLATILE,
  KEEPS_ARGUMENTS,
  MEASURES,
  REACHING,
  RUNS_SQL,
} from "./system-names.js";

export interface FunctionEffect {
  /** What calling it does besides computing; null for nothing. */
  readonly action: SqlAction | null;
  /** Its value can show more than its arguments. */
  readonly leaks: boolean;
  /** What it does could be anything its author likes. */
  readonly unread: boolean;
}

const HARMLESS: FunctionEffect = { action: null, leaks: false, unread: false };

const REACHES: FunctionEffect = { action: "sql:system", leaks: true, unread: false };

/** What calling a function does, by what the catalog says of it. What is not known to be harmless is not. */
export function functionEffect(routine: RoutineFacts): FunctionEffect {
  return routine.userDefined ? userFunction(routine) : systemFunction(routine);
}

function systemFunction({ name, schema, volatility }: RoutineFacts): FunctionEffect {
  if (schema !== "pg_catalog") return HARMLESS;
  const action = FUNCTION_ACTIONS[name];
  if (action) return { ...HARMLESS, action };
  if (REACHING.has(name)) return REACHES;
  if (MEASURES.test(name)) return { ...HARMLESS, leaks: true };
  if (volatility !== "volatile" || HARMLESS_VOLATILE.has(name)) return HARMLESS;
  return REACHES;
}

/** What is given to it can be found out afterwards, or by others: a lock's number, a setting, a seed, how long it took. */
export const keepsArguments = (routine: RoutineFacts): boolean =>
  !routine.userDefined && (systemFunction(routine).action !== null || KEEPS_ARGUMENTS.has(routine.name));

function userFunction({ name, language, volatility }: RoutineFacts): FunctionEffect {
  if (RUNS_SQL.test(name)) return { ...REACHES, unread: true };
  if (language === "c" && (volatility === "immutable" || HARMLESS_EXTENSION.has(name))) return HARMLESS;
  // IMMUTABLE and STABLE are the author's word: they are taken for what is changed, not for what is shown.
  return { action: volatility === "volatile" ? "sql:function_write" : null, leaks: true, unread: true };
}

/** A function nobody knows could do anything. */
export const UNKNOWN_FUNCTION: FunctionEffect = { action: "sql:function_write", leaks: true, unread: true };
