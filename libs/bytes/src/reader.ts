// The global of this name is an accessor, which costs a call each time.
import { Buffer } from "node:buffer";
import { MalformedBytes } from "./faults.js";

const NOTHING = new Uint8Array(0);

/** From here on the search of the platform is the faster one. */
const LONG = 64;
const SHORT = 32;

/**
 * Reads big-endian fields from a window of bytes and never past its end. Strings and byte runs are views or copies of
 * the window only.
 */
export class ByteReader {
  #bytes: Buffer;
  #at: number;
  #end: number;
  /** The short text it read last: mostly it is the next one too, and to make a text costs more than to compare. */
  #last = "";

  /** @param from where reading begins; at most the window's length. */
  constructor(bytes: Uint8Array, from = 0) {
    this.#bytes = bufferOf(bytes);
    this.#at = from;
    this.#end = bytes.length;
  }

  /** Reads another window from here on: `bytes[from, end)`. */
  over(bytes: Uint8Array, from: number, end: number): this {
    this.#bytes = bufferOf(bytes);
    this.#at = from;
    this.#end = end;
    return this;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  /** @throws MalformedBytes from here on, as every reading function does where the window ends too early. */
  uint8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  int16(): number {
    return (this.uint16() << 16) >> 16;
  }

  uint16(): number {
    const at = this.#take(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  int32(): number {
    const bytes = this.#bytes;
    const at = this.#take(4);
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  /** A view, not a copy. */
  view(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The bytes up to a NUL, which is consumed; a view. */
  untilNul(): Uint8Array {
    const start = this.#at;
    const end = this.#passNul();
    return end === start ? NOTHING : this.#bytes.subarray(start, end);
  }

  /** UTF-8 up to a NUL; broken sequences read as U+FFFD. */
  cstring(): string {
    const start = this.#at;
    return this.#text("utf8", start, this.#passNul());
  }

  /** The bytes up to a NUL as Latin-1, a character a byte; at most the first `most` of them. */
  latin1(most: number): string {
    const start = this.#at;
    const end = this.#passNul();
    return this.#text("latin1", start, Math.min(end, start + most));
  }

  /** Everything that is left; a view. */
  rest(): Uint8Array {
    return this.view(this.remaining);
  }

  /** Whether what is left is these bytes. */
  restIs(bytes: Uint8Array): boolean {
    if (bytes.length !== this.remaining) return false;
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== this.#bytes[this.#at + i]) return false;
    return true;
  }

  /** @throws MalformedBytes where something is left. */
  end(): void {
    if (this.#at !== this.#end) throw new MalformedBytes(`${this.remaining} bytes too many`);
  }

  #text(encoding: "utf8" | "latin1", start: number, end: number): string {
    if (end === start) return "";
    if (end - start > SHORT) return this.#bytes.toString(encoding, start, end);
    if (!this.#isLast(start, end)) this.#last = this.#bytes.toString(encoding, start, end);
    return this.#last;
  }

  /** In ASCII, which is the same in both encodings. */
  #isLast(start: number, end: number): boolean {
    const last = this.#last;
    if (last.length !== end - start) return false;
    for (let i = 0; i < last.length; i++) {
      const byte = this.#bytes[start + i]!;
      if (byte > 0x7f || byte !== last.charCodeAt(i)) return false;
    }
    return true;
  }

  #passNul(): number {
    let end = this.#at;
    for (const near = Math.min(this.#end, end + LONG); end < near; end++) {
      if (this.#bytes[end] === 0) {
        this.#at = end + 1;
        return end;
      }
    }
    end = this.#bytes.indexOf(0, end);
    if (end < 0 || end >= this.#end) throw new MalformedBytes("a string has no end");
    this.#at = end + 1;
    return end;
  }

  #take(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#end) {
      throw new MalformedBytes(`${length} bytes expected, ${this.remaining} left`);
    }
    this.#at = start + length;
    return start;
  }
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
