import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { Refused } from "#event-store";
import { type Selector, TokenQueries } from "../projections/token-queries.js";
import { Closing } from "./closing.js";
import { commandIdFor } from "./stream.js";
import { TokenCommands } from "./token-commands.js";

/** Revokes every live token that matches, and closes its sessions. Answers the ids of those it revoked. */
export class Revoke extends Command<readonly string[]> {
  constructor(
    readonly selector: Selector,
    readonly value: string,
    readonly reason: string,
    readonly context: CallContext,
  ) {
    super();
  }
}

const AT_ONCE = 8;

@CommandHandler(Revoke)
export class RevokeHandler implements ICommandHandler<Revoke> {
  constructor(
    private readonly tokens: TokenCommands,
    private readonly queries: TokenQueries,
    private readonly closing: Closing,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ selector, value, reason, context }: Revoke): Promise<readonly string[]> {
    if (selector === "token_id" && !(await this.queries.find(value, this.now()))) {
      throw new Refused("not_found", `there is no token ${value}`);
    }
    const ids = await this.queries.revocable(selector, value, this.now());
    const revoked: string[] = [];
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const some = ids.slice(from, from + AT_ONCE);
      const done = await Promise.allSettled(some.map((tokenId) => this.revoke(tokenId, reason, context)));
      const sessions = done.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
      // Pushed as they are revoked: a failure further on must not leave these open.
      const closed = some.filter((_, index) => done[index]?.status === "fulfilled");
      this.closing.push(closed, sessions, reason);
      revoked.push(...closed);
      const failed = done.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
    }
    return revoked;
  }

  /** The sessions that were open. */
  private async revoke(tokenId: string, reason: string, { actor, commandId }: CallContext): Promise<readonly string[]> {
    const { events } = await this.tokens.carryOut({
      tokenId,
      command: { type: "Revoke", reason, now: this.now() },
      actor,
      commandId: commandIdFor(commandId, tokenId),
      reason,
    });
    return events.flatMap(({ event }) => (event.type === "TokenRevoked" ? event.data.sessionIds : []));
  }
}
