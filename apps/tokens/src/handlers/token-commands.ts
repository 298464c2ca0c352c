import { randomUUID } from "node:crypto";
import { Injectable } from "@nestjs/common";
import type { EntityManager } from "typeorm";
import type { CallContext } from "#contracts";
import { type CarriedOut, carryOut, type Project } from "#event-store";
import { PostgresEventStore } from "#event-store-postgres";
import type { TokenEvent } from "../domain/events.js";
import type { TokenState } from "../domain/state.js";
import { type TokenCommand, token } from "../domain/token.js";
import { project } from "../projections/token-tables.js";
import { TOKEN_STREAM, tokenStream } from "./stream.js";
import { Turns } from "./turns.js";

export interface TokenCall {
  readonly tokenId: string;
  readonly command: TokenCommand;
  readonly actor: CallContext["actor"];
  /** Absent: a new one, for what is made idempotent by its own ids. */
  readonly commandId?: string;
  readonly request?: unknown;
  readonly reason?: string;
}

/** Carries commands out on tokens, with the read models in the same transaction. */
@Injectable()
export class TokenCommands {
  readonly #turns = new Turns();

  constructor(private readonly store: PostgresEventStore) {}

  carryOut(
    { tokenId, command, actor, commandId = randomUUID(), request, reason }: TokenCall,
    also?: Project<EntityManager, TokenState, TokenEvent>,
  ): Promise<CarriedOut<TokenState, TokenEvent>> {
    const call = {
      ...{ streamType: TOKEN_STREAM, streamId: tokenStream(tokenId), command, commandId, request, reason },
      actor: { id: actor.id, name: actor.name },
    };
    return this.#turns.take(tokenId, () =>
      carryOut(this.store, token, call, async (tx, appended) => {
        await project(tx, appended);
        await also?.(tx, appended);
      }),
    );
  }
}
