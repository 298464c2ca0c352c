import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { Refused } from "#event-store";
import { ApprovalCommands } from "./approval-commands.js";

/** The requester takes it back; where there is nothing to take back, nothing happens. */
export class Withdraw extends Command<void> {
  constructor(
    readonly id: string,
    readonly enforcerId: string,
    readonly reason: string,
    readonly actor: CallContext["actor"],
  ) {
    super();
  }
}

@CommandHandler(Withdraw)
export class WithdrawHandler implements ICommandHandler<Withdraw> {
  constructor(
    private readonly approvals: ApprovalCommands,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ id, enforcerId, reason, actor }: Withdraw): Promise<void> {
    const command = { type: "Withdraw", enforcerId, reason, now: this.now() } as const;
    try {
      await this.approvals.carryOut({ id, command, actor, reason });
    } catch (error) {
      // Its hold never arrived.
      if (!(error instanceof Refused && error.code === "not_found")) throw error;
    }
  }
}
