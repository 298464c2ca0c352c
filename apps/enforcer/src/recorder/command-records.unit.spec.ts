import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { NOTHING_TOUCHED, type Parameter, type Verdict } from "#commands";
import { edgeV1 } from "#contracts";
import type { Outcome } from "#protocols";
import type { Understood } from "../semantics/semantics.js";
import { commandFacts } from "./command-facts.js";
import { CommandRecords } from "./command-records.js";
import { encodeBatch } from "./record-batch.js";

/** Of every length that takes one more byte to say. */
const text = fc.constantFrom("", "a", "é".repeat(63), "é".repeat(64), "x".repeat(16_383), "x".repeat(16_384), "\ud800");
const whole = fc.oneof(fc.nat(), fc.maxSafeNat());
const parameter: fc.Arbitrary<Parameter> = fc.oneof(
  fc.record({ kind: fc.constant("text" as const), value: text }),
  fc.record({ kind: fc.constant("binary" as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.constant({ kind: "null" as const }),
);
const time = fc.nat({ max: 4_000_000_000_000 });
const understood: Understood = {
  operations: [
    { ...NOTHING_TOUCHED, action: "sql:select", tablesRead: ["public.a", "public.b"], functions: ["pg_catalog.now"] },
  ],
  uses: [],
  statementCount: 1,
  fingerprint: "f",
  problems: [],
};
const uses = [{ action: "filter" as const, label: "l", column: "a.b.c", use: "equality", target: "", permitted: true }];
const verdict = (epoch: number): Verdict => ({
  kind: "allow",
  masked: [],
  rowLimit: null,
  policies: ["p#1", "p#2"],
  epoch,
  uses,
});
const encode = (record: edgeV1.Record) => toBinary(edgeV1.RecordSchema, record);
const decoded = (bytes: Uint8Array) => fromBinary(edgeV1.RecordSchema, bytes);
/** Field by field what the general encoder says. */
function expectSame(bytes: Uint8Array, ms: number, fact: edgeV1.Record["fact"]): void {
  const general = create(edgeV1.RecordSchema, { time: timestampFromMs(ms), sessionId: "session", fact });
  if (Buffer.compare(encode(decoded(bytes)), encode(general)) !== 0) expect(decoded(bytes)).toEqual(general);
}

describe("records of commands, encoded by hand", () => {
  const records = new CommandRecords();

  it("say of a command that starts what the general encoder says", () => {
    fc.assert(
      fc.property(
        time,
        text,
        fc.array(parameter, { maxLength: 5 }),
        fc.nat(),
        text,
        fc.array(text, { maxLength: 3 }),
        (ms, sql, parameters, n, id, labels) => {
          const gate = { stage: "run" as const, ordinal: n, batch: 1, several: false, text: sql, parameters };
          const started = { gate, understood, verdict: verdict(n), approvalId: id, labelsMasked: labels };
          const value = create(edgeV1.CommandStartedSchema, {
            command: commandFacts(gate, understood, verdict(n)),
            approvalId: id,
            labelsMasked: labels,
          });
          const first = records.started(ms, "session", started);
          const again = records.started(ms, "session", started);
          expectSame(first, ms, { case: "commandStarted", value });
          expect(Buffer.compare(again, first)).toBe(0);
        },
      ),
    );
  });

  it("say of a command that ends what the general encoder says", () => {
    const error = fc.option(fc.record({ code: text, message: text }));
    const outcome: fc.Arbitrary<Outcome> = fc.record({
      rows: whole,
      bytes: whole,
      valuesMasked: whole,
      tag: text,
      error,
    });
    fc.assert(
      fc.property(time, whole, outcome, whole, (ms, ordinal, ended, durationUs) => {
        const value = create(edgeV1.CommandEndedSchema, {
          ordinal: BigInt(ordinal),
          rows: BigInt(ended.rows),
          bytes: BigInt(ended.bytes),
          valuesMasked: BigInt(ended.valuesMasked),
          durationUs: BigInt(durationUs),
          tag: ended.tag,
          errorCode: ended.error?.code ?? "",
          errorMessage: ended.error?.message ?? "",
        });
        const bytes = records.ended(ms, "session", ordinal, ended, durationUs);
        expectSame(bytes, ms, { case: "commandEnded", value });
      }),
    );
  });

  it("make batches in which each has its sequence", () => {
    const outcome = { rows: 1, bytes: 2, valuesMasked: 0, tag: "SELECT 1", error: null };
    const payload = records.ended(1_000, "session", 7, outcome, 9);
    const frames = [2 ** 40, 2 ** 40 + 1].map((sequence) => ({ sequence, payload }));
    const { name, bytes } = encodeBatch("source", frames, 3);
    const batch = fromBinary(edgeV1.RecordBatchSchema, bytes);
    expect(name).toBe("source/1099511627776-1099511627777");
    expect(batch).toMatchObject({ source: "source", oldest: 3n });
    expect(batch.records).toEqual(frames.map(({ sequence }) => ({ ...decoded(payload), sequence: BigInt(sequence) })));
  });
});
