import { createHash } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { edgeV1 } from "#contracts";
import type { Fact } from "../facts/control-facts.js";
import { edgeFact, edgeSource, unreadable } from "../facts/edge-facts.js";

/** What a message of an enforcer says. */
export type Reading = Parcel | Unreadable;

/** Records of a spool, in its order. */
export interface Parcel {
  readonly kind: "parcel";
  readonly enforcerId: string;
  readonly source: string;
  /** The oldest record that its enforcer still has; 0 where it does not say. */
  readonly oldest: number;
  readonly items: readonly Item[];
}

interface Item {
  readonly sequence: number;
  readonly fact: Fact;
  /** Of a `spool.opened`: the source whose place it takes, and that one's newest record. */
  readonly replaces: { readonly source: string; readonly last: number } | null;
  /** What stands in its place where it can't be stored. */
  readonly unreadable: (why: string) => Fact;
}

/** It is no batch of records. */
export interface Unreadable {
  readonly kind: "unreadable";
  readonly fact: Fact;
}

export function readMessage(enforcerId: string, bytes: Uint8Array, now: Date): Reading {
  const batch = readBatch(bytes);
  if (typeof batch === "string") {
    const digest = createHash("sha256").update(bytes).digest("hex");
    const fact = unreadable(enforcerId, `${enforcerId}/unreadable/${digest}`, 1, { bytes, why: batch, now });
    return { kind: "unreadable", fact };
  }
  const { source, records } = batch;
  return {
    kind: "parcel",
    enforcerId,
    source,
    oldest: Number(batch.oldest),
    items: records.map((record) => readRecord(enforcerId, source, record, now)),
  };
}

function readRecord(enforcerId: string, source: string, record: edgeV1.Record, now: Date): Item {
  const sequence = Number(record.sequence);
  return {
    sequence,
    fact: edgeFact(enforcerId, source, record, now),
    replaces: replacedBy(record),
    unreadable: (why) => {
      const bytes = toBinary(edgeV1.RecordSchema, record);
      return unreadable(enforcerId, edgeSource(enforcerId, source), sequence, { bytes, why, now });
    },
  };
}

function replacedBy({ fact }: edgeV1.Record): Item["replaces"] {
  if (fact.case !== "spoolOpened" || fact.value.replaces === "") return null;
  return { source: fact.value.replaces, last: Number(fact.value.last) };
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
