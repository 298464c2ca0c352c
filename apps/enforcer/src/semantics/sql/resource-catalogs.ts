import { createHash } from "node:crypto";
import type { ResourcePart } from "#commands";
import { type Catalog, catalogFromRows, type FreshSession, joinOwn } from "#sql";
import type { Clock } from "../../clock.js";
import type { Log } from "../../log.js";
import type { CatalogRead, KnownBefore } from "./catalog-reader.js";

/** What a resource's names mean to a fresh session. */
export interface ResourceNames extends FreshSession {
  readonly catalog: Catalog;
  readonly loadedAt: number;
}

/** Changes made past the enforcer are seen after this at the latest, while somebody uses the resource. */
const MAX_AGE_MS = 60_000;
/** A name nobody knows must not make every statement a reload. */
const MISS_PAUSE_MS = 2_000;

/** One catalog a resource, shared by its sessions; read with the resource's real credential. */
export class ResourceCatalogs {
  readonly #known = new Map<string, ResourceNames>();
  readonly #loading = new Map<string, Promise<ResourceNames>>();
  readonly #read = new Map<string, KnownBefore>();
  #closed = false;

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly read: (resource: ResourcePart, before: KnownBefore | undefined) => Promise<CatalogRead | null>,
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

  /** Loads anew, behind everybody's back, what is known and has changed. */
  renew(resource: ResourcePart): void {
    const known = this.#known.get(keyOf(resource));
    if (!known || this.#closed) return;
    this.refresh(resource).catch((error) => {
      this.log.warn({ resource: resource.name, error: String(error) }, "the catalog could not be read again");
      // Whoever uses it next tries again.
      this.#known.set(keyOf(resource), { ...known, loadedAt: 0 });
    });
  }

  /** Nothing is loaded any more. */
  close(): void {
    this.#closed = true;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Loads anew. Whoever asks while a load is under way gets one that begins after that. */
  refresh(resource: ResourcePart): Promise<ResourceNames> {
    if (this.#closed) return Promise.reject(new Error("the enforcer is shutting down"));
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

  /**
   * Loads anew for a name that is not known, unless that was just done. Where a load is under way it waits for that: it may be
   * for what another session has just made.
   */
  async refreshOnMiss(resource: ResourcePart): Promise<ResourceNames> {
    const underWay = this.#loading.get(keyOf(resource));
    if (underWay) return underWay;
    const known = this.#known.get(keyOf(resource));
    return known && this.clock.now() - known.loadedAt < MISS_PAUSE_MS ? known : this.refresh(resource);
  }

  async #load(resource: ResourcePart): Promise<ResourceNames> {
    const loadedAt = this.clock.now();
    const key = keyOf(resource);
    const read = await this.read(resource, this.#read.get(key));
    if (read === null) {
      const same = { ...this.#known.get(key)!, loadedAt };
      this.#known.set(key, same);
      return same;
    }
    const { state, session, own, rest } = read;
    this.#read.set(key, { state, own });
    const version = createHash("sha256").update(own.digest).update(JSON.stringify(rest)).digest("hex").slice(0, 32);
    const before = this.#known.get(key);
    // The same content keeps the same object, and with it everything cached by it.
    const catalog =
      before?.catalog.version === version ? before.catalog : catalogFromRows(version, joinOwn(own.rows, rest));
    const names = { catalog, ...session, loadedAt };
    this.#known.set(key, names);
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
