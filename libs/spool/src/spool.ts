import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { SpoolFull, SpoolUnwritable } from "./errors.js";
import { lockFolder } from "./lock.js";
import { Recent } from "./recent.js";
import { type Damage, recover, type StoredSegment, segmentName, syncFolder, writeAcknowledged } from "./recovery.js";
import { encodeFrame, encodeHeader, FRAME_BYTES, type Frame, HEADER_BYTES, seedOf } from "./segment.js";
import { SegmentReader } from "./segment-reader.js";

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

interface Segment {
  readonly path: string;
  readonly first: number;
  last: number;
  bytes: number;
  /** Where the file ends: behind the records it has room, of zeros. */
  room: number;
  /** What its records' checksums begin with. */
  readonly seed: number;
}

const MIB = 1 << 20;
const RETRY_MS = 500;
/** What nobody waits for is written with what somebody does, or after this. */
const WRITE_WITHIN_MS = 5;
/** Beyond this no room is kept for the next write of the size. */
const LARGE_WRITE = 256 * 1024;
/**
 * Written ahead, so that records take the place of what the file has: to sync them the disk writes them and nothing of the
 * file system's own, which takes half as long.
 */
const ROOM = Buffer.alloc(512 * 1024);
/** Of records that are not shipped yet. */
const KEPT_IN_MEMORY = 4 * MIB;
/** A restart forgets at most this much of what was acknowledged, and sends it twice. */
const REMEMBER_WITHIN_MS = 500;

/**
 * The enforcer's durable local log: append-only, one writer, records numbered densely from 1 within a source.
 *
 * `append` MUST be followed by `durable` before anything is done that the record stands for. A record MUST NOT leave
 * `read` before it is on disk, so that a sequence number seen elsewhere never comes back with another record. Nothing
 * is freed but by `acknowledge`.
 */
export class Spool {
  /** UUID: with the sequence number it names a record for ever. */
  readonly source: string;
  /** Set where records were found damaged on opening. */
  readonly damage: Damage | null;

  #segments: Segment[];
  #fd: number;
  #written: number;
  #synced: number;
  #acknowledged: number;
  #bytes = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** What records are written from; used again each time. */
  #scratch = Buffer.alloc(0);
  readonly #recent = new Recent(KEPT_IN_MEMORY);
  readonly #reader = new SegmentReader();
  #waiting: { readonly sequence: number; resolve(): void; reject(error: Error): void }[] = [];
  #syncing: Promise<void> | null = null;
  #syncTimer: NodeJS.Timeout | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #writeTimer: NodeJS.Timeout | null = null;
  #acknowledgeTimer: NodeJS.Timeout | null = null;
  #failure: SpoolUnwritable | null = null;
  /** After a failed fdatasync nobody knows what the disk has: only opening it anew tells. */
  #beyondRepair = false;
  #growth: (() => void) | null = null;
  #closed = false;

  /**
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
  readonly #segmentLimit: number;
  readonly #syncWithinMs: number;
  readonly #unlock: () => void;

  private constructor(options: SpoolOptions, unlock: () => void) {
    this.#folder = options.folder;
    this.#limit = options.limitBytes ?? 256 * MIB;
    this.#segmentLimit = options.segmentBytes ?? Math.min(8 * MIB, Math.floor(this.#limit / 16));
    this.#syncWithinMs = options.syncWithinMs ?? 50;
    this.#unlock = unlock;
    const recovered = recover(options.folder);
    this.source = recovered.source;
    this.damage = recovered.damage;
    this.#segments = recovered.segments.map((segment: StoredSegment) => ({ ...segment, room: segment.bytes }));
    this.#written = this.#segments.at(-1)?.last ?? 0;
    this.#synced = this.#written;
    this.#acknowledged = Math.max(recovered.acknowledged, (this.#segments[0]?.first ?? 1) - 1);
    const active = this.#segments.at(-1);
    this.#fd = active ? openSync(active.path, "r+") : this.#createSegment(1);
    // What a killed process had written may not be on disk yet.
    fdatasyncSync(this.#fd);
    this.#bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
    this.#free();
  }

  /** The newest sequence given out. */
  get last(): number {
    return this.#written + this.#pending.length;
  }

