import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { Refused } from "#event-store";
import { TokenQueries } from "../projections/token-queries.js";
import { Closing } from "./closing.js";
import { TokenCommands } from "./token-commands.js";

/** Closes one live session on the wire. */
export class EndSession extends Command<void> {
  constructor(
    readonly sessionId: string,
    readonly reason: string,
    readonly context: CallContext,
  ) {
    super();
  }
}

@CommandHandler(EndSession)
export class EndSessionHandler implements ICommandHandler<EndSession> {
  constructor(
    private readonly tokens: TokenCommands,
    private readonly queries: TokenQueries,
    private readonly closing: Closing,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ sessionId, reason, context }: EndSession): Promise<void> {
    const tokenId = await this.queries.tokenOfSession(sessionId);
    if (!tokenId) throw new Refused("not_found", `there is no session ${sessionId}`);
    await this.tokens.carryOut({
      tokenId,
      command: { type: "EndSession", sessionId, reason, now: this.now() },
      ...context,
      reason,
    });
    this.closing.push([], [sessionId], reason);
  }
}
