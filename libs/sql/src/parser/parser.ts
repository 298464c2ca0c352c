import { Worker } from "node:worker_threads";
import type { PlpgsqlBody } from "../plpgsql/body.js";
import type { Tree } from "./ast.js";

export interface ParserLimits {
  /** Milliseconds one text may take. */
  readonly timeLimitMs: number;
  readonly maxNodes: number;
  /** Levels of the tree. The analysis is recursive: this many must fit on the main thread's stack. */
  readonly maxDepth: number;
}

export type ParseAnswer = { readonly kind: "parsed"; readonly tree: Tree; readonly fingerprint: string } | Refused;
export type BodyAnswer = { readonly kind: "body"; readonly body: PlpgsqlBody } | Refused;

/** The parser refuses the text, or it is past a limit. */
interface Refused {
  readonly kind: "refused";
  readonly reason: string;
  readonly syntaxError?: SyntaxErrorPlace;
}

/** Code in PL/pgSQL. */
export interface PlpgsqlSource {
  /** What it stands behind in the statement that brings it: `DO`, or `CREATE FUNCTION …` to its AS. */
  readonly head: string;
  readonly text: string;
}

/** The text is not of the grammar, by any server's parser. */
interface SyntaxErrorPlace {
  /** Characters, from 1. */
  readonly position: number;
}

type Answer = ParseAnswer | BodyAnswer;
type FromWorker = { readonly kind: "ready" } | Answer;

interface Job {
  readonly source: string | PlpgsqlSource;
  readonly done: (answer: Answer) => void;
}

const STACK_MB = 64;
/** A thread and its WASM instance take some 20 ms; a busy machine much longer. */
const START_MS = 30_000;

/** What is longer waits for others of its kind only. */
const LONG = 16 * 1024;

/**
 * PostgreSQL's own parser, in a thread for ordinary texts and one for long ones, so that what takes or breaks the one
 * delays no ordinary text. A session asks for one text at a time, so in order of coming each has its turn.
 */
export class Parser {
  private readonly ordinary: Lane;
  private readonly long: Lane;

  constructor(limits: ParserLimits) {
    this.ordinary = new Lane(limits);
    this.long = new Lane(limits);
  }

  /** Never rejects. */
  parse(text: string): Promise<ParseAnswer> {
    return this.laneOf(text).parse(text, text) as Promise<ParseAnswer>;
  }

  /** What code in PL/pgSQL is made of, with every expression of SQL in it parsed. Never rejects. */
  parseBody(source: PlpgsqlSource): Promise<BodyAnswer> {
    return this.laneOf(source.text).parse(source.head + source.text, source) as Promise<BodyAnswer>;
  }

  private laneOf = (text: string): Lane => (text.length > LONG ? this.long : this.ordinary);

  async close(): Promise<void> {
    await Promise.all([this.ordinary.close(), this.long.close()]);
  }
}

/**
 * One thread, one text at a time in the order they came. A text that breaks the parser or takes too long costs that text
 * and its worker, never the next text. An idle one keeps no process alive.
 */
class Lane {
  private worker: Worker | null = null;
  private ready = false;
  private running: Job | null = null;
  private readonly waiting: Job[] = [];
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly limits: ParserLimits) {}

  /** @param text all of `source`. Never rejects. */
  parse(text: string, source: Job["source"]): Promise<Answer> {
    // The binding refuses an empty text with a plain Error, and text that is not well formed would be changed on its way.
    if (text === "") return Promise.resolve({ kind: "parsed", tree: { version: 0, stmts: [] }, fingerprint: "empty" });
    if (text.includes("\0")) return Promise.resolve({ kind: "refused", reason: "it contains a zero byte" });
    if (/\p{Surrogate}/u.test(text)) return Promise.resolve({ kind: "refused", reason: "it is not valid Unicode" });
    if (this.closed) return Promise.resolve({ kind: "refused", reason: "the parser is closed" });
    return new Promise((done) => {
      this.waiting.push({ source, done });
      this.next();
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    const worker = this.worker;
    this.replace("the parser is closed");
    for (const job of this.waiting.splice(0)) job.done({ kind: "refused", reason: "the parser is closed" });
    await worker?.terminate();
  }

  private next(): void {
    if (this.running !== null) return;
    const job = this.waiting.shift();
    if (job === undefined) return;
    this.running = job;
    this.worker ??= this.start();
    this.worker.ref();
    if (this.ready) this.send(job);
    else this.limit(START_MS, "the parser does not start");
  }

  private send(job: Job): void {
    const { timeLimitMs } = this.limits;
    this.limit(timeLimitMs, `the parser did not finish it in ${timeLimitMs} ms`);
    this.worker?.postMessage(job.source);
  }

  private limit(milliseconds: number, reason: string): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.replace(reason), milliseconds);
  }

  private start(): Worker {
    this.ready = false;
    const worker = new Worker(new URL("./parse-worker.cjs", import.meta.url), {
      resourceLimits: { stackSizeMb: STACK_MB },
      workerData: { maxNodes: this.limits.maxNodes, maxDepth: this.limits.maxDepth },
      // Nothing of this process is the parser's business.
      env: {},
      execArgv: [],
    });
    const current = () => worker === this.worker;
    worker.on("message", (message: FromWorker) => {
      if (!current()) return;
      if (message.kind === "ready") {
        this.ready = true;
        if (this.running) this.send(this.running);
        return;
      }
      worker.unref();
      this.finish(message);
    });
    worker.on("error", () => {
      if (current()) this.replace("it breaks the parser (too deeply nested or too complex)");
    });
    worker.on("exit", () => {
      if (current()) this.replace("it breaks the parser (too deeply nested or too complex)");
    });
    return worker;
  }

  /** Drops the worker with what it was doing. The next text starts another. */
  private replace(reason: string): void {
    const worker = this.worker;
    this.worker = null;
    this.ready = false;
    void worker?.terminate();
    this.finish({ kind: "refused", reason });
  }

  private finish(answer: Answer): void {
    clearTimeout(this.timer);
    const job = this.running;
    this.running = null;
    job?.done(answer);
    if (!this.closed) this.next();
  }
}
