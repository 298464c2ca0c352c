import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backlog, Spool, type SpoolOptions } from "./index.js";

/** A folder for each test, and the spools opened in it, which are closed behind it. */
export function inFolder() {
  let root = "";
  let opened: Spool[] = [];
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "spool-"));
    opened = [];
  });
  afterEach(async () => {
    for (const spool of opened) await spool.close().catch(() => {});
    rmSync(root, { recursive: true, force: true });
  });
  const folder = () => join(root, "s");
  return {
    root: () => root,
    folder,
    open: (options: Partial<SpoolOptions> = {}) => {
      const spool = Spool.open({ folder: folder(), ...options });
      opened.push(spool);
      return spool;
    },
    files: (of = folder()) => segmentFiles(of),
    newest: (of = folder()) => join(of, segmentFiles(of).at(-1)!),
  };
}

const segmentFiles = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".seg"))
    .sort();

export const record = (n: number, size = 20) => Buffer.from(`record ${n} `.padEnd(size, "."));
export const records = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => record(from + n).toString());

/** Appends the records and has them on disk. */
export async function write(spool: Spool, from: number, to = from): Promise<void> {
  for (let n = from; n <= to; n++) spool.append(record(n));
  await spool.durable(spool.last, "disk");
}

/** What a source has to be shipped. */
export async function everything(backlog: Backlog, after = backlog.acknowledged): Promise<string[]> {
  const all: string[] = [];
  for (let at = after; ; ) {
    const frames = await backlog.read(at, 500);
    if (frames.length === 0) return all;
    for (const { sequence, payload } of frames) {
      expect(sequence).toBe(++at);
      all.push(Buffer.from(payload).toString());
    }
  }
}

/** Takes records as the audit service does: each once, in the order of its source, without a gap. */
export class Audit {
  readonly taken: string[] = [];
  readonly #reached = new Map<string, number>();

  /** @returns what it acknowledges. */
  take(source: string, sequence: number, text: string): number {
    const reached = this.#reached.get(source) ?? 0;
    if (sequence > reached + 1) throw new Error(`${source}: ${sequence} behind ${reached}`);
    if (sequence <= reached) return reached;
    this.#reached.set(source, sequence);
    this.taken.push(text);
    return sequence;
  }

  /** All that the spool has on disk. */
  async takeFrom(spool: Spool): Promise<void> {
    for (let { backlog } = spool; !backlog.done; backlog = spool.backlog) {
      const { source } = backlog;
      let reached = 0;
      for (const { sequence, payload } of await backlog.read(backlog.acknowledged, 500)) {
        reached = this.take(source, sequence, Buffer.from(payload).toString());
      }
      spool.acknowledge(source, reached);
    }
  }
}
