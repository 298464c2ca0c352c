import type { Analysis } from "./analysis.js";
import { constantText, type NodeFields } from "./parser/ast.js";
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
  const effect: SettingEffect = current ? { action: "sql:set" } : settingEffect(name, values);
  if (effect.plans) analysis.inClause("SET", () => analysis.notes(LEAK, ORDER.plan, name.toLowerCase()));
  if (effect.action !== "sql:session") analysis.effects.extra(effect.action, name);
  if (effect.searchPath !== undefined) {
    analysis.session.push({ kind: "searchPath", path: effect.searchPath, local: n.is_local ?? false });
  }
  return NOTHING_BACK;
}

/** A setting that a role, a database or a function is given: whoever comes by it has it set. */
export function plansBy(analysis: Analysis, { kind, name = "" }: NodeFields<"VariableSetStmt">): void {
  if (kind !== "VAR_SET_VALUE" || !settingEffect(name, []).plans) return;
  analysis.inClause("SET", () => analysis.notes(LEAK, ORDER.plan, name.toLowerCase()));
}
