import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from "@nestjs/common";
import { CLOCK, type Clock } from "#bus/nest";
import { ApprovalQueries } from "../projections/approval-queries.js";
import { Waiting } from "../projections/waiting.js";
import { Abandonment } from "./abandonment.js";
import { ApprovalCommands } from "./approval-commands.js";
import { VerdictPush } from "./verdict-push.js";

const PAUSE_MS = 500;
const MOST_A_SWEEP = 200;
const ACTOR = { id: "approval", name: "approval service" };

/**
 * Expires what nobody decided, or used, in time, and withdraws what nobody waits for any more. What is due stands in the read model, so a restart forgets none. Replicas
 * may sweep at once: one of them finds it still open.
 */
@Injectable()
export class ExpirySweep implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger(ExpirySweep.name);
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    private readonly approvals: ApprovalCommands,
    private readonly queries: ApprovalQueries,
    private readonly abandonment: Abandonment,
    private readonly waiting: Waiting,
    private readonly verdicts: VerdictPush,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.#schedule();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweep()
        .catch((error: Error) => this.#log.error(`approvals could not be expired: ${error.message}`))
        .then(() => this.#schedule());
    }, PAUSE_MS);
  }

  async #sweep(): Promise<void> {
    for (const id of await this.queries.overdue(this.now(), MOST_A_SWEEP)) {
      if (this.#stopped) return;
      const command = { type: "Expire", now: this.now() } as const;
      const { state, events } = await this.approvals.carryOut({ id, command, actor: ACTOR });
      if (events.length > 0) this.verdicts.push(id, state);
    }
    await this.abandonment.withdraw(MOST_A_SWEEP);
    this.waiting.listened();
  }
}
