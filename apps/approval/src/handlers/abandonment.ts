import { Inject, Injectable } from "@nestjs/common";
import { CLOCK, type Clock } from "#bus/nest";
import { Waiting } from "../projections/waiting.js";
import { ApprovalCommands } from "./approval-commands.js";
import { VerdictPush } from "./verdict-push.js";

const ACTOR = { id: "approval", name: "approval service" };
const REASON = "its enforcer no longer asks for it, so the session is over or the enforcer is gone";

/** Withdraws what no enforcer waits for any more: it could be approved, and would never run. */
@Injectable()
export class Abandonment {
  constructor(
    private readonly approvals: ApprovalCommands,
    private readonly waiting: Waiting,
    private readonly verdicts: VerdictPush,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Of all, at most `limit`; or only this one. */
  async withdraw(limit: number, id?: string): Promise<void> {
    for (const abandoned of await this.waiting.abandoned(limit, id)) {
      const command = { type: "Abandon", reason: REASON, now: this.now() } as const;
      const { state, events } = await this.approvals.carryOut({ id: abandoned, command, actor: ACTOR, reason: REASON });
      if (events.length > 0) this.verdicts.push(abandoned, state);
    }
  }
}
