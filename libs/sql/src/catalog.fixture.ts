import type pg from "pg";
import type { SqlContext } from "./catalog.js";
import { catalogFromRows } from "./catalog-loader.js";
import { CATALOG_QUERIES, type CatalogRows, SESSION_QUERY } from "./catalog-queries.js";
import { freshSession } from "./search-path.js";

/** What names mean to a fresh session on this server. */
export async function serverContext(client: pg.ClientBase): Promise<SqlContext> {
  await client.query("begin isolation level repeatable read read only");
  try {
    const [session] = (await client.query(SESSION_QUERY)).rows;
    const rows: Record<string, unknown> = {};
    for (const [name, text] of Object.entries(CATALOG_QUERIES)) rows[name] = (await client.query(text)).rows;
    const { role, searchPath } = freshSession(session, rows as unknown as CatalogRows);
    return { catalog: catalogFromRows("1", rows as unknown as CatalogRows), searchPath, role };
  } finally {
    await client.query("rollback");
  }
}
