import type { Analysis } from "./analysis.js";
import { constantText, type NodeFields, NotUnderstood } from "./parser/ast.js";
import { NOTHING_BACK, type Returned } from "./returned.js";
import { type SettingEffect, settingEffect } from "./settings.js";
import { LEAK } from "./trace.js";
import { ORDER } from "./uses.js";

export function set(analysis: Analysis, n: NodeFields<"VariableSetStmt">): Returned {
  const { kind, name = "", args = [] } = n;
  if (kind === "VAR_RESET_ALL") {
    analysis.session.push({ kind: "searchPath", path: null, local: false });
    return NOTHING_BACK;
  }
  // SET TRANSACTION, SET SESSION CHARACTERISTICS: nothing but how transactions are run.
  if (kind === "VAR_SET_MULTI") return NOTHING_BACK;
  const current = kind === "VAR_SET_CURRENT";
  const values = kind === "VAR_SET_VALUE" ? args.map(constantText) : null;
  const effect = current ? ofCurrent(name) : settingEffect(name, values);
  if (effect.refused) throw new NotUnderstood(effect.refused);
  if (effect.plans) analysis.inClause("SET", () => analysis.notes(LEAK, ORDER.plan, name.toLowerCase()));
  if (effect.action !== "sql:session") analysis.effects.extra(effect.action, name);
  setsNames(analysis, effect, n.is_local ?? false);
  return NOTHING_BACK;
}

/** To what it is now, which may be what was set for the transaction only. */
const ofCurrent = (name: string): SettingEffect => ({
  action: "sql:set",
  ...(settingEffect(name, [undefined]).unsettles && { unsettles: true }),
});

/** What a setting does to what names mean. */
export function setsNames(analysis: Analysis, effect: SettingEffect, local: boolean): void {
  if (effect.searchPath !== undefined) analysis.session.push({ kind: "searchPath", path: effect.searchPath, local });
  if ("role" in effect) analysis.session.push({ kind: "role", role: effect.role, local });
  if (effect.unsettles) analysis.unsettles = true;
}

/** A setting that a role, a database or a function is given: whoever comes by it has it set. */
export function plansBy(analysis: Analysis, { kind, name = "" }: NodeFields<"VariableSetStmt">): void {
  if (kind !== "VAR_SET_VALUE" || !settingEffect(name, []).plans) return;
  analysis.inClause("SET", () => analysis.notes(LEAK, ORDER.plan, name.toLowerCase()));
}
