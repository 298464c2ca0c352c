import { create, toBinary } from "@bufbuild/protobuf";
import type { Verdict } from "#commands";
import { edgeV1 } from "#contracts";
import type { Outcome } from "#protocols";
import type { Understood } from "../semantics/semantics.js";
import { commandFacts, type SentCommand, shortened } from "./command-facts.js";
import { ProtobufWriter } from "./protobuf-writer.js";

/** Numbers of fields in `edge.proto`. */
const RECORD = { time: 2, sessionId: 3, commandStarted: 13, commandEnded: 17 } as const;
const TIMESTAMP = { seconds: 1, nanos: 2 } as const;
const STARTED = { command: 1, approvalId: 2 } as const;
const COMMAND = { ordinal: 1, parameters: 3 } as const;
const PARAMETER = { text: 1, binary: 2, null: 3 } as const;
const ENDED = {
  ordinal: 1,
  rows: 2,
  bytes: 3,
  valuesMasked: 4,
  durationUs: 5,
  tag: 6,
  errorCode: 7,
  errorMessage: 8,
} as const;

export interface Started {
  readonly gate: SentCommand;
  readonly understood: Understood;
  readonly verdict: Verdict;
  readonly approvalId: string;
  readonly labelsMasked: readonly string[];
}

/** What is the same in every run of a statement, encoded. */
interface Constant {
  readonly text: string;
  readonly labelsMasked: readonly string[];
  readonly command: Uint8Array;
  readonly labels: Uint8Array;
}

/** Encodes the two records that every command makes, as the general encoder would. */
export class CommandRecords {
  readonly #writer = new ProtobufWriter();
  /** By verdict, since what differs between principals is in it, and by what was understood. */
  readonly #constants = new WeakMap<Verdict, WeakMap<Understood, Constant>>();

  started(time: number, sessionId: string, started: Started): Uint8Array {
    const { command, labels } = this.#constant(started);
    const { gate, approvalId } = started;
    const writer = this.#begun(time, sessionId);
    const record = writer.begin(RECORD.commandStarted);
    const facts = writer.begin(STARTED.command);
    writer.uint(COMMAND.ordinal, gate.ordinal).raw(command);
    for (const parameter of shortened(gate.parameters)) {
      const mark = writer.begin(COMMAND.parameters);
      if (parameter.kind === "null") writer.uint(PARAMETER.null, 1);
      else writer.member(PARAMETER[parameter.kind], parameter.value);
      writer.end(mark);
    }
    writer.end(facts);
    return writer.text(STARTED.approvalId, approvalId).raw(labels).end(record).take();
  }

  ended(time: number, sessionId: string, ordinal: number, outcome: Outcome, durationUs: number): Uint8Array {
    const writer = this.#begun(time, sessionId);
    const record = writer.begin(RECORD.commandEnded);
    return writer
      .uint(ENDED.ordinal, ordinal)
      .uint(ENDED.rows, outcome.rows)
      .uint(ENDED.bytes, outcome.bytes)
      .uint(ENDED.valuesMasked, outcome.valuesMasked)
      .uint(ENDED.durationUs, durationUs)
      .text(ENDED.tag, outcome.tag)
      .text(ENDED.errorCode, outcome.error?.code ?? "")
      .text(ENDED.errorMessage, outcome.error?.message ?? "")
      .end(record)
      .take();
  }

  #begun(time: number, sessionId: string): ProtobufWriter {
    const writer = this.#writer;
    const mark = writer.begin(RECORD.time);
    writer
      .uint(TIMESTAMP.seconds, Math.floor(time / 1000))
      .uint(TIMESTAMP.nanos, Math.floor(time % 1000) * 1_000_000)
      .end(mark);
    return writer.text(RECORD.sessionId, sessionId);
  }

  #constant({ gate, understood, verdict, labelsMasked }: Started): Constant {
    let ofVerdict = this.#constants.get(verdict);
    if (!ofVerdict) this.#constants.set(verdict, (ofVerdict = new WeakMap()));
    let known = ofVerdict.get(understood);
    if (known?.labelsMasked !== labelsMasked || known.text !== gate.text) {
      const facts = commandFacts({ ...gate, ordinal: 0, parameters: [] }, understood, verdict);
      const labels = create(edgeV1.CommandStartedSchema, { labelsMasked: [...labelsMasked] });
      known = {
        text: gate.text,
        labelsMasked,
        command: toBinary(edgeV1.CommandFactsSchema, facts),
        labels: toBinary(edgeV1.CommandStartedSchema, labels),
      };
      ofVerdict.set(understood, known);
    }
    return known;
  }
}
