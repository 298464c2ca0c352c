import {
  type AppendRequest,
  type AppendResult,
  CommandIdReused,
  type EventStore,
  type RecordedEvent,
  type SequencedEvent,
  VersionConflict,
} from "./store.js";

/** What `within` gets: effects that happen if, and only if, the append does. */
export interface MemoryTransaction {
  onCommit(effect: () => void): void;
}

interface KnownCommand extends Omit<AppendResult, "replayed"> {
  readonly streamId: string;
  readonly requestHash: Uint8Array;
}

/**
 * For tests of handlers and for the contract: everything is gone with the process. What comes in and goes out is
 * copied, so that nobody changes history by changing an object.
 */
export class MemoryEventStore implements EventStore<MemoryTransaction> {
  readonly #streams = new Map<string, RecordedEvent[]>();
  readonly #log: SequencedEvent[] = [];
  readonly #commands = new Map<string, KnownCommand>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly now: () => Date = () => new Date(0)) {}

  append(
    request: AppendRequest,
    within?: (tx: MemoryTransaction, appended: readonly RecordedEvent[]) => Promise<void>,
  ): Promise<AppendResult> {
    const mine = this.#turn.then(() => this.#appendAlone(request, within));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async findCommand(commandId: string, streamId: string, requestHash: Uint8Array): Promise<AppendResult | null> {
    return this.#replay(commandId, streamId, requestHash);
  }

  async readStream(streamId: string, after = 0): Promise<readonly RecordedEvent[]> {
    return (this.#streams.get(streamId) ?? []).slice(after).map(copy);
  }

  async readAll(after: number, limit: number): Promise<readonly SequencedEvent[]> {
    return this.#log.slice(after, after + limit).map(copy);
  }

  async #appendAlone(
    request: AppendRequest,
    within?: (tx: MemoryTransaction, appended: readonly RecordedEvent[]) => Promise<void>,
  ): Promise<AppendResult> {
    const { streamId, streamType, expected, commandId, requestHash, meta } = request;
    if (request.events.length === 0) throw new RangeError("an append has at least one event");
    const replay = this.#replay(commandId, streamId, requestHash);
    if (replay) return replay;
    const stream = this.#streams.get(streamId) ?? [];
    if (expected !== "any" && expected !== stream.length) {
      throw new VersionConflict(streamId, expected, stream.length);
    }
    const recordedAt = this.now();
    const appended = request.events.map((event, index) =>
      copy({
        ...event,
        streamId,
        streamType,
        streamPosition: stream.length + index + 1,
        meta,
        recordedAt,
      }),
    );
    const effects: (() => void)[] = [];
    await within?.({ onCommit: (effect) => effects.push(effect) }, appended.map(copy));

    const result = { firstPosition: stream.length + 1, lastPosition: stream.length + appended.length };
    this.#streams.set(streamId, [...stream, ...appended]);
    for (const event of appended) this.#log.push({ ...event, position: this.#log.length + 1 });
    this.#commands.set(commandId, { ...result, streamId, requestHash });
    for (const effect of effects) effect();
    return { ...result, replayed: false };
  }

  #replay(commandId: string, streamId: string, requestHash: Uint8Array): AppendResult | null {
    const known = this.#commands.get(commandId);
    if (!known) return null;
    if (known.streamId !== streamId || Buffer.compare(known.requestHash, requestHash) !== 0) {
      throw new CommandIdReused(commandId);
    }
    return { firstPosition: known.firstPosition, lastPosition: known.lastPosition, replayed: true };
  }
}

/** By way of JSON, as a real store does. */
function copy<E extends RecordedEvent>(recorded: E): E {
  return {
    ...recorded,
    event: JSON.parse(JSON.stringify(recorded.event)),
    meta: JSON.parse(JSON.stringify(recorded.meta)),
  };
}
