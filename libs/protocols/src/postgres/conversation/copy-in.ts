import { MalformedBytes } from "#bytes";
import { CLIENT, MessageTypes } from "../codes.js";
import { closeStatement, flush, sync } from "../encoder.js";
import type { Answers, ProbeAnswer, SyncAnswer } from "./answers.js";

/** What may come while the server reads COPY data; it ignores Flush and Sync there (CopyGetData). */
const DURING_COPY = new MessageTypes([
  ...[CLIENT.CopyData, CLIENT.CopyDone, CLIENT.CopyFail],
  ...[CLIENT.Flush, CLIENT.Sync, CLIENT.Terminate],
]);

export const NOT_IN_COPY = "a message that has no place in COPY data";
/** Data, a Sync and something else were sent before the server began to read: it may have failed at the data, or before. */
const SKIPS_UNSURE = "whether the server goes on behind the COPY that failed, or skips it, cannot be told";

/** Asks how many Syncs have been answered: ReadyForQuery comes for each, and once more before CloseComplete. */
const PROBE: Uint8Array = Buffer.concat([sync(), closeStatement("counterfoil_probe"), flush()]);

/**
 * COPY FROM STDIN. The server takes what the client sends for the data as soon as it runs the command, and up to where
 * that ends, or fails: so what a Sync that was sent meanwhile does is known only afterwards. Read among the data it is
 * ignored, and what stands behind it skipped; read behind the failure, neither. So what comes next waits until it is known
 * how the COPY went; where it failed, the server is asked how it took the Syncs.
 */
export class CopyIn {
  readonly #answers: Answers;
  /** The server reads data for the head of what is due, as far as it has said. */
  #begun = false;
  /** The client has ended that data. */
  #ended = false;
  /** The client has sent an end of data, or the server has begun to read any, and neither is sure to be over. */
  #concerns = false;
  /** Syncs that the server ignores among the data, unless it fails before it reads them. */
  #ignored = 0;
  /** Those of them that were sent with the command. */
  #early: readonly SyncAnswer[] = [];
  /** Data was sent before the server was heard to read any. */
  #dataEarly = false;
  /** Such Syncs of a COPY that has failed: each is answered, or was ignored. */
  doubtful = 0;
  #probing = false;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** The server takes what comes next for COPY data. */
  get reads(): boolean {
    return this.#begun && !this.#ended;
  }

  /** Something else was sent where the server reads data: it ends the session there, unless it fails before. */
  get meetsOther(): boolean {
    return this.reads && this.#answers.goOn;
  }

  /** The server begins to read. @returns how many Syncs sent behind the command it ignores */
  begin(): number {
    this.#begun = this.#concerns = true;
    this.#early = this.#answers.ignoreSyncs();
    this.#ignored = this.#early.length;
    this.#ended = this.#answers.copyEnded;
    return this.#ignored;
  }

  /** The client sends data that the server may not be reading. */
  sendData(): void {
    this.#dataEarly = true;
  }

  /** The client ends some data, whether or not the server reads any. */
  sendEnd(): void {
    this.#ended = this.#begun;
    this.#concerns = true;
    this.#answers.push({ kind: "copy-end" });
  }

  /** Whether a Sync of the client's is one that the server ignores: it is if nothing but the data is before it. */
  ignoresSync(): boolean {
    // Behind anything else it is read only if the COPY has failed.
    if (!this.reads || !this.#answers.onlyCopies) return false;
    this.#ignored++;
    return true;
  }

  /** The server has read the data to its end, and so all of the Syncs among it. */
  end(): void {
    this.#begun = this.#ended = this.#dataEarly = false;
    this.#ignored = 0;
    this.#answers.endCopy();
  }

  /**
   * The server has failed somewhere in the data.
   *
   * @param batch of a command whose batch it then skips
   * @throws MalformedBytes where nobody can tell what it skips.
   */
  fail(batch: boolean): void {
    const dataEarly = this.#dataEarly;
    this.doubtful = this.#ignored;
    this.#begun = this.#ended = this.#dataEarly = false;
    this.#ignored = 0;
    if (!batch || this.doubtful === 0 || !this.#answers.goOn) return;
    if (dataEarly) throw new MalformedBytes(SKIPS_UNSURE);
    // Had it read on past them, it would have ended the session at what stands behind.
    this.#answers.heedSyncs(this.#early);
    this.doubtful = 0;
  }

  /** Whether it cannot be told if a message behind a COPY that failed is skipped: it waits until the server has told. */
  mayBeSkipped(type: number): boolean {
    return this.doubtful > 0 && !DURING_COPY.has(type);
  }

  /** What asks the server how it took the Syncs; null where it is asked already. */
  probe(): Uint8Array | null {
    if (this.#probing) return null;
    this.#probing = true;
    this.#answers.push({ kind: "probe", readies: 0 });
    return PROBE;
  }

  /** It has told. @returns whether it has answered any of them, and so skips nothing that comes behind */
  probed({ readies }: ProbeAnswer): boolean {
    this.#probing = false;
    this.doubtful = 0;
    // One is the answer to the probe's own.
    return readies > 1;
  }

  /**
   * Whether a message of the client's has to wait until it is known how the COPY went: should it fail, it cannot be told
   * which of the Syncs the server has read, and so what it does behind them.
   *
   * @throws MalformedBytes for one that the server would not take where it reads.
   */
  holdsBack(type: number): boolean {
    // Asked of every message, and mostly so.
    if (!this.#concerns) return false;
    if (this.reads && !DURING_COPY.has(type)) {
      if (!this.meetsOther) throw new MalformedBytes(NOT_IN_COPY);
      return true;
    }
    const unsure = (this.#ended && this.#ignored > 0) || this.#answers.endsUnsure;
    this.#concerns = this.#begun || unsure;
    return unsure && !DURING_COPY.has(type);
  }
}
