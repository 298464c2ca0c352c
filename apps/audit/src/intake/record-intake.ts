import { createHash } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Injectable } from "@nestjs/common";
import { DataSource, type EntityManager } from "typeorm";
import { edgeV1 } from "#contracts";
import type { Fact } from "../facts/control-facts.js";
import { edgeFact, edgeSource, unreadable } from "../facts/edge-facts.js";
import { AuditLog } from "../log/audit-log.js";
import { projectSessions } from "../projections/sessions.js";

/** What became of a message. */
export interface Taken {
  /** What the enforcer may be told; null for what belongs to no spool. */
  readonly acknowledged: { readonly source: string; readonly sequence: number } | null;
  /** Records before the message's are missing: nothing of it, or not all, was taken. */
  readonly gap: boolean;
  readonly grown: boolean;
}

/** Class 22 and 23 (PostgreSQL appendix A): the data itself can't be stored, however often it is tried. */
const INDIGESTIBLE = /^(22|23)/;

/**
 * Takes record batches into the audit log: each record once, in the order of its spool, without a gap. What can't be read
 * or stored keeps its place as `record.unreadable`.
 */
@Injectable()
export class RecordIntake {
  constructor(
    private readonly dataSource: DataSource,
    private readonly log: AuditLog,
  ) {}

  /** @throws where the database is away: the message must be tried again */
  async take(enforcerId: string, bytes: Uint8Array, now: Date): Promise<Taken> {
    const batch = readBatch(bytes);
    if (typeof batch === "string") return this.#park(enforcerId, bytes, batch, now);
    try {
      return await this.#takeBatch(
        enforcerId,
        batch,
        (record) => edgeFact(enforcerId, batch.source, record, now),
        true,
      );
    } catch (error) {
      const { code = "" } = (error as { driverError?: { code?: string } }).driverError ?? {};
      if (!INDIGESTIBLE.test(code)) throw error;
      const why = `it could not be stored: ${(error as Error).message}`;
      const source = edgeSource(enforcerId, batch.source);
      const raw = (record: edgeV1.Record) =>
        unreadable(enforcerId, source, Number(record.sequence), {
          bytes: toBinary(edgeV1.RecordSchema, record),
          why,
          now,
        });
      return this.#takeEach(enforcerId, batch, now, raw);
    }
  }

  /** One by one, so that only what is at fault becomes unreadable. */
  async #takeEach(
    enforcerId: string,
    batch: edgeV1.RecordBatch,
    now: Date,
    raw: (record: edgeV1.Record) => Fact,
  ): Promise<Taken> {
    let taken: Taken = { acknowledged: null, gap: false, grown: false };
    for (const record of batch.records) {
      const one = { ...batch, records: [record] };
      const next = await this.#takeBatch(
        enforcerId,
        one,
        (r) => edgeFact(enforcerId, batch.source, r, now),
        true,
      ).catch((error) => {
        const { code = "" } = (error as { driverError?: { code?: string } }).driverError ?? {};
        if (!INDIGESTIBLE.test(code)) throw error;
        return this.#takeBatch(enforcerId, one, raw, false);
      });
      taken = { ...next, grown: taken.grown || next.grown };
      if (next.gap) break;
    }
    return taken;
  }

  #takeBatch(
    enforcerId: string,
    { source, records }: edgeV1.RecordBatch,
    factOf: (record: edgeV1.Record) => Fact,
    project: boolean,
  ): Promise<Taken> {
    return this.dataSource.transaction(async (tx) => {
      const before = await lockedSequence(tx, enforcerId, source);
      const fresh: edgeV1.Record[] = [];
      let last = before;
      let gap = false;
      for (const record of records) {
        const sequence = Number(record.sequence);
        if (sequence <= last) continue;
        gap = sequence !== last + 1;
        if (gap) break;
        fresh.push(record);
        last = sequence;
      }
      if (fresh.length > 0) {
        const sealed = await this.log.append(tx, fresh.map(factOf));
        if (project) {
          await projectSessions(
            tx,
            sealed.map(({ entry }) => entry),
          );
        }
        await tx.query(
          "UPDATE audit.source SET last_sequence = $3, last_seen = clock_timestamp() WHERE enforcer_id = $1 AND source = $2",
          [enforcerId, source, last],
        );
      }
      return { acknowledged: { source, sequence: last }, gap, grown: fresh.length > 0 };
    });
  }

  /** The same bytes again are the same entry. */
  async #park(enforcerId: string, bytes: Uint8Array, why: string, now: Date): Promise<Taken> {
    const digest = createHash("sha256").update(bytes).digest("hex");
    const fact = unreadable(enforcerId, `${enforcerId}/unreadable/${digest}`, 1, { bytes, why, now });
    const grown = await this.dataSource.transaction(async (tx) => {
      await tx.query("SELECT 1 FROM audit.head FOR UPDATE");
      const known = await tx.query("SELECT 1 FROM audit.entry WHERE source = $1", [fact.source]);
      if (known.length === 0) await this.log.append(tx, [fact]);
      return known.length === 0;
    });
    return { acknowledged: null, gap: false, grown };
  }
}

/** Or why it is none. */
function readBatch(bytes: Uint8Array): edgeV1.RecordBatch | string {
  try {
    const batch = fromBinary(edgeV1.RecordBatchSchema, bytes);
    const { source, records } = batch;
    if (source === "" || source.includes("\0")) return "the batch names no spool";
    if (records.length === 0) return "the batch has no records";
    if (records.some(({ sequence }) => sequence < 1n || sequence > BigInt(Number.MAX_SAFE_INTEGER))) {
      return "a record has no place in its spool";
    }
    return batch;
  } catch (error) {
    return `it is no RecordBatch: ${(error as Error).message}`;
  }
}

async function lockedSequence(tx: EntityManager, enforcerId: string, source: string): Promise<number> {
  await tx.query("INSERT INTO audit.source (enforcer_id, source) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
    enforcerId,
    source,
  ]);
  const [row] = await tx.query(
    "SELECT last_sequence FROM audit.source WHERE enforcer_id = $1 AND source = $2 FOR UPDATE",
    [enforcerId, source],
  );
  return Number(row.last_sequence);
}
