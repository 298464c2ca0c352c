import type { CatalogRows } from "./catalog-queries.js";
import { Unsettling } from "./unsettling.js";

/**
 * Who a fresh session is, and its search_path as it is set; schemas that do not exist are left out. All null where a login
 * event trigger may have set them: to something else in each session, and not to what RESET leads back to.
 */
export interface FreshSession {
  readonly role: string | null;
  /** Whom `SET ROLE NONE` leads back to. */
  readonly user: string | null;
  readonly searchPath: readonly string[] | null;
}

/** @param row what `SESSION_QUERY` gave. */
export function freshSession(
  row: SessionRow,
  { schemas, functions }: Pick<CatalogRows, "schemas" | "functions">,
): FreshSession {
  const unsettling = new Unsettling(functions);
  if (row.logins.some((oid) => unsettling.has(oid))) return { role: null, user: null, searchPath: null };
  const there = new Set(["$user", "pg_temp", ...schemas.map(({ name }) => name)]);
  const searchPath = (parseSearchPath(row.path) ?? []).filter((name) => there.has(name));
  return { role: row.role, user: row.user, searchPath };
}

export interface SessionRow {
  readonly path: string;
  readonly role: string;
  readonly user: string;
  /** OIDs of the functions of login event triggers. */
  readonly logins: readonly string[];
}

/** The value of search_path as a setting gives it (SplitIdentifierString); null where it is not one. */
export function parseSearchPath(text: string): readonly string[] | null {
  const path: string[] = [];
  let rest = text.trim();
  if (rest === "") return [];
  for (;;) {
    const [whole, quoted, plain] = /^(?:"((?:[^"]|"")+)"|([^\s",]+))\s*/.exec(rest) ?? [];
    if (whole === undefined) return null;
    path.push(quoted?.replaceAll('""', '"') ?? plain!.toLowerCase());
    rest = rest.slice(whole.length);
    if (rest === "") return path;
    if (!rest.startsWith(",")) return null;
    rest = rest.slice(1).trimStart();
  }
}
