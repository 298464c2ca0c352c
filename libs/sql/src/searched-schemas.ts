import type { SqlContext } from "./catalog.js";

/** Where names without a schema are looked for. */
export interface Searched {
  readonly schemas: readonly string[];
  /** All of them are searched, and in this order. */
  readonly certain: boolean;
}

/**
 * What a search_path comes to (namespace.c, recomputeNamespacePath): `$user` is the role's schema where there is one, and a
 * schema that the role may not use is passed over. Of another role than the catalog was read by it is not known which.
 */
export function searchedSchemas(
  path: readonly string[] | null,
  { catalog, role, foreign }: Pick<SqlContext, "catalog" | "role" | "foreign">,
): Searched {
  if (path === null || (role === null && path.includes("$user")))
    return { schemas: [...catalog.schemas.keys()], certain: false };
  const own = typeof role === "string" && catalog.schemas.has(role) ? [role] : [];
  const schemas = path.flatMap((name) => (name === "$user" ? own : [name]));
  if (foreign) return { schemas, certain: false };
  return { schemas: schemas.filter((name) => catalog.schemas.get(name) !== false), certain: true };
}
