import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { Refused } from "#event-store";
import { notGrantedReason } from "../domain/approval.js";
import type { Actor } from "../domain/events.js";
import { type ApprovalState, decidedBy, initialState } from "../domain/state.js";
import { Waiting } from "../projections/waiting.js";
import { ApprovalCommands } from "./approval-commands.js";

export interface ConsumeAsked {
  readonly id: string;
  readonly enforcerId: string;
  readonly sessionId: string;
  readonly digest: string;
}
export type Consumed =
  | { readonly approvedBy: readonly Actor[] }
  /** `as`: what it is, so that one who only asks whether it is decided learns it. */
  | { readonly refused: string; readonly as: ApprovalState };

/** Takes an approved decision: granted exactly once, for exactly the approved command. */
export class Consume extends Command<Consumed> {
  constructor(
    readonly asked: ConsumeAsked,
    readonly actor: CallContext["actor"],
  ) {
    super();
  }
}

@CommandHandler(Consume)
export class ConsumeHandler implements ICommandHandler<Consume> {
  constructor(
    private readonly approvals: ApprovalCommands,
    private readonly waiting: Waiting,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ asked, actor }: Consume): Promise<Consumed> {
    const { id, ...consume } = asked;
    try {
      // A new command id each time: granting again what was granted is what must never happen.
      const { state } = await this.approvals.carryOut({
        id,
        command: { type: "Consume", ...consume, now: this.now() },
        actor,
      });
      return { approvedBy: state.status === "absent" ? [] : decidedBy(state) };
    } catch (error) {
      const refused = notGrantedReason(error);
      if (refused) {
        const as = await this.approvals.read(id);
        if (as.status === "pending") await this.waiting.asked(id);
        return { refused, as };
      }
      if (error instanceof Refused && error.code === "not_found") return { refused: error.message, as: initialState() };
      throw error;
    }
  }
}
