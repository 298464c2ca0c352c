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
  STATE_QUERY,
  splitOwn,
} from "#sql";
import { resolveCredential } from "../../connection/credential.js";
import { HostAway } from "../../connection/host-health.js";
import { upstreamTls } from "../../connection/upstream-tls.js";
import type { Upstreams } from "../../connection/upstreams.js";

/** What PostgreSQL itself brought, as it was when it was last read whole. */
interface OwnObjects {
  /** Of `OWN_STATE_QUERY`: while it is the same, so are they. */
  readonly state: string;
  readonly rows: OwnRows;
  readonly digest: string;
}

export interface CatalogRead {
  /** While it is the same, so is all of this. */
  readonly state: string;
  readonly session: FreshSession;
  readonly own: OwnObjects;
  /** Everything else. */
  readonly rest: CatalogRows;
}

const TIMEOUT_MS = 10_000;

/** What of an earlier read need not be read again. */
export type KnownBefore = Pick<CatalogRead, "state" | "own">;

/**
 * From the first of the resource's hosts that can be reached: they all have the same. What PostgreSQL brought, most of it
 * all, is read again only where it is not as `before`.
 * @returns null where all is as before: that waits for no lock
 */
export const readCatalog = (resource: ResourcePart, upstreams: Upstreams, before?: KnownBefore) =>
  upstreams.reach(resource, (host) => readCatalogAt(host, resource, before));

async function readCatalogAt(
  host: HostPart,
  resource: ResourcePart,
  before: KnownBefore | undefined,
): Promise<CatalogRead | null> {
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
    const state = JSON.stringify([fresh, await stateBy(client, STATE_QUERY)]);
    if (before?.state === state) return null;
    const ownState = await stateBy(client, OWN_STATE_QUERY);
    if (before?.own.state === ownState) {
      const rest = await rowsOf(client, QUERIES_WITHOUT_OWN);
      return { state, session: freshSession(fresh!, rest), own: before.own, rest };
    }
    const { own: rows, rest } = splitOwn(await rowsOf(client, CATALOG_QUERIES));
    const digest = createHash("sha256").update(JSON.stringify(rows)).digest("hex");
    return { state, session: freshSession(fresh!, rest), own: { state: ownState, rows, digest }, rest };
  } finally {
    await client.end().catch(() => {});
  }
}

const stateBy = async (client: Client, query: string): Promise<string> =>
  (await client.query<{ state: string }>(query)).rows[0]?.state ?? "";

async function rowsOf(client: Client, queries: Readonly<Record<string, string>>): Promise<CatalogRows> {
  const rows: Record<string, unknown[]> = {};
  for (const [name, query] of Object.entries(queries)) rows[name] = (await client.query(query)).rows;
  return rows as unknown as CatalogRows;
}
