import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { Backlog } from "./backlog.js";
import { SpoolFull, SpoolUnwritable } from "./errors.js";
import { lockFolder } from "./lock.js";
import { writePositions } from "./positions.js";
import { type Damage, recover } from "./recovery.js";
import { FRAME_BYTES } from "./segment.js";
import { SegmentWriter } from "./segment-writer.js";

/** `os`: survives a killed process. `disk`: survives a power cut. */
export type Durability = "os" | "disk";

/**
 * - `nearly-full`: nothing that brings more should be begun.
 * - `full`: only records marked essential are taken, from a reserve.
 * - `failed`: the disk does not take what is written; it is tried again.
 */
export type SpoolState = "ok" | "nearly-full" | "full" | "failed";

export interface SpoolOptions {
  readonly folder: string;
  /** All segment files together, bytes. */
  readonly limitBytes?: number;
  readonly segmentBytes?: number;
  /** How long what is written may stay unsynced, ms. */
  readonly syncWithinMs?: number;
}

const MIB = 1 << 20;
const RETRY_MS = 500;
/** What nobody waits for is written with what somebody does, or after this. */
const WRITE_WITHIN_MS = 5;
/** A restart forgets at most this much of what was acknowledged, and sends it twice. */
const NOTE_WITHIN_MS = 500;

/** What an opening takes over from, for whoever has to know that the process is gone. */
export interface Replaced {
  readonly source: string;
  /** At least so many of its records are lost. */
  readonly lost: number;
  /** The newest of its records; 0 where nobody can tell. */
  readonly last: number;
}

/**
 * The enforcer's durable local log: append-only, one writer, records numbered densely from 1 within a source.
 *
 * Each opening is a source of its own, and only reads what those before it left. So a sequence number is never given
 * twice, whatever became of the files meanwhile: what is missing of them is missing, and hides nothing that comes after.
 *
 * `append` MUST be followed by `durable` before anything is done that the record stands for. A record MUST NOT leave
 * `read` before it is on disk. Nothing is freed but by `acknowledge`.
 */
export class Spool {
  /** Of the records that are appended. */
  readonly source = randomUUID() as string;
  /** What was found damaged or missing on opening. */
  readonly damage: readonly Damage[];
  /** The source before this one and those that were damaged; their records come first. */
  readonly replaced: readonly Replaced[];

  /** Of the openings before, oldest first, until they are safe elsewhere. */
  #earlier: Backlog[];
  readonly #own = new Backlog(this.source, [], 0, 0);
  readonly #writer: SegmentWriter;
  #bytes = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #waiting: { readonly sequence: number; resolve(): void; reject(error: Error): void }[] = [];
  #syncing = false;
  #syncTimer: NodeJS.Timeout | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #writeTimer: NodeJS.Timeout | null = null;
  #noteTimer: NodeJS.Timeout | null = null;
  #failure: SpoolUnwritable | null = null;
  /** After a failed fdatasync nobody knows what the disk has: only opening it anew tells. */
  #beyondRepair = false;
  #growth: (() => void) | null = null;
  #closed = false;

