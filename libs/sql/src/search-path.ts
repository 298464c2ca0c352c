import type { CatalogRows } from "./catalog-queries.js";

/** Who a fresh session is, and its search_path as it is set; schemas that do not exist are left out. */
export interface FreshSession {
  readonly role: string;
  /** Whom `SET ROLE NONE` leads back to. */
  readonly user: string;
  readonly searchPath: readonly string[];
}

/** @param row what `SESSION_QUERY` gave. */
export function freshSession(row: SessionRow, { schemas }: Pick<CatalogRows, "schemas">): FreshSession {
  const there = new Set(["$user", "pg_temp", ...schemas.map(({ name }) => name)]);
  const searchPath = (parseSearchPath(row.path) ?? []).filter((name) => there.has(name));
  return { role: row.role, user: row.user, searchPath };
}

export interface SessionRow {
  readonly path: string;
  readonly role: string;
  readonly user: string;
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
