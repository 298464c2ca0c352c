import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { verifyGrant } from "#tokens";
import type { Grant } from "../domain/events.js";
import type { TokenState } from "../domain/state.js";
import { type RedeemRefusal, redeemRefusalOf, type TokenCommand } from "../domain/token.js";
import { KEYS, type TokenKeys } from "../keys.js";
import { TokenCommands } from "./token-commands.js";

export type RedeemAsked = Omit<Extract<TokenCommand, { type: "Redeem" }>, "type" | "now"> & {
  readonly tokenId: string;
};
/** `uses`: how many it had, where none is left. */
export type Redeemed = { readonly grant: Grant } | { readonly refused: RedeemRefusal; readonly uses: number };

/** Spends one use of a token for one session. The same session again has its lease and spends nothing. */
export class Redeem extends Command<Redeemed> {
  constructor(
    readonly asked: RedeemAsked,
    readonly actor: CallContext["actor"],
  ) {
    super();
  }
}

@CommandHandler(Redeem)
export class RedeemHandler implements ICommandHandler<Redeem> {
  constructor(
    private readonly tokens: TokenCommands,
    @Inject(KEYS) private readonly keys: TokenKeys,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ asked, actor }: Redeem): Promise<Redeemed> {
    const { tokenId, ...redeem } = asked;
    try {
      // A new command id each time: an answer of before a revocation must not be given again.
      const { state } = await this.tokens.carryOut(
        { tokenId, command: { type: "Redeem", ...redeem, now: this.now() }, actor },
        async (_, appended) => void this.signed(appended.state),
      );
      return { grant: this.signed(state) };
    } catch (error) {
      const refused = redeemRefusalOf(error);
      if (refused) return refused;
      throw error;
    }
  }

  /** The grant, once its signature holds: who can write to the database can't widen a token. */
  private signed(state: TokenState): Grant {
    if (state.status === "absent") throw new Error("a redeemed token is there");
    const { grant, signature } = state;
    if (verifyGrant(grant, Buffer.from(signature, "base64"), this.keys.grantPublicKey)) return grant;
    throw new Error(`the grant of token ${grant.tokenId} is not what was signed`);
  }
}
