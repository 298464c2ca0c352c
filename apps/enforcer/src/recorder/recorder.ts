import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { edgeV1 } from "#contracts";
import type { Durability, Spool } from "#spool";
import type { Clock } from "../clock.js";

type Fact = edgeV1.Record["fact"];
type Value<Case extends Fact["case"]> = Extract<Fact, { case: Case }>["value"];

/** Facts that end or refuse something are never dropped while there is any space left. */
const ESSENTIAL: ReadonlySet<Fact["case"]> = new Set([
  "sessionEnded",
  "loginRefused",
  "holdEnded",
  "commandRefused",
  "commandEnded",
]);

/** Puts observed facts into the spool. What the caller waits for is durable; shipping is another's work. */
export class Recorder {
  constructor(
    private readonly spool: Spool,
    private readonly clock: Clock,
  ) {}

  /** New sessions may be opened. */
  get accepts(): boolean {
    return this.spool.state === "ok";
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
    return this.spool.append([toBinary(edgeV1.RecordSchema, record)], ESSENTIAL.has(fact));
  }

  /** @throws SpoolUnwritable, also as a rejection. */
  durable(sequence: number, durability: Durability): Promise<void> | undefined {
    return this.spool.durable(sequence, durability);
  }
}
