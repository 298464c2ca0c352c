import type { CatalogRows } from "./catalog-queries.js";

/**
 * Code that is not read, told of its text: whether it could leave another search_path or role behind, or another cursor
 * under a name. It could where it says so, where it runs a text that may say anything, and where it calls what could.
 */

/** Words that it takes; `set schema` is another name of the search_path, `U&` spells any name. */
const SAYS_SO =
  /\b(set_config|search_path|pg_settings|reset|discard|open|close|(session_)?authorization)\b|\bset\s+((local|session)\s+)?(role|schema)\b|\bu&["']/i;
/** What a text begins with that is put together for EXECUTE and surely sets nothing. */
const STATEMENT =
  "select|with|values|table|insert|update|delete|merge|truncate|copy|create|alter|drop|grant|revoke|comment|refresh|reindex|cluster|analyze|vacuum|explain|lock|notify";
const RUNS_TEXT = new RegExp(
  `\\bexecute\\b(?!\\s*\\(?\\s*(?:(?:pg_catalog\\s*\\.\\s*)?(?:format|concat)\\s*\\(\\s*)?(?:e?'|\\$\\w*\\$)\\s*(?:${STATEMENT})\\b)`,
  "i",
);
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/gu;

/** Whether a text says that it could, without what it calls; null is one that cannot be had. */
export const saysSo = (language: string, text: string | null): boolean =>
  text === null || !["sql", "plpgsql"].includes(language) || SAYS_SO.test(text) || RUNS_TEXT.test(text);

type Source = CatalogRows["functions"][number];

/** The functions of a catalog that could. */
export class Unsettling {
  #found: { readonly oids: ReadonlySet<string>; readonly names: ReadonlySet<string> } | undefined;

  constructor(private readonly functions: readonly Source[]) {}

  has(oid: string): boolean {
    return this.#all.oids.has(oid);
  }

  /** Whether a text names one of them. */
  isNamedIn(text: string): boolean {
    return names(text, this.#all.names);
  }

  /** Found when first asked for. */
  get #all() {
    if (this.#found) return this.#found;
    const oids = new Set<string>();
    const found = new Set<string>();
    const add = ({ oid, name }: Source) => {
      oids.add(oid);
      found.add(name.toLowerCase());
    };
    let rest = this.functions.filter(
      ({ userDefined, language, kind }) => userDefined && (kind === "a" || !["internal", "c"].includes(language)),
    );
    for (const routine of rest) if (routine.kind !== "a" && saysSo(routine.language, routine.body)) add(routine);
    for (let before = -1; before < oids.size; ) {
      before = oids.size;
      rest = rest.filter(({ oid }) => !oids.has(oid));
      for (const routine of rest) if (names(routine.body ?? "", found)) add(routine);
    }
    this.#found = { oids, names: found };
    return this.#found;
  }
}

/** By its words, or by itself where it is no word. */
function names(text: string, known: ReadonlySet<string>): boolean {
  if (known.size === 0) return false;
  const lower = text.toLowerCase();
  for (const [word] of lower.matchAll(WORD)) if (known.has(word)) return true;
  return [...known].some((name) => /[^\p{L}\p{N}_$]/u.test(name) && lower.includes(name));
}
