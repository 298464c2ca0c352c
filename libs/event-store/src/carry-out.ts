import { createHash } from "node:crypto";
import { canonicalJson } from "./canonical-json.js";
import type { Decider, DomainEvent } from "./decider.js";
import { type AppendRequest, type EventMeta, type EventStore, type RecordedEvent, VersionConflict } from "./store.js";

export interface CommandCall<Command> {
  readonly streamType: string;
  readonly streamId: string;
  readonly command: Command;
  /** The version the caller has seen: 0 means it must not exist, n its exact version. Absent: whatever is there. */
  readonly precondition?: number | undefined;
  /** UUID: the same again answers as the first time and appends nothing. */
  readonly commandId: string;
  /**
   * What tells this request from another under the same command id. Absent: the command without its `now`. Give it
   * where the command carries ids or secrets drawn anew for every attempt.
   */
  readonly request?: unknown;
  readonly actor: EventMeta["actor"];
  readonly reason?: string | undefined;
}

export interface CarriedOut<State, Event extends DomainEvent> {
  readonly state: State;
  /** The stream's version; 0 where there is no stream still. */
  readonly version: number;
  readonly events: readonly RecordedEvent<Event>[];
  /** The command had been carried out before: `state`, `version` and `events` are those of then. */
  readonly replayed: boolean;
}

/** What a read model is told, in the transaction of the append. */
export type Project<Tx, State, Event extends DomainEvent> = (
  tx: Tx,
  appended: { readonly state: State; readonly events: readonly RecordedEvent<Event>[]; readonly version: number },
) => Promise<void>;

/**
 * A lost race means that another command won it, so one loses at most as often as others come. The bound is only for a
 * store that never lets anybody win.
 */
const ATTEMPTS = 1000;

/**
 * Loads the stream, decides, appends. A lost race is decided anew on the new state, unless the caller named the version
 * it had seen.
 *
 * Throws what `decide` throws (Refused), VersionConflict, CommandIdReused.
 */
export async function carryOut<State, Command, Event extends DomainEvent, Tx>(
  store: EventStore<Tx>,
  decider: Decider<State, Command, Event>,
  call: CommandCall<Command>,
  project?: Project<Tx, State, Event>,
): Promise<CarriedOut<State, Event>> {
  const { streamId, streamType, commandId, precondition } = call;
  const requestHash = hashOf(call);
  const meta: EventMeta = { actor: call.actor, commandId, ...(call.reason && { reason: call.reason }) };
  const fold = (history: readonly RecordedEvent[], state = decider.initialState()) =>
    history.reduce((folded, recorded) => decider.evolve(folded, recorded.event as Event), state);

  for (let attempt = 1; ; attempt++) {
    const history = await store.readStream(streamId);
    if (history.some((recorded) => recorded.meta.commandId === commandId)) {
      const first = await store.findCommand(commandId, streamId, requestHash);
      if (first) return answerAgain(history, first.firstPosition, first.lastPosition, fold);
    }
    const version = history.length;
    if (precondition !== undefined && precondition !== version) {
      throw new VersionConflict(streamId, precondition, version);
    }
    const before = fold(history);
    const decided = decider.decide(call.command, before);
    if (decided.length === 0) return { state: before, version, events: [], replayed: false };

    const request: AppendRequest = {
      streamId,
      streamType,
      expected: version,
      commandId,
      requestHash,
      events: decided.map((event, index) => ({ eventId: eventIdOf(commandId, index), schemaVersion: 1, event })),
      meta,
    };
    const state = decided.reduce(decider.evolve, before);
    let events: readonly RecordedEvent<Event>[] = [];
    try {
      const result = await store.append(request, async (tx, appended) => {
        events = appended as readonly RecordedEvent<Event>[];
        await project?.(tx, { state, events, version: version + decided.length });
      });
      if (!result.replayed) return { state, version: result.lastPosition, events, replayed: false };
      return answerAgain(await store.readStream(streamId), result.firstPosition, result.lastPosition, fold);
    } catch (error) {
      const lostRace = error instanceof VersionConflict && precondition === undefined;
      if (!lostRace || attempt === ATTEMPTS) throw error;
    }
  }
}

function answerAgain<State, Event extends DomainEvent>(
  history: readonly RecordedEvent[],
  first: number,
  last: number,
  fold: (history: readonly RecordedEvent[]) => State,
): CarriedOut<State, Event> {
  const then = history.slice(0, last);
  return {
    state: fold(then),
    version: last,
    events: then.slice(first - 1) as readonly RecordedEvent[] as readonly RecordedEvent<Event>[],
    replayed: true,
  };
}

function hashOf(call: CommandCall<unknown>): Uint8Array {
  const { streamType, streamId, precondition } = call;
  const request = call.request === undefined ? withoutNow(call.command) : call.request;
  return createHash("sha256").update(canonicalJson({ streamType, streamId, precondition, request })).digest();
}

/** The time of an attempt is no part of what was asked. */
function withoutNow(command: unknown): unknown {
  if (typeof command !== "object" || command === null) return command;
  const { now: _, ...asked } = command as Record<string, unknown>;
  return asked;
}

/** Derived (RFC 9562 section 5.8), so that deciding needs no randomness and a repeated append repeats its ids. */
export function eventIdOf(commandId: string, index: number): string {
  const hex = createHash("sha256").update(`${commandId}/${index}`).digest("hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
