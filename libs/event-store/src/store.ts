import type { DomainEvent } from "./decider.js";

/** Who did it, on what command. Kept with every event; JSON. */
export interface EventMeta {
  readonly actor: { readonly id: string; readonly name: string };
  readonly commandId: string;
  readonly reason?: string;
}

export interface RecordedEvent<E extends DomainEvent = DomainEvent> {
  readonly streamId: string;
  readonly streamType: string;
  /** Dense within the stream, from 1. */
  readonly streamPosition: number;
  readonly eventId: string;
  readonly schemaVersion: number;
  readonly event: E;
  readonly meta: EventMeta;
  readonly recordedAt: Date;
}

/** An event with its place in the global order: dense, from 1. */
export interface SequencedEvent<E extends DomainEvent = DomainEvent> extends RecordedEvent<E> {
  readonly position: number;
}

export interface AppendRequest {
  readonly streamId: string;
  readonly streamType: string;
  /** `"any"`, or the exact version the stream must have; 0 means it must not exist. */
  readonly expected: number | "any";
  /** UUID. The same id with the same request answers as the first time and appends nothing. */
  readonly commandId: string;
  /** What tells one request from another under the same command id. */
  readonly requestHash: Uint8Array;
  readonly events: readonly { readonly eventId: string; readonly schemaVersion: number; readonly event: DomainEvent }[];
  readonly meta: EventMeta;
}

export interface AppendResult {
  readonly firstPosition: number;
  /** The stream's version after the append. */
  readonly lastPosition: number;
  /** The command had been carried out before. */
  readonly replayed: boolean;
}

/**
 * What both stores do.
 *
 * An append MUST be atomic with `within`, MUST refuse a wrong expected version with VersionConflict, MUST answer a
 * repeated command with the first answer, MUST refuse a reused command id with CommandIdReused, and MUST NOT return
 * before it is durable. `within` MUST NOT run for a replayed command, and MAY run again where its first attempt was
 * rolled back; it MUST NOT append. Positions MUST be dense and MUST NOT change. An append has at least one event.
 */
export interface EventStore<Tx = unknown> {
  append(
    request: AppendRequest,
    within?: (tx: Tx, appended: readonly RecordedEvent[]) => Promise<void>,
  ): Promise<AppendResult>;
  /**
   * How the command was answered, or null where it is unknown. Throws CommandIdReused where the id was used for another
   * request.
   */
  findCommand(commandId: string, streamId: string, requestHash: Uint8Array): Promise<AppendResult | null>;
  /** The events of one stream from position `after + 1` on; empty for an unknown stream. */
  readStream(streamId: string, after?: number): Promise<readonly RecordedEvent[]>;
  /** The global order from `after + 1` on, at most `limit`. */
  readAll(after: number, limit: number): Promise<readonly SequencedEvent[]>;
}

/** The stream is not at the version the writer had seen. */
export class VersionConflict extends Error {
  override readonly name = "VersionConflict";
  constructor(
    readonly streamId: string,
    readonly expected: number,
    readonly found: number,
  ) {
    super(`stream ${streamId} is at version ${found}, not ${expected}`);
  }
}

/** The command id has been used for another request. */
export class CommandIdReused extends Error {
  override readonly name = "CommandIdReused";
  constructor(readonly commandId: string) {
    super(`command id ${commandId} was used for another request`);
  }
}
