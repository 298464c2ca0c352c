import { ByteWriter } from "#bytes";
import type { BulkFormat, Hide } from "#commands";
import { same } from "./fields.js";
import { hidden } from "./hide.js";
import type { RowFormat } from "./row-format.js";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** No byte. */
const NONE = -1;

/** COPY's CSV format: a newline inside quotes belongs to the value. */
export class CsvRows implements RowFormat {
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #escape: number;
  readonly #null: Buffer;
  readonly fieldEnds: number[] = [];
  readonly #value = new ByteWriter();
  readonly #shown = new ByteWriter();

  constructor(format: BulkFormat) {
    this.#delimiter = (format.delimiter ?? ",").charCodeAt(0);
    this.#quote = (format.quote ?? '"').charCodeAt(0);
    this.#escape = (format.escape ?? format.quote ?? '"').charCodeAt(0);
    this.#null = Buffer.from(format.null ?? "");
  }

  end(bytes: Uint8Array, from: number, to: number): number {
    const delimiter = this.#delimiter;
    const quote = this.#quote;
    /** Where it is the quote, it ends one part of a value and begins the next. */
    const escaping = this.#escape === quote ? NONE : this.#escape;
    const ends = this.fieldEnds;
    ends.length = 0;
    let inside = false;
    for (let at = from; at < to; at++) {
      const byte = bytes[at];
      if (inside && byte === escaping) at++;
      else if (byte === quote) inside = !inside;
      else if (inside) continue;
      else if (byte === NEWLINE) {
        ends.push(at);
        return at + 1;
      } else if (byte === delimiter) ends.push(at);
    }
    return -1;
  }

  /** It is not quoted: a value that is written like it is. */
  isNull(bytes: Uint8Array, from: number, to: number): boolean {
    return same(this.#null, bytes, from, to);
  }

  hideField(hide: Hide, bytes: Uint8Array, from: number, to: number, out: ByteWriter): void {
    const shown = this.#shown.cut(0);
    const quoted = to - from >= 2 && bytes[from] === this.#quote;
    if (!this.#hidden(hide, bytes, from, to, quoted, shown)) out.bytes(this.#null);
    else this.#write(shown.room(0), shown.length, out);
  }

  #hidden(hide: Hide, bytes: Uint8Array, from: number, to: number, quoted: boolean, shown: ByteWriter): boolean {
    if (!quoted) return hidden(hide, bytes, from, to, shown);
    const value = this.#value.cut(0);
    for (let at = from + 1; at < to - 1; at++) {
      if (bytes[at] === this.#escape && at + 1 < to - 1) at++;
      value.uint8(bytes[at]!);
    }
    return hidden(hide, value.room(0), 0, value.length, shown);
  }

  /**
   * Quoted for what is shown alone: that the server had quoted the value would tell whoever chose the delimiter, the quote
   * and how NULL is written what is in it.
   */
  #write(value: Uint8Array, length: number, out: ByteWriter): void {
    if (!this.#special(value, length) && !same(this.#null, value, 0, length)) {
      out.slice(value, 0, length);
      return;
    }
    out.uint8(this.#quote);
    for (let at = 0; at < length; at++) {
      const byte = value[at]!;
      if (byte === this.#quote || byte === this.#escape) out.uint8(this.#escape);
      out.uint8(byte);
    }
    out.uint8(this.#quote);
  }

  /** Whether a value has to be quoted for what is in it. */
  #special(value: Uint8Array, length: number): boolean {
    for (let at = 0; at < length; at++) {
      const byte = value[at];
      if (byte === this.#delimiter || byte === this.#quote || byte === NEWLINE || byte === RETURN) return true;
    }
    return false;
  }
}
