import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from "@nestjs/common";
import { admitEnforcer, type Bus, type BusUser, connectBus, connectedEnforcers, revokeEnforcers } from "#bus";
import type { Enforcers } from "../projections/enforcers.js";

const RETRY_MS = 30_000;

/**
 * The enforcers' users on the bus. `nats/enforcers.seed` admits them; knowing who is connected takes `nats/system.creds`,
 * shutting one out `nats/operator.seed` too. An installation may keep those two elsewhere, and revoke with its own tools.
 */
export class BusAccess implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger(BusAccess.name);
  private readonly seed: string;
  private system: Promise<Bus> | null = null;
  private retry: NodeJS.Timeout | null = null;
  private ended = false;

  /** @param keys the folder of the key files. @throws Error where the seed is not there */
  constructor(
    private readonly keys: string,
    private readonly natsUrl: string,
    private readonly enforcers: Enforcers,
  ) {
    const seed = this.read("enforcers.seed");
    if (!seed) throw new Error(`there is no ${this.path("enforcers.seed")}: it admits enforcers to the bus`);
    this.seed = seed;
  }

  admit(enforcer: { readonly id: string; readonly group: string }): Promise<BusUser> {
    return admitEnforcer(this.seed, enforcer);
  }

  /** Public keys of the users that are connected now; none where this service may not know. */
  async connected(): Promise<ReadonlySet<string>> {
    const credentials = this.read("system.creds");
    return credentials ? connectedEnforcers(await this.connection(credentials), this.seed) : new Set();
  }

  /** Cuts the removed enforcers off. Where the bus can't do it now, it is tried again until it can. */
  async shutOutRemoved(): Promise<void> {
    const [operatorSeed, credentials] = [this.read("operator.seed"), this.read("system.creds")];
    const removed = await this.enforcers.removedBusKeys();
    if (removed.length === 0) return;
    if (!operatorSeed || !credentials) {
      this.log.warn(`revoke these users on the bus, this service has no keys for it: ${removed.join(" ")}`);
      return;
    }
    try {
      const keys = { operatorSeed, accountSeed: this.seed };
      await revokeEnforcers(await this.connection(credentials), keys, removed, new Date());
    } catch (error) {
      this.log.warn(`a removed enforcer could not be cut off from the bus yet: ${(error as Error).message}`);
      this.tryAgain();
    }
  }

  /** The bus may have been set up anew since. */
  onApplicationBootstrap(): Promise<void> {
    return this.shutOutRemoved();
  }

  async onApplicationShutdown(): Promise<void> {
    this.ended = true;
    if (this.retry) clearTimeout(this.retry);
    await (await this.system?.catch(() => null))?.close();
  }

  private connection(credentials: string): Promise<Bus> {
    if (this.system) return this.system;
    const connecting = connectBus({ url: this.natsUrl, name: "identity-system", credentials, patienceMs: 2000 });
    this.system = connecting;
    connecting.catch(() => {
      this.system = null;
    });
    return connecting;
  }

  private tryAgain(): void {
    if (this.ended || this.retry) return;
    this.retry = setTimeout(() => {
      this.retry = null;
      this.shutOutRemoved().catch((error) => {
        this.log.error(error);
        this.tryAgain();
      });
    }, RETRY_MS);
    this.retry.unref();
  }

  private read(name: string): string | null {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8") : null;
  }

  private path(name: string): string {
    return join(this.keys, "nats", name);
  }
}