  /**
   * Takes no space: a full disk is found out by who appends.
   * @throws SpoolLocked if another process has the folder.
   * @throws SpoolUnwritable if the folder cannot be made or written.
   */
  static open(options: SpoolOptions): Spool {
    const { folder } = options;
    let unlock: (() => void) | null = null;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      unlock = lockFolder(folder);
      return new Spool(options, unlock);
    } catch (error) {
      unlock?.();
      throw (error as NodeJS.ErrnoException).code ? new SpoolUnwritable(folder, "open", error) : error;
    }
  }

  readonly #folder: string;
  readonly #limit: number;
  readonly #syncWithinMs: number;
  readonly #unlock: () => void;

  private constructor(options: SpoolOptions, unlock: () => void) {
    this.#folder = options.folder;
    this.#limit = options.limitBytes ?? 256 * MIB;
    this.#syncWithinMs = options.syncWithinMs ?? 50;
    this.#unlock = unlock;
    const { earlier, damage, order } = recover(options.folder);
    this.#earlier = [...earlier];
    this.damage = damage;
    this.replaced = replacedBy(earlier.at(-1), damage);
    const segmentLimit = options.segmentBytes ?? Math.min(8 * MIB, Math.floor(this.#limit / 16));
    this.#writer = new SegmentWriter(options.folder, order, this.#own, segmentLimit);
    this.#free();
  }

  /** The newest sequence given out. */
  get last(): number {
    return this.#writer.written + this.#pending.length;
  }

  /** What is to be shipped now: of the oldest source that has something left, else of this one. */
  get backlog(): Backlog {
    return this.#earlier.find(({ done }) => !done) ?? this.#own;
  }

  /** Records that are not safe elsewhere, of all sources. */
  get unacknowledged(): number {
    const earlier = this.#earlier.reduce((sum, { last, acknowledged }) => sum + Math.max(0, last - acknowledged), 0);
    return earlier + this.last - this.#own.acknowledged;
  }

  /** Bytes in segment files and waiting to be written. */
  get size(): number {
    return this.#bytes + this.#pendingBytes;
  }

  get state(): SpoolState {
    if (this.#failure) return "failed";
    if (this.size >= this.#limit * 0.9) return "full";
    return this.size >= this.#limit * 0.75 ? "nearly-full" : "ok";
  }

  /** Why the state is `failed`. */
  get failure(): Error | null {
    return this.#failure;
  }

  /**
   * Numbers the record and keeps it in memory; what is appended is written together before long, or at once by `durable`.
   * Essential records (ends and decisions) may use the last tenth of the space.
   * @param payload kept: it must not be changed any more.
   * @returns its sequence.
   * @throws SpoolFull
   */
  append(payload: Uint8Array, essential = false): number {
    if (this.#closed) throw new Error("the spool is closed");
    const bytes = FRAME_BYTES + payload.length;
    if (this.size + bytes > this.#limit * (essential ? 1 : 0.9)) throw new SpoolFull(this.#folder, this.#limit);
    this.#pending.push(payload);
    this.#pendingBytes += bytes;
    if (!this.#writeTimer) {
      this.#writeTimer = setTimeout(() => this.#flushQuietly(), WRITE_WITHIN_MS);
      this.#writeTimer.unref();
    }
    return this.last;
  }

  /**
   * Makes everything up to `sequence` durable. `os` is done when this returns. `disk` shares one fdatasync with all who
   * wait; the answer is undefined where there is nothing to wait for.
   * @throws SpoolUnwritable, also as a rejection.
   */
  durable(sequence: number, durability: Durability): Promise<void> | undefined {
    if (this.#writer.written < sequence) this.#flush();
    if (durability === "os" || this.#own.last >= sequence) return undefined;
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ sequence, resolve, reject });
      this.#sync();
    });
  }

  /** Calls `wake` whenever more can be read; one listener. */
  onReadable(wake: () => void): void {
    this.#growth = wake;
  }

  /** Everything of the source up to `sequence` is safe elsewhere: whole segments below it are deleted. */
  acknowledge(source: string, sequence: number): void {
    const { backlog } = this;
    if (backlog.source !== source || !backlog.acknowledge(sequence)) return;
    this.#free();
    this.#noteTimer ??= setTimeout(() => this.#note(), NOTE_WITHIN_MS).unref();
  }

  /**
   * Whoever has the records has gone back to `sequence`, of a backup: what is still here of what it acknowledged since is to
   * be shipped again. False where that is nothing.
   */
  goBack(source: string, sequence: number): boolean {
    const { backlog } = this;
    return backlog.source === source && backlog.goBack(sequence);
  }

  /** Writes and syncs what is left, and gives the folder back. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const timers = [this.#syncTimer, this.#retryTimer, this.#writeTimer, this.#noteTimer];
    for (const timer of timers) if (timer) clearTimeout(timer);
    try {
      this.#flush();
      await this.#writer.settled();
      this.#writer.seal();
      this.#reached(this.#writer.written);
    } catch (error) {
      this.#settle(new SpoolUnwritable(this.#folder, "sync", error));
      throw error;
    } finally {
      this.#note();
      this.#writer.close();
      this.#unlock();
    }
  }

  #flushQuietly(): void {
    this.#writeTimer = null;
    if (this.#closed) return;
    try {
      this.#flush();
    } catch {
      // Whoever needs the records durable is told when they ask; the state says it to all others.
    }
  }

  /** Writes what is pending at its place. After a failure the same bytes go to the same place again. */
  #flush(): void {
    if (this.#beyondRepair) throw this.#failure;
    if (this.#pending.length === 0) return;
    try {
      while (this.#pending.length > 0) this.#writeSome();
    } catch (error) {
      throw this.#fail("write", error);
    }
    this.#failure = null;
    if (!this.#syncTimer && !this.#closed) {
      this.#syncTimer = setTimeout(() => this.#sync(), this.#syncWithinMs);
      this.#syncTimer.unref();
    }
  }

  #writeSome(): void {
    if (this.#writer.full) this.#rotate();
    const count = this.#writer.write(this.#pending);
    const written = this.#pending;
    this.#pending = count === written.length ? [] : written.slice(count);
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += FRAME_BYTES + written[i]!.length;
    this.#bytes += bytes;
    this.#pendingBytes -= bytes;
  }

  #rotate(): void {
    try {
      this.#writer.seal();
    } catch (error) {
      this.#beyondRepair = true;
      throw error;
    }
    this.#reached(this.#writer.written);
    this.#writer.begin();
    this.#free();
  }

  /** One fdatasync at a time; who comes meanwhile shares the next. */
  #sync(): void {
    if (this.#syncTimer) clearTimeout(this.#syncTimer);
    this.#syncTimer = null;
    if (this.#syncing || this.#closed || this.#beyondRepair || this.#own.last >= this.#writer.written) return;
    const target = this.#writer.written;
    this.#syncing = true;
    this.#writer.sync((error) => {
      this.#syncing = false;
      if (error) {
        this.#beyondRepair = true;
        this.#settle(this.#fail("sync", error));
        return;
      }
      this.#reached(target);
      // What was written meanwhile has a timer, or had one that came too early.
      if (this.#waiting.length > 0 || !this.#syncTimer) this.#sync();
    });
  }

  /** Everything up to `sequence` is on disk. */
  #reached(sequence: number): void {
    if (sequence <= this.#own.last) return;
    const isFirst = this.#own.last === 0;
    this.#own.last = sequence;
    if (isFirst) this.#free();
    this.#settle(null);
  }

  #settle(error: Error | null): void {
    const waiting = this.#waiting;
    this.#waiting = error ? [] : waiting.filter(({ sequence }) => sequence > this.#own.last);
    for (const waiter of waiting) {
      if (error) waiter.reject(error);
      else if (waiter.sequence <= this.#own.last) waiter.resolve();
    }
    if (!error) this.#growth?.();
  }

  #fail(doing: string, cause: unknown): SpoolUnwritable {
    this.#failure = new SpoolUnwritable(this.#folder, doing, cause);
    if (!this.#retryTimer && !this.#beyondRepair && !this.#closed) {
      this.#retryTimer = setTimeout(() => {
        this.#retryTimer = null;
        this.#flushQuietly();
      }, RETRY_MS);
      this.#retryTimer.unref();
    }
    return this.#failure;
  }

  /** How far all sources are, for the next opening; failing that, something is sent twice. */
  #note(synced = false): boolean {
    if (this.#noteTimer) clearTimeout(this.#noteTimer);
    this.#noteTimer = null;
    const sources = this.#own.last > 0 ? [...this.#earlier, this.#own] : this.#earlier;
    const positions = sources.map(({ source, acknowledged, last }) => ({ source, acknowledged, last }));
    try {
      writePositions(this.#folder, positions, synced);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Deletes what is safe elsewhere, and counts what is left. A source before this one is noted until this one has a record
   * on disk: whoever opens the folder next must find out whose place it takes.
   */
  #free(): void {
    const needless = [...this.#earlier.flatMap((backlog) => backlog.cut(true)), ...this.#own.cut(false)];
    if (needless.length > 0) {
      // Before they go: what is missing and was not acknowledged counts as lost. A full disk takes it only afterwards.
      const noted = this.#note(true);
      for (const { path } of needless) rmSync(path, { force: true });
      if (!noted) this.#note(true);
    }
    if (this.#own.last > 0) this.#earlier = this.#earlier.filter(({ segments }) => segments.length > 0);
    const needed = [...this.#earlier, this.#own].flatMap(({ segments }) => segments);
    this.#bytes = needed.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

function replacedBy(previous: Backlog | undefined, damage: readonly Damage[]): readonly Replaced[] {
  const lost = new Map<string, number>();
  for (const { source, carriedOnAs, lost: count } of damage) {
    lost.set(source, count);
    if (carriedOnAs) lost.set(carriedOnAs, 0);
  }
  if (previous && !lost.has(previous.source)) lost.set(previous.source, 0);
  // What could be read of damaged files went on under other numbers.
  const isCarriedOver = (source: string) => damage.some((each) => each.source === source && each.keptIn !== null);
  const lastOf = (source: string) => (source === previous?.source && !isCarriedOver(source) ? previous.last : 0);
  return [...lost].map(([source, count]) => ({ source, lost: count, last: lastOf(source) }));
}
