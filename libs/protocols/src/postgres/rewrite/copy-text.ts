import { ByteWriter } from "#bytes";
import type { BulkColumn, BulkFormat } from "#commands";
import { apply, HIDE } from "./masks.js";
import type { RowFormat } from "./row-format.js";

const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
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

  constructor(format: BulkFormat) {
    this.#delimiter = (format.delimiter ?? "\t").charCodeAt(0);
    this.#null = Buffer.from(format.null ?? "\\N");
    const rewritten = new ByteWriter(this.#null.length);
    this.#escape(unescaped(this.#null), rewritten);
    this.#blurred = rewritten.take().equals(this.#null);
  }

  end(bytes: Uint8Array, from: number, length: number): number {
    const at = bytes.indexOf(NEWLINE, from);
    return at < 0 || at >= length ? -1 : at + 1;
  }

  mask(row: Uint8Array, columns: readonly BulkColumn[], out: ByteWriter): number {
    const fields = this.#fields(row);
    const fits = fields.length === columns.length;
    let masked = 0;
    for (const [index, field] of fields.entries()) {
      if (index > 0) out.uint8(this.#delimiter);
      const { mask, oid } = fits ? (columns[index] as BulkColumn) : { mask: HIDE, oid: 0 };
      if (!mask || (this.#null.equals(field) && !this.#blurred)) {
        out.bytes(field);
        continue;
      }
      masked++;
      const shown = this.#blurred ? null : apply(mask, unescaped(field), oid, "text");
      if (shown === null) out.bytes(this.#null);
      else this.#escape(shown, out);
    }
    out.uint8(NEWLINE);
    return masked;
  }

  #fields(row: Uint8Array): Uint8Array[] {
    const fields: Uint8Array[] = [];
    const end = row.length - 1;
    let start = 0;
    for (let at = 0; at < end; at++) {
      if (row[at] === BACKSLASH) at++;
      else if (row[at] === this.#delimiter) {
        fields.push(row.subarray(start, at));
        start = at + 1;
      }
    }
    fields.push(row.subarray(start, end));
    return fields;
  }

  #escape(value: Uint8Array, out: ByteWriter): void {
    for (const byte of value) {
      const letter = LETTERS.get(byte);
      if (byte === this.#delimiter && letter === undefined) out.uint8(BACKSLASH).uint8(byte);
      else if (letter !== undefined) out.uint8(BACKSLASH).uint8(letter);
      else if (byte === BACKSLASH) out.uint8(BACKSLASH).uint8(BACKSLASH);
      else out.uint8(byte);
    }
  }
}

function unescaped(field: Uint8Array): Uint8Array {
  if (!field.includes(BACKSLASH)) return field;
  const out = new ByteWriter(field.length);
  for (let at = 0; at < field.length; at++) {
    let byte = field[at] as number;
    if (byte === BACKSLASH && at + 1 < field.length) {
      byte = field[++at] as number;
      byte = ESCAPES.get(byte) ?? byte;
    }
    out.uint8(byte);
  }
  return out.take();
}
