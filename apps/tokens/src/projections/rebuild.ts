import type { DataSource } from "typeorm";
import type { PostgresEventStore } from "#event-store-postgres";
import type { TokenEvent } from "../domain/events.js";
import type { TokenState } from "../domain/state.js";
import { token } from "../domain/token.js";
import { TOKEN_STREAM } from "../handlers/stream.js";
import { project } from "./token-tables.js";

const PAGE = 500;

/** Makes tokens and leases anew from the log, in one transaction; others wait. Verifiers are not in the log and stay. */
export async function rebuildTokens(store: PostgresEventStore, dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (tx) => {
    await tx.query("LOCK TABLE tokens.token, tokens.lease IN EXCLUSIVE MODE");
    await tx.query("DELETE FROM tokens.lease");
    await tx.query("DELETE FROM tokens.token");
    const states = new Map<string, TokenState>();
    for (let position = 0; ; ) {
      const page = await store.readAll(position, PAGE);
      for (const recorded of page) {
        if (recorded.streamType !== TOKEN_STREAM) continue;
        const { event } = recorded as { event: TokenEvent };
        const state = token.evolve(states.get(recorded.streamId) ?? token.initialState(), event);
        states.set(recorded.streamId, state);
        await project(tx, { state, version: recorded.streamPosition, events: [{ ...recorded, event }] });
      }
      const last = page.at(-1);
      if (!last) return;
      position = last.position;
    }
  });
}
