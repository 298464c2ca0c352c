import { randomBytes } from "node:crypto";
import { Inject } from "@nestjs/common";
import { Command, CommandHandler, type ICommandHandler } from "@nestjs/cqrs";
import { CLOCK, type Clock } from "#bus/nest";
import type { CallContext } from "#contracts";
import { CommandIdReused, Refused } from "#event-store";
import { protocols } from "#protocols";
import { makeToken, secretHash, signGrant, TOKEN_ID_BYTES, TOKEN_SECRET_BYTES } from "#tokens";
import { grantFor, type MintRequest } from "../domain/mint-rules.js";
import { KEYS, type TokenKeys } from "../keys.js";
import { keepVerifier } from "../projections/token-tables.js";
import { TokenCommands } from "./token-commands.js";

export interface MintAsked extends Omit<MintRequest, "tokenId" | "now"> {
  /** No other token is minted for it; empty: it is good for any number. */
  readonly subjectTokenId: string;
}

/** Answers the whole token text, this once: it is kept nowhere. */
export class Mint extends Command<{ readonly tokenId: string; readonly text: string }> {
  constructor(
    readonly asked: MintAsked,
    readonly context: CallContext,
  ) {
    super();
  }
}

const SALT_BYTES = 16;

@CommandHandler(Mint)
export class MintHandler implements ICommandHandler<Mint> {
  constructor(
    private readonly tokens: TokenCommands,
    @Inject(KEYS) private readonly keys: TokenKeys,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async execute({ asked, context }: Mint): Promise<{ tokenId: string; text: string }> {
    const now = this.now();
    const { id: tokenId, text, password } = makeToken(randomBytes(TOKEN_ID_BYTES), randomBytes(TOKEN_SECRET_BYTES));
    const grant = grantFor({ ...asked, tokenId, now });
    const kept = {
      tokenId,
      secretHash: secretHash(tokenId, password, this.keys.pepper),
      verifier: verifierOf(grant.protocol, password),
      expiresAt: grant.expiresAt,
    };
    const signature = Buffer.from(signGrant(grant, this.keys.grantKey)).toString("base64");
    const { subjectTokenId } = asked;
    const { actor, commandId } = context;
    try {
      await this.tokens.carryOut(
        { tokenId, command: { type: "Mint", grant, signature, subjectTokenId }, actor, commandId, request: asked },
        async (tx) => {
          // See TokenQueries.revocable, which waits for whoever holds it.
          await tx.query("SELECT pg_advisory_xact_lock_shared(hashtext('tokens/mint'))");
          await keepVerifier(tx, kept, now);
        },
      );
    } catch (error) {
      // The same request again would have to show a secret that nobody keeps.
      if (!(error instanceof CommandIdReused)) throw error;
      throw new Refused("conflict", "this request has minted its token, whose text is shown once: ask for another one");
    }
    return { tokenId, text };
  }
}

function verifierOf(name: string, password: string): string {
  const protocol = protocols.get(name);
  if (protocol) return protocol.verifier(password, randomBytes(SALT_BYTES));
  throw new Refused("invalid", `there is no protocol \`${name}\``, { field: "protocol" });
}
