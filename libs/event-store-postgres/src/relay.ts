import { JetStreamApiError, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type Bus, ensureStreams } from "#bus";
import { eventSubject, STREAM } from "#contracts";
import type { SequencedEvent } from "#event-store";
import { Candidate, type Logger, type Term } from "./candidate.js";
import type { PostgresEventStore } from "./postgres-store.js";
import { decodeStoredEvent, encodeStoredEvent } from "./stored-event.js";

const BATCH = 256;
const POLL_MS = 1_000;
const TIMEOUT_MS = 2_000;
/** JetStream's error codes (jsm.go, server/errors.json). */
const STREAM_NOT_FOUND = 10059;
const MESSAGE_NOT_FOUND = 10037;

export interface RelayOptions {
  readonly databaseUrl: string;
  readonly store: PostgresEventStore;
  readonly bus: Bus;
  readonly logger: Logger;
}

/**
 * Publishes the log to JetStream, in order, each event at the stream sequence that is its position. It keeps no checkpoint:
 * it goes on from the stream's last sequence and publishes with the sequence it expects there, so a second relay, or a
 * stalled one that comes back, changes nothing. The stream is a cache: where it is lost, or tells another history than the
 * store (which was restored, say), it is made anew from the store.
 */
export class Relay extends Candidate {
  constructor(options: RelayOptions) {
    super({
      databaseUrl: options.databaseUrl,
      logger: options.logger,
      office: "counterfoil/relay",
      channels: ["es_log"],
      lead: (term) => relay(options, term),
    });
  }
}

async function relay(options: RelayOptions, term: Term): Promise<void> {
  const { store, bus } = options;
  const manager = await jetstreamManager(bus.nats, { checkAPI: false, timeout: TIMEOUT_MS });
  const client = jetstream(bus.nats, { timeout: TIMEOUT_MS });
  let last = await agreedSequence(manager, options);
  while (!term.over) {
    const events = await store.readAll(last, BATCH);
    const outcomes = await Promise.allSettled(
      events.map(async (event) => {
        const ack = await client.publish(eventSubject(event.streamType, event.event.type), encodeStoredEvent(event), {
          expect: { streamName: STREAM.events.name, lastSequence: event.position - 1 },
        });
        if (ack.seq !== event.position) throw new Error(`position ${event.position} became sequence ${ack.seq}`);
      }),
    );
    if (outcomes.some((outcome) => outcome.status === "rejected")) {
      // Whatever happened, the stream knows how far it got. Where it can't say, the term ends and begins anew.
      last = await agreedSequence(manager, options);
      await term.wake(50);
      continue;
    }
    last = events.at(-1)?.position ?? last;
    if (events.length < BATCH) {
      await term.wake(POLL_MS);
      if (!term.over && (await lastSequence(manager)) !== last) last = await agreedSequence(manager, options);
    }
  }
}

/** The stream's last sequence, once the stream exists and ends as the store does at that position. */
async function agreedSequence(manager: JetStreamManager, { store, bus, logger }: RelayOptions): Promise<number> {
  const last = await lastSequence(manager);
  if (last === null) {
    await ensureStreams(bus);
    return 0;
  }
  if (last === 0) return 0;
  const [ours] = await store.readAll(last - 1, 1);
  const theirs = await eventAt(manager, last);
  // A message that was removed can't be compared; what is published next is still checked by its sequence.
  if (ours && (!theirs || theirs.eventId === ours.eventId)) return last;
  logger.warn(
    `stream ${STREAM.events.name} tells another history than the event store: it is made anew from the store`,
  );
  await manager.streams.delete(STREAM.events.name);
  await ensureStreams(bus);
  return 0;
}

async function lastSequence(manager: JetStreamManager): Promise<number | null> {
  try {
    return (await manager.streams.info(STREAM.events.name)).state.last_seq;
  } catch (error) {
    if (codeOf(error) === STREAM_NOT_FOUND) return null;
    throw error;
  }
}

async function eventAt(manager: JetStreamManager, sequence: number): Promise<SequencedEvent | null> {
  try {
    const message = await manager.streams.getMessage(STREAM.events.name, { seq: sequence });
    return message && decodeStoredEvent(message.data);
  } catch (error) {
    if (codeOf(error) === MESSAGE_NOT_FOUND) return null;
    throw error;
  }
}

const codeOf = (error: unknown) => (error instanceof JetStreamApiError ? error.code : undefined);