  get acknowledged(): number {
    return this.#acknowledged;
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
    if (this.#written < sequence) this.#flush();
    if (durability === "os" || this.#synced >= sequence) return undefined;
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ sequence, resolve, reject });
      this.#sync();
    });
  }

  /** Records after `after` that are on disk, oldest first: at least one if there is one, else at most `limitBytes`. */
  async read(after: number, limitBytes = MIB): Promise<readonly Frame[]> {
    const first = after + 1;
    if (first > this.#synced) return [];
    const recent = this.#recent.take(first, this.#synced, limitBytes);
    if (recent) return recent;
    const segment = this.#segments.findLast((candidate) => candidate.first <= first);
    if (!segment) throw new RangeError(`sequence ${first} has been freed`);
    return this.#reader.read(segment, first, this.#synced, limitBytes);
  }

  /** Calls `wake` whenever more can be read; one listener. */
  onReadable(wake: () => void): void {
    this.#growth = wake;
  }

  /** Everything up to `sequence` is safe elsewhere: whole segments below it are deleted. */
  acknowledge(sequence: number): void {
    if (sequence <= this.#acknowledged) return;
    this.#acknowledged = Math.min(sequence, this.#synced);
    this.#free();
    if (this.#acknowledgeTimer) return;
    this.#acknowledgeTimer = setTimeout(() => this.#remember(), REMEMBER_WITHIN_MS);
    this.#acknowledgeTimer.unref();
  }

  /** Writes and syncs what is left, and gives the folder back. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const timers = [this.#syncTimer, this.#retryTimer, this.#writeTimer, this.#acknowledgeTimer];
    for (const timer of timers) if (timer) clearTimeout(timer);
    try {
      this.#remember();
      this.#flush();
      await this.#syncing;
      ftruncateSync(this.#fd, this.#segments.at(-1)!.bytes);
      fdatasyncSync(this.#fd);
      this.#synced = this.#written;
      this.#settle(null);
    } catch (error) {
      this.#settle(new SpoolUnwritable(this.#folder, "sync", error));
      throw error;
    } finally {
      closeSync(this.#fd);
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
    let active = this.#segments.at(-1)!;
    if (active.bytes >= this.#segmentLimit) {
      this.#rotate();
      active = this.#segments.at(-1)!;
    }
    const room = this.#segmentLimit - active.bytes;
    let count = 0;
    let bytes = 0;
    for (const payload of this.#pending) {
      const size = FRAME_BYTES + payload.length;
      if (count > 0 && bytes + size > room) break;
      bytes += size;
      count++;
    }
    if (active.bytes + bytes > active.room) this.#makeRoom(active, bytes);
    const buffer = this.#scratchOf(bytes);
    let at = 0;
    for (let i = 0; i < count; i++) at = encodeFrame(buffer, at, this.#written + 1 + i, this.#pending[i]!, active.seed);
    for (let done = 0; done < bytes; ) done += writeSync(this.#fd, buffer, done, bytes - done, active.bytes + done);
    active.bytes += bytes;
    active.last += count;
    this.#bytes += bytes;
    const written = this.#pending;
    this.#pending = count === written.length ? [] : written.slice(count);
    for (let i = 0; i < count; i++) this.#recent.push({ sequence: ++this.#written, payload: written[i]! });
    this.#pendingBytes -= bytes;
  }

  /** For so many bytes at the end of what is written, and more; on a disk that is full it is for them to find out. */
  #makeRoom(active: Segment, bytes: number): void {
    const size = Math.min(ROOM.length, this.#segmentLimit - active.bytes - bytes);
    if (size <= 0) return;
    const from = active.bytes + bytes;
    try {
      active.room = from + writeSync(this.#fd, ROOM, 0, size, from);
    } catch {
      active.room = active.bytes;
    }
  }

  #scratchOf(bytes: number): Buffer {
    if (bytes > LARGE_WRITE) return Buffer.allocUnsafe(bytes);
    if (bytes > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(Math.min(2 * bytes, LARGE_WRITE));
    return this.#scratch;
  }

  #rotate(): void {
    try {
      ftruncateSync(this.#fd, this.#segments.at(-1)!.bytes);
      fdatasyncSync(this.#fd);
    } catch (error) {
      this.#beyondRepair = true;
      throw error;
    }
    this.#synced = this.#written;
    const before = this.#fd;
    this.#fd = this.#createSegment(this.#written + 1);
    this.#bytes += HEADER_BYTES;
    const close = () => closeSync(before);
    if (this.#syncing) this.#syncing.then(close, close);
    else close();
    this.#free();
    this.#settle(null);
  }

  #createSegment(first: number): number {
    const path = join(this.#folder, segmentName(this.source, first));
    const fd = openSync(path, "w+", 0o600);
    try {
      writeSync(fd, encodeHeader({ source: this.source, replaces: null, first }), 0, HEADER_BYTES, 0);
      ftruncateSync(fd, HEADER_BYTES);
      syncFolder(this.#folder);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#segments.push({
      path,
      first,
      last: first - 1,
      bytes: HEADER_BYTES,
      room: HEADER_BYTES,
      seed: seedOf(this.source),
    });
    return fd;
  }

  /** One fdatasync at a time; who comes meanwhile shares the next. */
  #sync(): void {
    if (this.#syncTimer) clearTimeout(this.#syncTimer);
    this.#syncTimer = null;
    if (this.#syncing || this.#closed || this.#beyondRepair || this.#synced >= this.#written) return;
    const target = this.#written;
    this.#syncing = new Promise((done) => {
      fdatasync(this.#fd, (error) => {
        this.#syncing = null;
        if (error) {
          this.#beyondRepair = true;
          this.#settle(this.#fail("sync", error));
        } else {
          this.#synced = Math.max(this.#synced, target);
          this.#settle(null);
          // What was written meanwhile has a timer, or had one that came too early.
          if (this.#waiting.length > 0 || !this.#syncTimer) this.#sync();
        }
        done();
      });
    });
  }

  #settle(error: Error | null): void {
    const waiting = this.#waiting;
    this.#waiting = error ? [] : waiting.filter(({ sequence }) => sequence > this.#synced);
    for (const waiter of waiting) {
      if (error) waiter.reject(error);
      else if (waiter.sequence <= this.#synced) waiter.resolve();
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

  #remember(): void {
    this.#acknowledgeTimer = null;
    try {
      writeAcknowledged(this.#folder, this.source, this.#acknowledged);
    } catch {
      // Forgotten over a restart, it only means that something is sent twice.
    }
  }

  #free(): void {
    while (this.#segments.length > 1 && this.#segments[0]!.last <= this.#acknowledged) {
      const { path, bytes } = this.#segments[0]!;
      rmSync(path, { force: true });
      this.#segments.shift();
      this.#bytes -= bytes;
    }
  }
}
