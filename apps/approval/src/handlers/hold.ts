import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { type HoldAsked, heldCommand } from "../domain/hold-rules.js";
import type { RequestedApproval } from "../domain/state.js";
import { Waiting } from "../projections/waiting.js";
import { ApprovalCommands } from "./approval-commands.js";

/** Asks for a decision. The same again is the same request, and tells how it stands. */
export class Hold extends Command<RequestedApproval> {
  constructor(
    readonly id: string,
    readonly asked: HoldAsked,
    readonly actor: CallContext["actor"],
  ) {
    super();
  }
}

@CommandHandler(Hold)
export class HoldHandler implements ICommandHandler<Hold> {
  constructor(
    private readonly approvals: ApprovalCommands,
    private readonly waiting: Waiting,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ id, asked, actor }: Hold): Promise<RequestedApproval> {
    const held = heldCommand(asked, this.now());
    const { state } = await this.approvals.carryOut({ id, command: { type: "Hold", held }, actor });
    if (state.status === "absent") throw new Error(`the approval ${id} was not kept`);
    if (state.status === "pending") await this.waiting.asked(id);
    return state;
  }
}
