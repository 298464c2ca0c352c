import { Buffer } from "node:buffer";
import { TooLarge } from "./faults.js";
import { ByteReader } from "./reader.js";

/** How a protocol's frames begin. */
export interface FrameFormat {
  /** Bytes that must be there before the size is known. */
  readonly headerLength: number;
  /**
   * The size of the whole frame, header included, at least `headerLength`.
   * @throws MalformedBytes where no such frame can exist.
   */
  size(bytes: Uint8Array, at: number): number;
}

const SMALL = 1024;
const BLOCK = 16 * 1024;

const EMPTY = Buffer.alloc(0);

/**
 * Cuts a stream of chunks into frames. What is taken is contiguous and capped; what is passed is never gathered: its
 * bytes come out as they came in, also while the frame is not complete, neighbours in one piece.
 *
 * Use: `next()`, then `pass()` or `drop()` the frame, after a `read()` or the `whole()` of it where that is needed; `take()`
 * is the whole, dropped. `passed()` gives what may leave. Chunks are kept until consumed and views of them are given out:
 * the caller must not reuse them.
 */
export class FrameAssembler {
  readonly #format: FrameFormat;
  readonly #limit: number;
  readonly #scratch: Buffer;
  readonly #reader = new ByteReader(EMPTY);
  /** Chunks that are not consumed; the first from `#at` on. */
  #chunks: Uint8Array[] = [];
  #at = 0;
  #available = 0;
  /** Of a frame that is passed or dropped, what has not come yet. */
  #toPass = 0;
  #dropping = false;
  #size = 0;
  /** What is passed and not yet given out: pieces, which mostly is one, and a run of the first chunk. */
  #piece: Uint8Array | null = null;
  #pieces: Uint8Array[] = [];
  #runFrom = 0;
  /** Where small chunks are gathered; the last chunk, if it is such a gathering. */
  #block = EMPTY;
  #tail: Uint8Array | null = null;
  #tailEnd = 0;

  constructor(format: FrameFormat, limit: number) {
    this.#format = format;
    this.#limit = limit;
    this.#scratch = Buffer.alloc(format.headerLength);
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#available += chunk.length;
    if (this.#chunks.length > 0 && chunk.length < SMALL) this.#append(chunk);
    else this.#chunks.push(chunk);
  }

  /** A peer that sends a long frame in tiny pieces must not cost an object for each. */
  #append(chunk: Uint8Array): void {
    const last = this.#chunks.length - 1;
    if (this.#chunks[last] !== this.#tail || this.#tailEnd + chunk.length > this.#block.length) {
      this.#block = Buffer.allocUnsafe(BLOCK);
      this.#tailEnd = 0;
      this.#chunks.push(chunk);
    }
    this.#block.set(chunk, this.#tailEnd);
    this.#tailEnd += chunk.length;
    this.#tail = this.#block.subarray(0, this.#tailEnd);
    this.#chunks[this.#chunks.length - 1] = this.#tail;
  }

  /** Bytes held. */
  get buffered(): number {
    return this.#available;
  }

