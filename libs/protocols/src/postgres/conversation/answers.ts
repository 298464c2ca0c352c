import { MalformedBytes } from "#bytes";
import type { RunningCommand } from "../commands.js";
import type { Format } from "../messages.js";
import type { CopyMasker } from "../rewrite/copy.js";
import type { Masks } from "../rewrite/masks.js";
import type { Change } from "./names.js";
import type { Portal, Statement } from "./statements.js";

/** What was sent and will be answered, each by what the manual's "Message Flow" says of it. */
export type Answer =
  | ParseAnswer
  | BindAnswer
  | DescribeAnswer
  | ExecuteAnswer
  | QueryAnswer
  | CallAnswer
  | CloseAnswer
  | RefusalAnswer
  | OwnAnswer
  | ProbeAnswer
  | SyncAnswer
  /** Not answered: where the client ended its COPY data. */
  | { readonly kind: "copy-end" };

export interface SyncAnswer {
  readonly kind: "sync";
  readonly segment: number;
}

/** The conversation's own question how many Syncs the server has answered since a COPY failed: a Sync, and what ends them. */
export interface ProbeAnswer {
  readonly kind: "probe";
  /** How often the server has said that it is ready. */
  readies: number;
}

interface ParseAnswer {
  readonly kind: "parse";
  readonly change: Change<Statement>;
}

interface BindAnswer {
  readonly kind: "bind";
  readonly change: Change<Portal>;
  readonly portal: Portal;
}

interface DescribeAnswer {
  readonly kind: "describe";
  /** Null where nothing is known by the name; the server will say what it thinks of it. */
  readonly of: Statement | Portal | null;
  /** Asked by the conversation itself: the client gets no answer. */
  readonly own: boolean;
}

/** Under these rows or COPY data may flow. */
export type FlowingAnswer = ExecuteAnswer | QueryAnswer;

interface ExecuteAnswer {
  readonly kind: "execute";
  readonly command: RunningCommand;
  readonly portal: Portal;
  copy: Copying | null;
}

export interface QueryAnswer {
  readonly kind: "query";
  readonly command: RunningCommand;
  readonly segment: number;
  /** Of the statement that runs; undefined while it has no description. */
  masks: Masks | undefined;
  copy: Copying | null;
  /** It runs in a transaction of the conversation's own, to be undone where it goes past its limit. */
  readonly enclosed: boolean;
  /** Its completion, kept back until that transaction has ended. */
  completion: Uint8Array | null;
}

/** The conversation's own statement around one with a limit; the client sees nothing of it but how it ends. */
export interface OwnAnswer {
  readonly kind: "own";
  readonly command: RunningCommand;
  readonly segment: number;
  /**
   * - `begin`: the command, as `frame`, follows in the transaction.
   * - `commit` and `rollback` end that; `frame` is the command's completion.
   * - `abort`: makes the client's transaction fail.
   */
  readonly does: "begin" | "commit" | "rollback" | "abort";
  readonly frame: Uint8Array | null;
}

interface Copying {
  readonly direction: "in" | "out";
  readonly masker: CopyMasker | null;
}

export interface CallAnswer {
  readonly kind: "call";
  readonly command: RunningCommand;
  readonly segment: number;
  readonly format: Format;
}

interface CloseAnswer {
  readonly kind: "close";
  readonly statement: Change<Statement> | null;
  readonly portal: Change<Portal> | null;
}

/** In place of what was refused: the server answers the poison with an error, which is replaced. */
interface RefusalAnswer {
  readonly kind: "refusal";
  readonly error: Uint8Array;
  /** Of a simple query or a function call, which ReadyForQuery ends; else the server skips to the next Sync. */
  readonly simple: boolean;
  readonly segment: number;
}

/** What is due for a simple query. */
export const queryAnswer = (command: RunningCommand, segment: number, enclosed = false): QueryAnswer => ({
  kind: "query",
  command,
  segment,
  masks: undefined,
  copy: null,
  enclosed,
  completion: null,
});

