import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from "@nestjs/common";
import { DataSource } from "typeorm";
import { Bus } from "#bus";
import { Announcer } from "./announcer.js";
import { SessionEnds } from "./session-ends.js";

/** After its token's end a session's last records are shipped at once, unless its enforcer is down, or cut off. */
const GRACE_MS = 3_600_000;
/** What waited for us must be taken in before silence means anything. */
const LISTENED_MS = 10 * 60_000;
const PAUSE_MS = 60_000;

/** Tells, once a session must be over, where nobody has told how it ended. */
@Injectable()
export class UnheardSweep implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger(UnheardSweep.name);
  readonly #stopping = new AbortController();
  #sweeping: Promise<void> = Promise.resolve();
  #listeningSince = performance.now();

  constructor(
    private readonly dataSource: DataSource,
    private readonly bus: Bus,
    private readonly ends: SessionEnds,
    private readonly announcer: Announcer,
  ) {}

  onApplicationBootstrap(): void {
    this.#sweeping = this.#run();
  }

  async onModuleDestroy(): Promise<void> {
    this.#stopping.abort();
    await this.#sweeping;
  }

  /** Looks at every lease that ran out an hour before `at`, milliseconds since 1970. */
  async sweep(at: number): Promise<void> {
    for (let looked = 1; looked > 0 && !this.#stopping.signal.aborted; ) {
      const found = await this.dataSource.transaction((tx) => this.ends.unheard(tx, new Date(at - GRACE_MS)));
      if (found.head > 0) this.announcer.announce(found.head);
      looked = found.looked;
    }
  }

  async #run(): Promise<void> {
    for (let failed = false; !this.#stopping.signal.aborted; ) {
      await sleep(PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (!this.bus.connected) this.#listeningSince = performance.now();
      if (performance.now() - this.#listeningSince < LISTENED_MS) continue;
      try {
        await this.sweep(Date.now());
        failed = false;
      } catch (error) {
        if (!failed) this.#logger.warn(`ends that nobody told are not looked for: ${(error as Error).message}`);
        failed = true;
        this.#listeningSince = performance.now();
      }
    }
  }
}
