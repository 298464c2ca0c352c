import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { ApiClient } from "../api-client.js";
import { type Context, MOST_LISTED, wholeNumber } from "../context.js";
import { type Entry, eventLine } from "../event-line.js";
import { CliFailure, EXIT } from "../failure.js";

interface Options {
  readonly follow?: boolean;
  readonly after: number;
  readonly limit?: number;
  readonly json?: boolean;
}

/** A followed stream shows a sign of life every 15 s. */
const SILENCE_MS = 45_000;
const LONGEST_PAUSE_MS = 10_000;
const LAST_INDEX = 999_999_999_999_999;

export function addEvents(program: Command, { client }: Context): void {
  program
    .command("events")
    .description("the audit log")
    .option("--follow", "go on with what happens; goes on after a lost connection too")
    .option("--after <n>", "only what comes after this index", wholeNumber(0, LAST_INDEX), 0)
    .option("--limit <n>", "at most this many", wholeNumber(1, MOST_LISTED))
    .option("--json", "one JSON object a line")
    .action(async (options: Options) => {
      const log = new Log(client(), options);
      if (options.follow) await log.follow();
      else await log.readOnce();
    });
}

/** Reads on from the last entry it has shown, so that none is missed or shown twice. */
class Log {
  private seen: number;
  private left: number;
  private away = false;

  constructor(
    private readonly client: ApiClient,
    private readonly options: Options,
  ) {
    this.seen = options.after;
    this.left = options.limit ?? Number.POSITIVE_INFINITY;
  }

  async readOnce(): Promise<void> {
    for (let before = -1; this.left > 0 && before !== this.seen; ) {
      before = this.seen;
      await this.read({ limit: Math.min(this.left, 1000) }, new AbortController());
    }
  }

  async follow(): Promise<void> {
    let pause = 250;
    while (this.left > 0) {
      const before = this.seen;
      try {
        const limit = Number.isFinite(this.left) ? this.left : undefined;
        await this.read({ follow: true, limit }, new AbortController());
      } catch (error) {
        // A key that is refused stays refused; what is away comes back.
        if (!(error instanceof CliFailure) || error.exitCode !== EXIT.unavailable) throw error;
        if (!this.away) process.stderr.write(`counterfoil: ${error.message}; trying again until it is back\n`);
        this.away = true;
      }
      if (this.left <= 0) return;
      pause = this.seen > before ? 250 : Math.min(pause * 2, LONGEST_PAUSE_MS);
      await sleep(pause);
    }
  }

  private async read(query: { follow?: boolean; limit?: number | undefined }, silence: AbortController): Promise<void> {
    const timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const { signal } = silence;
    try {
      const response = await this.client.send("GET", "/v1/events", { query: { ...query, after: this.seen }, signal });
      this.away = false;
      for await (const line of lines(response.body as ReadableStream<Uint8Array>)) {
        timer.refresh();
        if (line !== "") await this.show(line);
        if (this.left <= 0) return;
      }
    } catch (error) {
      if (error instanceof CliFailure) throw error;
      const after = `after entry ${this.seen}`;
      throw new CliFailure(`the connection broke ${after}`, EXIT.unavailable, `Go on with --after ${this.seen}.`);
    } finally {
      clearTimeout(timer);
    }
  }

  private async show(line: string): Promise<void> {
    const entry = JSON.parse(line) as Entry;
    if (entry.index !== this.seen + 1) {
      throw new CliFailure(`entry ${entry.index} came after ${this.seen}: the log has a gap`);
    }
    this.seen = entry.index;
    this.left -= 1;
    const text = this.options.json ? line : eventLine(entry);
    if (!process.stdout.write(`${text}\n`)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  }
}

/** Whole lines only: what a broken connection cut off is read again. */
async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