  /**
   * Looks at the next frame: its first byte, or -1 while its header is not complete.
   * @throws MalformedBytes from the format.
   */
  next(): number {
    if (this.#toPass > 0) this.#advance();
    if (this.#toPass > 0 || this.#available < this.#format.headerLength) return -1;
    const chunk = this.#chunks[0] as Uint8Array;
    if (chunk.length - this.#at >= this.#format.headerLength) {
      this.#size = this.#format.size(chunk, this.#at);
      return chunk[this.#at] as number;
    }
    this.#copy(this.#scratch, this.#format.headerLength);
    this.#size = this.#format.size(this.#scratch, 0);
    return this.#scratch[0] as number;
  }

  /** Part of a frame has been passed and the rest has not come: nothing can be put between. */
  get midway(): boolean {
    return this.#toPass > 0 && !this.#dropping;
  }

  /** After `next`: the size of that frame, header included. */
  get size(): number {
    return this.#size;
  }

  /** After `next`: lets the frame through, as far as it is here; the rest follows as it comes. */
  pass(): void {
    this.#dropping = false;
    this.#toPass = this.#size;
    this.#advance();
  }

  /** After `next`: lets the frame fall, as far as it is here; the rest falls as it comes. */
  drop(): void {
    this.#endRun();
    this.#dropping = true;
    this.#toPass = this.#size;
    this.#advance();
  }

  /** After `next`: the whole frame lies in one piece, in `chunk` from `at` on, and is within the limit. */
  get inOnePiece(): boolean {
    const size = this.#size;
    return size <= this.#limit && this.#available >= size && this.chunk.length - this.#at >= size;
  }

  get chunk(): Uint8Array {
    return this.#chunks[0] as Uint8Array;
  }

  get at(): number {
    return this.#at;
  }

  /**
   * After `next`: the whole frame, still to be passed or dropped, or null while it is not complete.
   * @throws TooLarge before anything is gathered.
   */
  whole(): Uint8Array | null {
    if (this.#size > this.#limit) throw new TooLarge(this.#size, this.#limit);
    if (this.#available < this.#size) return null;
    const chunk = this.#chunks[0] as Uint8Array;
    if (chunk.length - this.#at >= this.#size) return chunk.subarray(this.#at, this.#at + this.#size);
    const frame = Buffer.allocUnsafe(this.#size);
    this.#copy(frame, this.#size);
    return frame;
  }

  /**
   * After `next`: a reader of what is behind the frame's header, or null while the frame is not complete. It is the same one
   * each time, so it is read before the next is asked for.
   * @throws TooLarge before anything is gathered.
   */
  read(): ByteReader | null {
    const { headerLength } = this.#format;
    if (this.inOnePiece) {
      return this.#reader.over(this.chunk, this.#at + headerLength, this.#at + this.#size);
    }
    const frame = this.whole();
    return frame && this.#reader.over(frame, headerLength, this.#size);
  }

  /** `whole` and `drop`. */
  take(): Uint8Array | null {
    const frame = this.whole();
    if (frame) this.drop();
    return frame;
  }

  /** What was passed and not yet given out, in one piece where it lies in one; null where there is nothing. */
  passed(): Uint8Array | null {
    this.#endRun();
    const first = this.#piece;
    this.#piece = null;
    if (first === null || this.#pieces.length === 0) return first;
    const pieces = [first, ...this.#pieces];
    this.#pieces = [];
    return Buffer.concat(pieces);
  }

  /** Gives up everything that is left, as it is. */
  drain(): Uint8Array {
    this.#endRun();
    const first = this.#chunks[0];
    const rest = first ? [first.subarray(this.#at), ...this.#chunks.slice(1)] : [];
    this.#chunks = [];
    this.#at = this.#runFrom = this.#available = 0;
    return rest.length === 1 ? (rest[0] as Uint8Array) : Buffer.concat(rest);
  }

  /** Goes on with the frame that is passed or dropped, as far as its bytes are here. */
  #advance(): void {
    let left = Math.min(this.#toPass, this.#available);
    this.#toPass -= left;
    this.#available -= left;
    while (left > 0) {
      const chunk = this.#chunks[0] as Uint8Array;
      const step = Math.min(left, chunk.length - this.#at);
      this.#at += step;
      left -= step;
      if (this.#dropping) this.#runFrom = this.#at;
      if (this.#at === chunk.length) {
        this.#endRun();
        this.#chunks.shift();
        this.#at = this.#runFrom = 0;
      }
    }
  }

  #endRun(): void {
    const chunk = this.#chunks[0];
    if (chunk && this.#at > this.#runFrom) {
      const whole = this.#runFrom === 0 && this.#at === chunk.length;
      const piece = whole ? chunk : chunk.subarray(this.#runFrom, this.#at);
      if (this.#piece === null) this.#piece = piece;
      else this.#pieces.push(piece);
    }
    this.#runFrom = this.#at;
  }

  #copy(target: Buffer, count: number): void {
    let written = 0;
    for (let index = 0; written < count; index++) {
      const chunk = this.#chunks[index] as Uint8Array;
      const start = index === 0 ? this.#at : 0;
      const step = Math.min(count - written, chunk.length - start);
      target.set(chunk.subarray(start, start + step), written);
      written += step;
    }
  }
}
