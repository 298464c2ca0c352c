import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { Refused } from "#event-store";
import { isSpent, type TokenState } from "../domain/state.js";
import { type Selector, TokenQueries } from "../projections/token-queries.js";
import { Closing } from "./closing.js";
import { commandIdFor } from "./stream.js";
import { TokenCommands } from "./token-commands.js";

/** What became of one token: what it was already, where there was nothing to revoke. */
export interface RevokedToken {
  readonly id: string;
  readonly outcome: "revoked" | "revoked-before" | "spent" | "expired";
  readonly sessionsEnded: number;
}

/** Revokes the token that is named, or every one that matches and may still be of use, and closes their sessions. */
export class Revoke extends Command<readonly RevokedToken[]> {
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

  async execute({ selector, value, reason, context }: Revoke): Promise<readonly RevokedToken[]> {
    const ids = await this.selected(selector, value);
    const revoked: RevokedToken[] = [];
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const some = ids.slice(from, from + AT_ONCE);
      const done = await Promise.allSettled(some.map((tokenId) => this.revoke(tokenId, reason, context)));
      const closed = done.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      // Pushed as they are revoked: a failure further on must not leave these open.
      this.closing.push(
        closed.map(({ token }) => token.id),
        closed.flatMap(({ sessionIds }) => sessionIds),
        reason,
      );
      revoked.push(...closed.map(({ token }) => token));
      const failed = done.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
    }
    return revoked;
  }

  private async selected(selector: Selector, value: string): Promise<readonly string[]> {
    if (selector !== "token_id") return this.queries.revocable(selector, value, this.now());
    if (await this.queries.find(value, this.now())) return [value];
    throw new Refused("not_found", `there is no token ${value}`);
  }

  private async revoke(tokenId: string, reason: string, { actor, commandId }: CallContext) {
    const now = this.now();
    const { events, state } = await this.tokens.carryOut({
      tokenId,
      command: { type: "Revoke", reason, now },
      actor,
      commandId: commandIdFor(commandId, tokenId),
      reason,
    });
    const sessionIds = events.flatMap(({ event }) => (event.type === "TokenRevoked" ? event.data.sessionIds : []));
    const outcome = events.length > 0 ? "revoked" : standing(state, now);
    return { token: { id: tokenId, outcome, sessionsEnded: sessionIds.length } as const, sessionIds };
  }
}

/** Why there was nothing to revoke. */
function standing(state: TokenState, now: number): RevokedToken["outcome"] {
  if (state.status === "absent") throw new Error("a token that was found is there");
  if (state.revoked) return "revoked-before";
  return isSpent(state, now) ? "spent" : "expired";
}
