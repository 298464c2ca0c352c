import type pg from "pg";
import type { SqlContext } from "./catalog.js";
import { catalogFromRows } from "./catalog-loader.js";
import { CATALOG_QUERIES, type CatalogRows, SEARCH_PATH_QUERY } from "./catalog-queries.js";

/** What names mean to a fresh session on this server. */
export async function serverContext(client: pg.ClientBase): Promise<SqlContext> {
  await client.query("begin isolation level repeatable read read only");
  try {
    const [{ path }] = (await client.query(SEARCH_PATH_QUERY)).rows;
    const rows: Record<string, unknown> = {};
    for (const [name, text] of Object.entries(CATALOG_QUERIES)) rows[name] = (await client.query(text)).rows;
    return { catalog: catalogFromRows("1", rows as unknown as CatalogRows), searchPath: path };
  } finally {
    await client.query("rollback");
  }
}
