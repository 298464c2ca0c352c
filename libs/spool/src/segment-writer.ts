import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Backlog, Segment } from "./backlog.js";
import { segmentName, syncFolder } from "./folder.js";
import { encodeFrame, encodeHeader, FRAME_BYTES, HEADER_BYTES, seedOf } from "./segment.js";

/** Beyond this no room is kept for the next write of the size. */
const LARGE_WRITE = 256 * 1024;
/**
 * Written ahead, so that records take the place of what the file has: to sync them the disk writes them and nothing of the
 * file system's own, which takes half as long.
 */
const ROOM = Buffer.alloc(512 * 1024);

/** Writes a source's records at the end of its newest segment. The first one is begun with the first record. */
export class SegmentWriter {
  #written = 0;
  #fd: number | null = null;
  /** Where the file ends: behind the records it has room, of zeros. */
  #room = HEADER_BYTES;
  /** What records are written from; used again each time. */
  #scratch = Buffer.alloc(0);
  #syncing: Promise<void> | null = null;
  readonly #seed: number;

  /** @param order of openings of the folder. */
  constructor(
    private readonly folder: string,
    private readonly order: number,
    private readonly backlog: Backlog,
    private readonly segmentLimit: number,
  ) {
    this.#seed = seedOf(backlog.source);
  }

  /** The last record that is in a file. */
  get written(): number {
    return this.#written;
  }

  /** The newest segment has its size: the next is to be begun. */
  get full(): boolean {
    return this.#fd === null || this.#newest.bytes >= this.segmentLimit;
  }

  get #newest(): Segment {
    return this.backlog.segments.at(-1)!;
  }

  /** Ends the newest segment with its last record and syncs it. */
  seal(): void {
    if (this.#fd === null) return;
    ftruncateSync(this.#fd, this.#newest.bytes);
    fdatasyncSync(this.#fd);
    this.#room = this.#newest.bytes;
  }

  /** Begins the next segment, where the one before is sealed. */
  begin(): void {
    const { source, segments } = this.backlog;
    const first = this.#written + 1;
    const path = join(this.folder, segmentName(this.order, source, first));
    const fd = openSync(path, "w+", 0o600);
    try {
      writeSync(fd, encodeHeader({ source, replaces: null, first }), 0, HEADER_BYTES, 0);
      ftruncateSync(fd, HEADER_BYTES);
      syncFolder(this.folder);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.close();
    this.#fd = fd;
    this.#room = HEADER_BYTES;
    segments.push({ path, first, last: first - 1, bytes: HEADER_BYTES, seed: this.#seed });
  }

  /**
   * Writes the first of the payloads, as many as the segment has place for and at least one. After a failure the same
   * bytes go to the same place again.
   * @returns how many.
   */
  write(payloads: readonly Uint8Array[]): number {
    const newest = this.#newest;
    const place = this.segmentLimit - newest.bytes;
    let count = 0;
    let bytes = 0;
    for (const payload of payloads) {
      const size = FRAME_BYTES + payload.length;
      if (count > 0 && bytes + size > place) break;
      bytes += size;
      count++;
    }
    if (newest.bytes + bytes > this.#room) this.#makeRoom(newest.bytes + bytes);
    const buffer = this.#scratchOf(bytes);
    let at = 0;
    for (let i = 0; i < count; i++) at = encodeFrame(buffer, at, this.#written + 1 + i, payloads[i]!, this.#seed);
    for (let done = 0; done < bytes; ) done += writeSync(this.#fd!, buffer, done, bytes - done, newest.bytes + done);
    newest.bytes += bytes;
    newest.last += count;
    for (let i = 0; i < count; i++) this.backlog.recent.push({ sequence: ++this.#written, payload: payloads[i]! });
    return count;
  }

  /** Syncs the newest segment. One at a time. */
  sync(done: (error: Error | null) => void): void {
    this.#syncing = new Promise((settled) => {
      fdatasync(this.#fd!, (error) => {
        this.#syncing = null;
        done(error);
        settled();
      });
    });
  }

  /** Returns when nothing is being synced. */
  async settled(): Promise<void> {
    await this.#syncing;
  }

  /** Once it is not being synced any more. */
  close(): void {
    const fd = this.#fd;
    if (fd === null) return;
    this.#fd = null;
    const close = () => closeSync(fd);
    if (this.#syncing) this.#syncing.then(close, close);
    else close();
  }

  /** Behind where the next write ends; on a disk that is full it is for that write to find out. */
  #makeRoom(from: number): void {
    const size = Math.min(ROOM.length, this.segmentLimit - from);
    if (size <= 0) return;
    try {
      this.#room = from + writeSync(this.#fd!, ROOM, 0, size, from);
    } catch {
      this.#room = this.#newest.bytes;
    }
  }

  #scratchOf(bytes: number): Buffer {
    if (bytes > LARGE_WRITE) return Buffer.allocUnsafe(bytes);
    if (bytes > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(Math.min(2 * bytes, LARGE_WRITE));
    return this.#scratch;
  }
}
