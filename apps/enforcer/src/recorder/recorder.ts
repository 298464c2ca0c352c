import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { edgeV1 } from "#contracts";
import type { Outcome } from "#protocols";
import { type Durability, type Spool, SpoolFull } from "#spool";
import type { Clock } from "../clock.js";
import { CommandRecords, type Started } from "./command-records.js";

type Fact = edgeV1.Record["fact"];
type Value<Case extends Fact["case"]> = Extract<Fact, { case: Case }>["value"];

/** Facts that end or refuse something are never dropped while there is any space left. */
const ESSENTIAL: ReadonlySet<Fact["case"]> = new Set([
  "sessionEnded",
  "loginRefused",
  "holdEnded",
  "commandRefused",
  "spoolOpened",
]);

/** Puts observed facts into the spool. What the caller waits for is durable; shipping is another's work. */
export class Recorder {
  readonly #commands = new CommandRecords();

  constructor(
    private readonly spool: Spool,
    private readonly clock: Clock,
  ) {}

  /** New sessions may be opened. */
  get accepts(): boolean {
    return this.spool.state === "ok";
  }

  /** A process has the spool: whatever was open in it before is gone. Not said where there is no room for it either. */
  opened(): void {
    const replaced = this.spool.replaced.length > 0 ? this.spool.replaced : [{ source: "", lost: 0, last: 0 }];
    try {
      for (const { source, lost, last } of replaced) {
        this.record("", "spoolOpened", { replaces: source, lost: BigInt(lost), last: BigInt(last) });
      }
    } catch (error) {
      if (!(error instanceof SpoolFull)) throw error;
    }
  }

  /**
   * @returns its sequence, for `durable`.
   * @throws SpoolFull
   */
  record<Case extends NonNullable<Fact["case"]>>(
    sessionId: string,
    fact: Case,
    value: Omit<Value<Case>, "$typeName">,
  ): number {
    const record = create(edgeV1.RecordSchema, {
      time: timestampFromMs(this.clock.now()),
      sessionId,
      fact: { case: fact, value } as never,
    });
    return this.spool.append(toBinary(edgeV1.RecordSchema, record), ESSENTIAL.has(fact));
  }

  /** As `record` would, of what every command makes. */
  commandStarted(sessionId: string, started: Started): number {
    return this.spool.append(this.#commands.started(this.clock.now(), sessionId, started));
  }

  commandEnded(sessionId: string, ordinal: number, outcome: Outcome, durationUs: number): number {
    return this.spool.append(this.#commands.ended(this.clock.now(), sessionId, ordinal, outcome, durationUs), true);
  }

  /** @throws SpoolUnwritable, also as a rejection. */
  durable(sequence: number, durability: Durability): Promise<void> | undefined {
    return this.spool.durable(sequence, durability);
  }
}
