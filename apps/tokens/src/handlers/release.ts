import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { TokenQueries } from "../projections/token-queries.js";
import { TokenCommands } from "./token-commands.js";

/** A session is over; for an unknown one there is nothing to do. */
export class Release extends Command<void> {
  constructor(
    readonly sessionId: string,
    readonly enforcerId: string,
    readonly unopened: boolean,
    readonly actor: CallContext["actor"],
  ) {
    super();
  }
}

@CommandHandler(Release)
export class ReleaseHandler implements ICommandHandler<Release> {
  constructor(
    private readonly tokens: TokenCommands,
    private readonly queries: TokenQueries,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ sessionId, enforcerId, unopened, actor }: Release): Promise<void> {
    const tokenId = await this.queries.tokenOfSession(sessionId);
    if (!tokenId) return;
    await this.tokens.carryOut({
      tokenId,
      command: { type: "Release", sessionId, enforcerId, unopened, now: this.now() },
      actor,
    });
  }
}
