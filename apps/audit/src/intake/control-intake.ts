import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from "@nestjs/common";
import { DataSource } from "typeorm";
import { Bus } from "#bus";
import type { SequencedEvent } from "#event-store";
import { Follower, PostgresEventStore } from "#event-store-postgres";
import { controlFact } from "../facts/control-facts.js";
import { AuditLog } from "../log/audit-log.js";
import { projectSessions } from "../projections/sessions.js";
import { Announcer } from "./announcer.js";
import { keepLease } from "./leases.js";
import { SessionEnds } from "./session-ends.js";
import { Surroundings } from "./surroundings.js";

/** Takes every decided fact into the audit log, in the order of the event store. */
@Injectable()
export class ControlIntake implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #follower: Follower;

  constructor(
    dataSource: DataSource,
    store: PostgresEventStore,
    bus: Bus,
    log: AuditLog,
    surroundings: Surroundings,
    ends: SessionEnds,
    announcer: Announcer,
  ) {
    const logger = new Logger(ControlIntake.name);
    let head = 0;
    this.#follower = new Follower({
      name: "audit",
      dataSource,
      store,
      bus,
      logger: { info: (text) => logger.log(text), warn: (text) => logger.warn(text) },
      async apply(tx, event) {
        const fact = controlFact(event, await surroundings.of(tx, event));
        const entries = (await log.append(tx, [fact])).map(({ entry }) => entry);
        await projectSessions(tx, entries);
        await keepLease(tx, event);
        head = entries.at(-1)!.index;
        const removed = removedEnforcer(event);
        if (removed !== null) head = Math.max(head, await ends.lostWith(tx, removed));
      },
      reset: async () => {
        throw new Error("the audit log is not built anew: it is append-only");
      },
      committed: () => announcer.announce(head),
    });
  }

  onApplicationBootstrap(): void {
    this.#follower.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.#follower.stop();
  }
}

function removedEnforcer({ streamId, event }: SequencedEvent): string | null {
  return event.type === "EnforcerRemoved" ? streamId.replace(/^enforcer\//, "") : null;
}
