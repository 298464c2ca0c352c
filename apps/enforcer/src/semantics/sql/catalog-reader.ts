import { createHash } from "node:crypto";
import type { Client } from "pg";
import type { HostPart, ResourcePart } from "#commands";
import {
  CATALOG_QUERIES,
  type CatalogRows,
  type FreshSession,
  freshSession,
  OWN_STATE_QUERY,
  type OwnRows,
  QUERIES_WITHOUT_OWN,
  SESSION_QUERY,
  type SessionRow,
  splitOwn,
} from "#sql";
import { resolveCredential } from "../../connection/credential.js";
import { HostAway } from "../../connection/host-health.js";
import { upstreamTls } from "../../connection/upstream-tls.js";
import type { Upstreams } from "../../connection/upstreams.js";

/** What PostgreSQL itself brought, as it was when it was last read whole. */
export interface OwnObjects {
  /** Of `OWN_STATE_QUERY`: while it is the same, so are they. */
  readonly state: string;
  readonly rows: OwnRows;
  readonly digest: string;
}

export interface CatalogRead {
  readonly session: FreshSession;
  readonly own: OwnObjects;
  /** Everything else. */
  readonly rest: CatalogRows;
}

const TIMEOUT_MS = 10_000;

/**
 * From the first of the resource's hosts that can be reached: they all have the same. What PostgreSQL brought, most of it
 * all, is read again only where it is not as in `own`.
 */
export const readCatalog = (resource: ResourcePart, upstreams: Upstreams, own: OwnObjects | undefined) =>
  upstreams.reach(resource, (host) => readCatalogAt(host, resource, own));

async function readCatalogAt(
  host: HostPart,
  resource: ResourcePart,
  own: OwnObjects | undefined,
): Promise<CatalogRead> {
  const { upstream, credential } = resource;
  // Not before somebody asks: the node is ready sooner.
  const { default: pg } = await import("pg");
  const client = new pg.Client({
    ...host,
    database: upstream.database,
    user: credential.username,
    password: resolveCredential(credential.password),
    ssl: upstreamTls(upstream, host) ?? false,
    application_name: "counterfoil catalog",
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  client.on("error", () => {});
  try {
    await client.connect().catch((error) => {
      throw error instanceof pg.DatabaseError
        ? error
        : new HostAway(`cannot be reached (${error.code ?? "no answer"})`, { cause: error });
    });
    await client.query("begin transaction isolation level repeatable read read only");
    const [fresh] = (await client.query<SessionRow>(SESSION_QUERY)).rows;
    const state = (await client.query<{ state: string }>(OWN_STATE_QUERY)).rows[0]?.state ?? "";
    if (own?.state === state) {
      const rest = await rowsOf(client, QUERIES_WITHOUT_OWN);
      return { session: freshSession(fresh!, rest), own, rest };
    }
    const all = splitOwn(await rowsOf(client, CATALOG_QUERIES));
    const digest = createHash("sha256").update(JSON.stringify(all.own)).digest("hex");
    return { session: freshSession(fresh!, all.rest), own: { state, rows: all.own, digest }, rest: all.rest };
  } finally {
    await client.end().catch(() => {});
  }
}

async function rowsOf(client: Client, queries: Readonly<Record<string, string>>): Promise<CatalogRows> {
  const rows: Record<string, unknown[]> = {};
  for (const [name, query] of Object.entries(queries)) rows[name] = (await client.query(query)).rows;
  return rows as unknown as CatalogRows;
}
