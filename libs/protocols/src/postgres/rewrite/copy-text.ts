import { ByteWriter } from "#bytes";
import type { BulkFormat, Hide } from "#commands";
import { contains, same } from "./fields.js";
import { hidden } from "./hide.js";
import type { RowFormat } from "./row-format.js";

const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const BLANK = 0x20;
/** What COPY TO writes behind a backslash, and the byte it means (CopyAttributeOutText). */
const ESCAPES = new Map([
  [0x62 /* b */, 0x08],
  [0x66 /* f */, 0x0c],
  [0x6e /* n */, 0x0a],
  [0x72 /* r */, 0x0d],
  [0x74 /* t */, 0x09],
  [0x76 /* v */, 0x0b],
]);
const LETTERS = new Map([...ESCAPES].map(([letter, byte]) => [byte, letter]));

/** COPY's text format: a newline in a value is escaped, so a newline always ends a row. */
export class TextRows implements RowFormat {
  readonly #delimiter: number;
  readonly #null: Buffer;
  /**
   * A value can be written like NULL: whoever chose how NULL is written would learn which rows hold that very value. So
   * all that is masked is NULL then.
   */
  readonly #blurred: boolean;
  readonly fieldEnds: number[] = [];
  readonly #value = new ByteWriter();
  readonly #shown = new ByteWriter();

  constructor(format: BulkFormat) {
    this.#delimiter = (format.delimiter ?? "\t").charCodeAt(0);
    this.#null = Buffer.from(format.null ?? "\\N");
    const value = unescaped(this.#null, 0, this.#null.length, new ByteWriter());
    const rewritten = new ByteWriter();
    this.#escape(value.room(0), value.length, rewritten);
    this.#blurred = rewritten.take().equals(this.#null);
  }

  end(bytes: Uint8Array, from: number, to: number): number {
    const delimiter = this.#delimiter;
    const ends = this.fieldEnds;
    ends.length = 0;
    for (let at = from; at < to; at++) {
      const byte = bytes[at];
      if (byte === NEWLINE) {
        ends.push(at);
        return at + 1;
      }
      if (byte === delimiter) ends.push(at);
      else if (byte === BACKSLASH && bytes[at + 1] !== NEWLINE) at++;
    }
    return -1;
  }

  isNull(bytes: Uint8Array, from: number, to: number): boolean {
    return !this.#blurred && same(this.#null, bytes, from, to);
  }

  hideField(hide: Hide, bytes: Uint8Array, from: number, to: number, out: ByteWriter): void {
    const shown = this.#shown.cut(0);
    if (this.#blurred || !this.#hidden(hide, bytes, from, to, shown)) out.bytes(this.#null);
    else this.#escape(shown.room(0), shown.length, out);
  }

  #hidden(hide: Hide, bytes: Uint8Array, from: number, to: number, shown: ByteWriter): boolean {
    if (!contains(bytes, from, to, BACKSLASH)) return hidden(hide, bytes, from, to, shown);
    const value = unescaped(bytes, from, to, this.#value.cut(0));
    return hidden(hide, value.room(0), 0, value.length, shown);
  }

  #escape(value: Uint8Array, length: number, out: ByteWriter): void {
    for (let at = 0; at < length; at++) {
      const byte = value[at]!;
      const letter = byte < BLANK ? LETTERS.get(byte) : undefined;
      if (letter !== undefined) out.uint8(BACKSLASH).uint8(letter);
      else if (byte === this.#delimiter || byte === BACKSLASH) out.uint8(BACKSLASH).uint8(byte);
      else out.uint8(byte);
    }
  }
}

function unescaped(bytes: Uint8Array, from: number, to: number, out: ByteWriter): ByteWriter {
  for (let at = from; at < to; at++) {
    let byte = bytes[at]!;
    if (byte === BACKSLASH && at + 1 < to) {
      byte = bytes[++at]!;
      byte = ESCAPES.get(byte) ?? byte;
    }
    out.uint8(byte);
  }
  return out;
}
