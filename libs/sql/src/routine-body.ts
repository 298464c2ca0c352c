import type { RoutineBody } from "./catalog.js";
import { pathNames, settingEffect } from "./settings.js";

interface Source {
  readonly body: string | null;
  readonly inputs: readonly string[] | null;
  readonly settings: readonly string[] | null;
}

/** What a function runs, as statements that can be parsed; null where settings of its own change how they are read. */
export function routineBody({ body, inputs, settings }: Source): RoutineBody | null {
  if (body === null) return null;
  let searchPath: readonly string[] | null = null;
  for (const setting of settings ?? []) {
    const name = setting.slice(0, setting.indexOf("="));
    const value = setting.slice(name.length + 1);
    if (name.toLowerCase() === "search_path") searchPath = pathNames(value).filter((schema) => schema !== "");
    else if (settingEffect(name, [value]).action !== "sql:session") return null;
  }
  return { text: statements(body), argumentNames: inputs ?? [], searchPath };
}

/** A body of the SQL standard's kind is one statement to PostgreSQL: `BEGIN ATOMIC …; END` or `RETURN …`. */
function statements(body: string): string {
  const [, atomic] = /^\s*BEGIN ATOMIC\s([\s\S]*?)\s*END\s*$/.exec(body) ?? [];
  return atomic ?? body.replace(/^\s*RETURN\s/, "SELECT ");
}
