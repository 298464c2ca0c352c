import type { EncodedBatch } from "#bus";
import type { Frame } from "#spool";
import { ProtobufWriter } from "./protobuf-writer.js";

/** Numbers of fields in `edge.proto`. */
const BATCH = { source: 1, records: 2, oldest: 3 } as const;
const RECORD_SEQUENCE = 1;

/**
 * A RecordBatch of records as the spool keeps them. A record is encoded before its sequence is known, so that goes behind:
 * fields of a message may come in any order.
 */
export function encodeBatch(source: string, frames: readonly Frame[], oldest: number): EncodedBatch {
  const writer = new ProtobufWriter().text(BATCH.source, source).uint(BATCH.oldest, oldest);
  for (const { sequence, payload } of frames) {
    const mark = writer.begin(BATCH.records);
    writer.raw(payload).uint(RECORD_SEQUENCE, sequence).end(mark);
  }
  return { name: `${source}/${frames[0]?.sequence}-${frames.at(-1)?.sequence}`, bytes: writer.take() };
}
