import type { DataSource, EntityManager } from "typeorm";
import { type AuditEntry, appendAll, decodeFrontier, encodeFrontier, type SealedEntry } from "#audit-log";
import type { Fact } from "../facts/control-facts.js";
import { bytesArray, textArray } from "./binary-arrays.js";
import { sealed } from "./sealed.js";

export interface StoredEntry {
  readonly index: number;
  readonly time: Date;
  readonly origin: string;
  readonly type: string;
  readonly sessionId: string;
  readonly json: string;
  readonly leafHash: Buffer;
}

/** The append-only, dense, Merkle-hashed sequence of everything. */
export class AuditLog {
  constructor(private readonly dataSource: DataSource) {}

  /** Gives the facts the next indexes, in their order; what is too large is cut. The head's row lock is held until the transaction ends. */
  async append(tx: EntityManager, facts: readonly Fact[]): Promise<readonly SealedEntry[]> {
    if (facts.length === 0) return [];
    const [head] = await tx.query("SELECT size, frontier FROM audit.head FOR UPDATE");
    const size = Number(head.size);
    const entries = facts.map((fact, n) => sealed({ index: size + n + 1, ...fact }));
    const frontier = appendAll(
      decodeFrontier(size, head.frontier),
      entries.map(({ leafHash }) => leafHash),
    );
    const texts = (of: (entry: AuditEntry) => string) => textArray(entries.map(({ entry }) => of(entry)));
    await tx.query(
      `INSERT INTO audit.entry (index, time, origin, source, sequence, type, session_id, json, leaf_hash)
       SELECT $1 + place, time::timestamptz, origin, source, sequence::bigint, type, session_id, json, leaf_hash
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[])
         WITH ORDINALITY AS given (time, origin, source, sequence, type, session_id, json, leaf_hash, place)`,
      [
        size,
        texts(({ time }) => time),
        texts(({ origin }) => origin),
        texts(({ source }) => source),
        texts(({ sequence }) => String(sequence)),
        texts(({ type }) => type),
        texts(({ sessionId }) => sessionId),
        textArray(entries.map(({ json }) => json)),
        bytesArray(entries.map(({ leafHash }) => leafHash)),
      ],
    );
    await tx.query("UPDATE audit.head SET size = $1, frontier = $2", [frontier.size, encodeFrontier(frontier)]);
    return entries;
  }

  /** The newest index there is; 0 in an empty log. */
  async head(): Promise<number> {
    const [row] = await this.dataSource.query("SELECT size FROM audit.head");
    return Number(row.size);
  }

  /** Entries from `after + 1` on: at most `limit`, and at most about `budget` bytes, but one at least. */
  async read(after: number, limit: number, budget: number): Promise<readonly StoredEntry[]> {
    const rows: EntryRow[] = await this.dataSource.query(
      `SELECT index, time, origin, type, session_id, json, leaf_hash FROM (
         SELECT *, sum(octet_length(json)) OVER (ORDER BY index) - octet_length(json) AS before
         FROM (SELECT * FROM audit.entry WHERE index > $1 ORDER BY index LIMIT $2) page) sized
       WHERE before < $3 OR index = $1 + 1 ORDER BY index`,
      [after, limit, budget],
    );
    return rows.map((row) => ({
      index: Number(row.index),
      time: row.time,
      origin: row.origin,
      type: row.type,
      sessionId: row.session_id,
      json: row.json,
      leafHash: row.leaf_hash,
    }));
  }
}

interface EntryRow {
  index: string;
  time: Date;
  origin: string;
  type: string;
  session_id: string;
  json: string;
  leaf_hash: Buffer;
}
