import { setTimeout as sleep } from "node:timers/promises";
import type { DataSource, EntityManager } from "typeorm";
import {
  type AppendRequest,
  type AppendResult,
  CommandIdReused,
  type EventMeta,
  type EventStore,
  type RecordedEvent,
  type SequencedEvent,
  VersionConflict,
} from "#event-store";
import { SQLSTATE } from "./schema.js";

/** `DEADLOCK DETECTED` and `SERIALIZATION FAILURE`: the transaction was rolled back and may be tried again. */
const PASSING = new Set(["40P01", "40001"]);
const ATTEMPTS = 5;

/** The event store in PostgreSQL: one transaction an append, with the caller's read models in it. */
export class PostgresEventStore implements EventStore<EntityManager> {
  constructor(private readonly dataSource: DataSource) {}

  async append(
    request: AppendRequest,
    within?: (tx: EntityManager, appended: readonly RecordedEvent[]) => Promise<void>,
  ): Promise<AppendResult> {
    if (request.events.length === 0) throw new RangeError("an append has at least one event");
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.dataSource.transaction((tx) => appendIn(tx, request, within));
      } catch (error) {
        const { code, detail } = sqlErrorOf(error);
        if (code === SQLSTATE.versionConflict) {
          throw new VersionConflict(request.streamId, Number(request.expected), Number(detail));
        }
        if (code === SQLSTATE.commandIdReused) throw new CommandIdReused(request.commandId);
        if (!code || !PASSING.has(code) || attempt === ATTEMPTS) throw error;
        await sleep(2 ** attempt + Math.random() * 10);
      }
    }
  }

  async findCommand(commandId: string, streamId: string, requestHash: Uint8Array): Promise<AppendResult | null> {
    const [row] = await this.dataSource.query(
      "SELECT req_hash, stream_id, first_pos, last_pos FROM es.command WHERE command_id = $1",
      [commandId],
    );
    if (!row) return null;
    if (row.stream_id !== streamId || Buffer.compare(row.req_hash, requestHash) !== 0) {
      throw new CommandIdReused(commandId);
    }
    return { firstPosition: Number(row.first_pos), lastPosition: Number(row.last_pos), replayed: true };
  }

  async readStream(streamId: string, after = 0): Promise<readonly RecordedEvent[]> {
    const rows: EventRow[] = await this.dataSource.query(
      `SELECT ${COLUMNS} FROM es.event e JOIN es.stream s USING (stream_id)
       WHERE e.stream_id = $1 AND e.stream_pos > $2 ORDER BY e.stream_pos`,
      [streamId, after],
    );
    return rows.map(recordedOf);
  }

  async readAll(after: number, limit: number): Promise<readonly SequencedEvent[]> {
    const rows: (EventRow & { pos: string })[] = await this.dataSource.query(
      `SELECT l.pos, ${COLUMNS} FROM es.log l JOIN es.event e USING (stream_id, stream_pos) JOIN es.stream s USING (stream_id)
       WHERE l.pos > $1 ORDER BY l.pos LIMIT $2`,
      [after, limit],
    );
    return rows.map((row) => ({ ...recordedOf(row), position: Number(row.pos) }));
  }

  /** The newest position there is; 0 in an empty log. */
  async head(): Promise<number> {
    const [row] = await this.dataSource.query("SELECT next_pos - 1 AS head FROM es.head");
    return Number(row.head);
  }
}

async function appendIn(
  tx: EntityManager,
  request: AppendRequest,
  within?: (tx: EntityManager, appended: readonly RecordedEvent[]) => Promise<void>,
): Promise<AppendResult> {
  const { streamId, streamType, expected, commandId, requestHash, meta } = request;
  const { events } = request;
  const [row] = await tx.query("SELECT * FROM es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", [
    streamId,
    streamType,
    expected === "any" ? -1 : expected,
    commandId,
    Buffer.from(requestHash),
    events.map(({ eventId }) => eventId),
    events.map(({ event }) => event.type),
    events.map(({ schemaVersion }) => schemaVersion),
    events.map(({ event }) => JSON.stringify(event.data ?? null)),
    JSON.stringify(meta),
  ]);
  const firstPosition = Number(row.o_first);
  if (!row.o_replayed) {
    await within?.(
      tx,
      events.map((event, index) => ({
        ...event,
        streamId,
        streamType,
        streamPosition: firstPosition + index,
        meta,
        recordedAt: row.o_at as Date,
      })),
    );
  }
  return { firstPosition, lastPosition: Number(row.o_last), replayed: row.o_replayed };
}

const COLUMNS =
  "e.stream_id, s.stream_type, e.stream_pos, e.event_id, e.type, e.schema_ver, e.body, e.meta, e.recorded_at";

interface EventRow {
  stream_id: string;
  stream_type: string;
  stream_pos: string;
  event_id: string;
  type: string;
  schema_ver: number;
  body: unknown;
  meta: EventMeta;
  recorded_at: Date;
}

function recordedOf(row: EventRow): RecordedEvent {
  return {
    streamId: row.stream_id,
    streamType: row.stream_type,
    streamPosition: Number(row.stream_pos),
    eventId: row.event_id,
    schemaVersion: row.schema_ver,
    event: { type: row.type, data: row.body },
    meta: row.meta,
    recordedAt: row.recorded_at,
  };
}

/** TypeORM wraps the driver's error. */
function sqlErrorOf(error: unknown): { code?: string; detail?: string } {
  const { driverError, ...itself } = error as { driverError?: object };
  return driverError ?? itself;
}
