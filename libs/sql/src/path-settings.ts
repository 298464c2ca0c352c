import type { Node } from "libpg-query";
import { as, constantText, strings } from "./parser/ast.js";

/**
 * Whether a statement that sets the search_path so many times surely does so, once each and in the order of its text: it
 * is a SET, or a SELECT of nothing but such calls of set_config(). In any other a call may be left out, put off or done
 * again.
 */
export function surelySets(node: Node, times: number): boolean {
  if (times === 0 || as("VariableSetStmt", node)) return true;
  const select = as("SelectStmt", node);
  if (!select || !Object.entries(select).every(([field, value]) => PLAIN[field]?.(value))) return false;
  const set = (select.targetList ?? []).map(settingOf);
  return !set.includes(null) && set.filter((name) => name === "search_path").length === times;
}

/** What a call of set_config() sets; null of anything else. */
function settingOf(target: Node): string | null {
  const call = as("FuncCall", as("ResTarget", target)?.val);
  if (!call || strings(call.funcname).at(-1) !== "set_config") return null;
  return constantText(call.args?.[0])?.toLowerCase() ?? null;
}

/** Fields of a SELECT with nothing but a target list. */
const PLAIN: Readonly<Record<string, (value: unknown) => boolean>> = {
  targetList: () => true,
  limitOption: (value) => value === "LIMIT_OPTION_DEFAULT",
  op: (value) => value === "SETOP_NONE",
};
