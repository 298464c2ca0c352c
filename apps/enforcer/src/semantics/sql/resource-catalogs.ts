import { createHash } from "node:crypto";
import pg from "pg";
import type { HostPart, ResourcePart } from "#commands";
import { CATALOG_QUERIES, type Catalog, type CatalogRows, catalogFromRows, SEARCH_PATH_QUERY } from "#sql";
import type { Clock } from "../../clock.js";
import { resolveCredential } from "../../connection/credential.js";
import { HostAway } from "../../connection/host-health.js";
import { upstreamTls } from "../../connection/upstream-tls.js";
import type { Upstreams } from "../../connection/upstreams.js";
import type { Log } from "../../log.js";

/** What a resource's names mean to a fresh session. */
export interface ResourceNames {
  readonly catalog: Catalog;
  readonly searchPath: readonly string[];
  readonly loadedAt: number;
}

const TIMEOUT_MS = 10_000;
/** Changes made past the enforcer are seen after this at the latest, while somebody uses the resource. */
const MAX_AGE_MS = 60_000;
/** A name nobody knows must not make every statement a reload. */
const MISS_PAUSE_MS = 2_000;

/** One catalog a resource, shared by its sessions; read with the resource's real credential. */
export class ResourceCatalogs {
  readonly #known = new Map<string, ResourceNames>();
  readonly #loading = new Map<string, Promise<ResourceNames>>();

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly load: (resource: ResourcePart) => Promise<CatalogRows & { path: readonly string[] }>,
  ) {}

  /** What is known now, if anything; renews it behind the caller's back when it is old. */
  current(resource: ResourcePart): ResourceNames | undefined {
    const known = this.#known.get(keyOf(resource));
    if (known && this.clock.now() - known.loadedAt > MAX_AGE_MS) this.refresh(resource).catch(() => {});
    return known;
  }

  /** @throws what the resource's server or the network says, where nothing is known yet. */
  async get(resource: ResourcePart): Promise<ResourceNames> {
    return this.current(resource) ?? this.refresh(resource);
  }

  /** Loads anew. Whoever asks while a load is under way gets one that begins after that. */
  refresh(resource: ResourcePart): Promise<ResourceNames> {
    const key = keyOf(resource);
    const underWay = this.#loading.get(key);
    const load = (underWay ? underWay.catch(() => {}).then(() => this.#load(resource)) : this.#load(resource)).finally(
      () => {
        if (this.#loading.get(key) === load) this.#loading.delete(key);
      },
    );
    this.#loading.set(key, load);
    return load;
  }

  /** Loads anew for a name that is not known, unless that was just done. */
  async refreshOnMiss(resource: ResourcePart): Promise<ResourceNames> {
    const known = this.#known.get(keyOf(resource));
    if (known && this.clock.now() - known.loadedAt < MISS_PAUSE_MS) return known;
    return this.#loading.get(keyOf(resource)) ?? this.refresh(resource);
  }

  async #load(resource: ResourcePart): Promise<ResourceNames> {
    const loadedAt = this.clock.now();
    const { path, ...rows } = await this.load(resource);
    const version = createHash("sha256").update(JSON.stringify(rows)).digest("hex").slice(0, 32);
    const before = this.#known.get(keyOf(resource));
    // The same content keeps the same object, and with it everything cached by it.
    const catalog = before?.catalog.version === version ? before.catalog : catalogFromRows(version, rows);
    const names = { catalog, searchPath: path, loadedAt };
    this.#known.set(keyOf(resource), names);
    this.log.debug({ resource: resource.name, version }, "catalog loaded");
    return names;
  }
}

const keys = new WeakMap<ResourcePart, string>();

function keyOf(resource: ResourcePart): string {
  let key = keys.get(resource);
  if (key === undefined) {
    const { name, upstream, credential } = resource;
    key = JSON.stringify([name, upstream.hosts, upstream.database, credential.username]);
    keys.set(resource, key);
  }
  return key;
}

/** From the first of the resource's hosts that can be reached: they all have the same. */
export const readCatalog = (resource: ResourcePart, upstreams: Upstreams) =>
  upstreams.reach(resource, (host) => readCatalogAt(host, resource));

async function readCatalogAt(
  host: HostPart,
  resource: ResourcePart,
): Promise<CatalogRows & { path: readonly string[] }> {
  const { upstream, credential } = resource;
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
    const [searchPath] = (await client.query<{ path: string[] }>(SEARCH_PATH_QUERY)).rows;
    const rows: Record<string, unknown[]> = {};
    for (const [name, query] of Object.entries(CATALOG_QUERIES)) rows[name] = (await client.query(query)).rows;
    return { ...(rows as unknown as CatalogRows), path: searchPath?.path ?? [] };
  } finally {
    await client.end().catch(() => {});
  }
}
