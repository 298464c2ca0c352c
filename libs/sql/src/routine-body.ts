import type { RoutineBody } from "./catalog.js";
import type { CatalogRows } from "./catalog-queries.js";
import { pathNames, settingEffect } from "./settings.js";

type Source = CatalogRows["functions"][number];

/** What a function runs, in a form that can be parsed; null where settings of its own change how it is read. */
export function routineBody(source: Source): RoutineBody | null {
  const { body, readable, inputs, settings, defaults } = source;
  if (body === null || !readable || !isPlain(defaults)) return null;
  let searchPath: readonly string[] | null = null;
  for (const setting of settings ?? []) {
    const name = setting.slice(0, setting.indexOf("="));
    const value = setting.slice(name.length + 1);
    if (name.toLowerCase() === "search_path") searchPath = pathNames(value).filter((schema) => schema !== "");
    else {
      const { action, refused } = settingEffect(name, [value]);
      if (action !== "sql:session" || refused) return null;
    }
  }
  const code = source.arguments ? { text: body, head: head(source) } : { text: statements(body), head: null };
  return { ...code, argumentNames: inputs ?? [], searchPath };
}

/** A body of the SQL standard's kind is one statement to PostgreSQL: `BEGIN ATOMIC …; END` or `RETURN …`. */
function statements(body: string): string {
  const [, atomic] = /^\s*BEGIN ATOMIC\s([\s\S]*?)\s*END\s*$/.exec(body) ?? [];
  return atomic ?? body.replace(/^\s*RETURN\s/, "SELECT ");
}

/** Whether what arguments are that are not given is constants, or the time. */
function isPlain(defaults: string | null): boolean {
  const bare = (defaults ?? "")
    .replace(/'(?:[^']|'')*'/g, "")
    .replace(/\b(now|clock_timestamp|gen_random_uuid)\(\)/g, "")
    // Of a type: numeric(10,2).
    .replace(/\(\s*\d+\s*(,\s*\d+\s*)?\)/g, "");
  return /^[\w\s:,."[\]-]*$/.test(bare);
}

/**
 * The statement that would create a function in PL/pgSQL, up to its body. To the parser a type is a row, or it is not:
 * any other is as good as text.
 */
function head({ name, kind, returnsSet, pseudo, rowOf, arguments: given }: Source): string {
  const args = (given ?? []).map((argument) => {
    const [mode = "i", form] = argument;
    return { out: "obt".includes(mode), type: form === "r" ? "record" : "text", mode, name: argument.slice(2) };
  });
  const list = args
    .map(({ mode, name: own, type }) => `${MODES[mode] ?? "IN"} ${own && quoted(own)} ${type}`)
    .join(", ");
  const outs = args.filter(({ out }) => out);
  const record = outs.length > 1 || rowOf !== null || pseudo === "record";
  const type = outs.length === 1 ? outs[0]!.type : record ? "record" : pseudo === "void" ? "void" : "text";
  const returns = kind === "p" ? "" : ` RETURNS ${returnsSet ? "SETOF " : ""}${type}`;
  return `CREATE ${kind === "p" ? "PROCEDURE" : "FUNCTION"} ${quoted(name)}(${list})${returns} LANGUAGE plpgsql AS`;
}

/** pg_proc's proargmodes. */
const MODES: Readonly<Record<string, string>> = { o: "OUT", t: "OUT", b: "INOUT" };

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
