import type { DataSource } from "typeorm";
import { type EventStore, readLog } from "#event-store";
import type { TokenEvent } from "../domain/events.js";
import type { TokenState } from "../domain/state.js";
import { token } from "../domain/token.js";
import { TOKEN_STREAM } from "../handlers/stream.js";
import { project } from "./token-tables.js";

/** Makes tokens and leases anew from the log, in one transaction; others wait. Verifiers are not in the log and stay. */
export async function rebuildTokens(store: EventStore, dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (tx) => {
    await tx.query("LOCK TABLE tokens.token, tokens.lease IN EXCLUSIVE MODE");
    await tx.query("DELETE FROM tokens.lease");
    await tx.query("DELETE FROM tokens.token");
    const states = new Map<string, TokenState>();
    for await (const recorded of readLog(store)) {
      if (recorded.streamType !== TOKEN_STREAM) continue;
      const { event } = recorded as { event: TokenEvent };
      const state = token.evolve(states.get(recorded.streamId) ?? token.initialState(), event);
      states.set(recorded.streamId, state);
      await project(tx, { state, version: recorded.streamPosition, events: [{ ...recorded, event }] });
    }
  });
}
