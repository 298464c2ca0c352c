import { MalformedBytes } from "#bytes";
import { CLIENT, MessageTypes } from "../codes.js";
import type { Answers } from "./answers.js";

/** What may come while the server reads COPY data; it ignores Flush and Sync there (CopyGetData). */
const DURING_COPY = new MessageTypes([
  ...[CLIENT.CopyData, CLIENT.CopyDone, CLIENT.CopyFail],
  ...[CLIENT.Flush, CLIENT.Sync, CLIENT.Terminate],
]);

export const NOT_IN_COPY = "a message that has no place in COPY data";
/** A Sync stands before something else: read among the data it is ignored, and that skipped; read behind it, neither. */
const SKIPS_UNSURE = "whether the server goes on behind the COPY that failed, or skips it, cannot be told";

/**
 * COPY FROM STDIN. The server takes what the client sends for the data as soon as it runs the command, and up to where
 * that ends, or fails: so what a Sync that was sent meanwhile does is known only afterwards.
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
  /** Such Syncs of a COPY that has failed: each is answered, or was ignored. */
  doubtful = 0;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** The server takes what comes next for COPY data. */
  get reads(): boolean {
    return this.#begun && !this.#ended;
  }

  /** The server begins to read. @returns how many Syncs sent behind the command it ignores */
  begin(): number {
    this.#begun = this.#concerns = true;
    this.#ignored = this.#answers.ignoreSyncs();
    this.#ended = this.#answers.copyEnded;
    return this.#ignored;
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
    this.#begun = this.#ended = false;
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
    this.doubtful = this.#ignored;
    this.#begun = this.#ended = false;
    this.#ignored = 0;
    if (batch && this.doubtful > 0 && this.#answers.goOn) throw new MalformedBytes(SKIPS_UNSURE);
  }

  /** @throws MalformedBytes for a message of the client's that the server skips, or answers if it has answered one of the Syncs before. */
  skips(type: number): void {
    if (this.doubtful > 0 && !DURING_COPY.has(type)) throw new MalformedBytes(SKIPS_UNSURE);
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
    if (this.reads && !DURING_COPY.has(type)) throw new MalformedBytes(NOT_IN_COPY);
    const unsure = (this.#ended && this.#ignored > 0) || this.#answers.endsUnsure;
    this.#concerns = this.#begun || unsure;
    return unsure && !DURING_COPY.has(type);
  }
}
