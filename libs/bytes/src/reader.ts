import { MalformedBytes } from "./faults.js";

const NOTHING = new Uint8Array(0);

/**
 * Reads big-endian fields from a window of bytes and never past its end. Strings and byte runs are views or copies of
 * the window only.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;

  /** @param from where reading begins; at most the window's length. */
  constructor(bytes: Uint8Array, from = 0) {
    this.#bytes = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = from;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws MalformedBytes from here on, as every reading function does where the window ends too early. */
  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
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
    return this.#bytes.toString("utf8", start, this.#passNul());
  }

  /** Everything that is left; a view. */
  rest(): Uint8Array {
    return this.view(this.remaining);
  }

  /** @throws MalformedBytes where something is left. */
  end(): void {
    if (this.remaining !== 0) throw new MalformedBytes(`${this.remaining} bytes too many`);
  }

  #passNul(): number {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new MalformedBytes("a string has no end");
    this.#at = end + 1;
    return end;
  }

  #take(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#bytes.length) {
      throw new MalformedBytes(`${length} bytes expected, ${this.remaining} left`);
    }
    this.#at = start + length;
    return start;
  }
}
