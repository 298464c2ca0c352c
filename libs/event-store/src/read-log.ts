import type { EventStore, SequencedEvent } from "./store.js";

const BATCH = 1000;

/** The whole log in its order, for what is made anew from it. */
export async function* readLog(store: Pick<EventStore, "readAll">): AsyncGenerator<SequencedEvent> {
  for (let after = 0; ; ) {
    const events = await store.readAll(after, BATCH);
    yield* events;
    const last = events.at(-1);
    if (!last) return;
    after = last.position;
  }
}
