import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { Abandonment } from "./abandonment.js";
import { ApprovalCommands } from "./approval-commands.js";
import { VerdictPush } from "./verdict-push.js";

/** One person's vote. */
export class Decide extends Command<void> {
  constructor(
    readonly id: string,
    readonly approve: boolean,
    readonly reason: string,
    readonly precondition: number | undefined,
    readonly context: CallContext,
  ) {
    super();
  }
}

@CommandHandler(Decide)
export class DecideHandler implements ICommandHandler<Decide> {
  constructor(
    private readonly approvals: ApprovalCommands,
    private readonly abandonment: Abandonment,
    private readonly verdicts: VerdictPush,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ id, approve, reason, precondition, context }: Decide): Promise<void> {
    await this.abandonment.withdraw(1, id);
    const { actor, commandId } = context;
    const command = { type: "Decide", by: actor, approve, reason, now: this.now() } as const;
    const { state } = await this.approvals.carryOut({ id, command, actor, commandId, precondition, reason });
    this.verdicts.push(id, state);
  }
}