export const flowing = (answer: Answer | undefined): answer is FlowingAnswer =>
  answer !== undefined && (answer.kind === "query" || answer.kind === "execute");

/** The server has sent what answers nothing that is due. */
export const unexpected = (what: string) => new MalformedBytes(`${what} came out of turn`);

function mayRename(answer: Answer): boolean {
  if (answer.kind === "bind") return answer.portal.command.replacesPortals;
  return answer.kind === "query" || answer.kind === "execute" || answer.kind === "call" || answer.kind === "own";
}

/** First in, first out. */
export class Answers {
  #items: Answer[] = [];
  #from = 0;
  /** The server has said how what is at the head went: only then does ReadyForQuery end it. */
  spoken = false;

  get length(): number {
    return this.#items.length - this.#from;
  }

  /** Everything that is answered has been. */
  get empty(): boolean {
    return this.head === undefined;
  }

  /** Something is due that can take a name for something else: it runs, or the server runs code as it plans it. */
  get running(): boolean {
    return this.#items.some((answer, index) => index >= this.#from && mayRename(answer));
  }

  push(answer: Answer): void {
    this.#items.push(answer);
  }

  /** What the server's next message belongs to. */
  get head(): Answer | undefined {
    while (this.#items[this.#from]?.kind === "copy-end") this.shift();
    return this.#items[this.#from];
  }

  shift(): void {
    this.spoken = false;
    this.#from++;
    if (this.#from > 64 && this.#from * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#from);
      this.#from = 0;
    }
  }

  /** Takes out what the server skips after an error: everything before the next Sync. */
  takeToSync(): Answer[] {
    const waiting = this.#items.slice(this.#from);
    const sync = waiting.findIndex((answer) => answer.kind === "sync");
    const skipped = sync < 0 ? waiting : waiting.slice(0, sync);
    this.#items = sync < 0 ? [] : waiting.slice(sync);
    this.#from = 0;
    this.spoken = false;
    return skipped;
  }

  /**
   * The server has begun to read COPY data for the head: it ignores the Syncs that were sent behind it, up to the data's
   * end (CopyGetData). Anything else ends the session, unless the COPY has failed before.
   */
  ignoreSyncs(): readonly SyncAnswer[] {
    let next = this.#from + 1;
    while (this.#items[next]?.kind === "sync") next++;
    return this.#items.splice(this.#from + 1, next - this.#from - 1) as SyncAnswer[];
  }

  /** It has ignored none of them after all. */
  heedSyncs(syncs: readonly SyncAnswer[]): void {
    this.#items.splice(this.#from + 1, 0, ...syncs);
  }

  /** The client has ended already the COPY data that the server reads for the head; Syncs are out of the way. */
  get copyEnded(): boolean {
    return this.#items[this.#from + 1]?.kind === "copy-end";
  }

  /** The server has read where the COPY data ends. The head may go on to another's. */
  endCopy(): void {
    if (this.copyEnded) this.#items.splice(this.#from + 1, 1);
  }

  /**
   * COPY data was ended behind an Execute and a Sync, and nobody knows yet whether the server reads any: then the Sync
   * is one it ignores, and what comes next is of the Execute's batch.
   */
  get endsUnsure(): boolean {
    let at = this.#items.length - 1;
    if (this.#items[at]?.kind !== "copy-end") return false;
    while (this.#items[at]?.kind === "copy-end") at--;
    const syncs = at;
    while (at >= this.#from && this.#items[at]?.kind === "sync") at--;
    return at < syncs && at >= this.#from && this.#items[at]?.kind === "execute";
  }

  /** Whether anything is to be done between the head and the next Sync. */
  get goOn(): boolean {
    for (let at = this.#from + 1; at < this.#items.length; at++) {
      const { kind } = this.#items[at]!;
      if (kind !== "copy-end") return kind !== "sync";
    }
    return false;
  }

  /** Nothing is due but the head, and the end of its COPY data. */
  get onlyCopies(): boolean {
    return this.#items.every(({ kind }, index) => index <= this.#from || kind === "copy-end");
  }
}
