import { ByteWriter } from "#bytes";
import type { BulkColumn, BulkFormat } from "#commands";
import { apply, HIDE } from "./masks.js";
import type { RowFormat } from "./row-format.js";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

interface Field {
  readonly raw: Uint8Array;
  readonly quoted: boolean;
}

/** COPY's CSV format: a newline inside quotes belongs to the value. */
export class CsvRows implements RowFormat {
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #escape: number;
  readonly #null: Buffer;

  constructor(format: BulkFormat) {
    this.#delimiter = (format.delimiter ?? ",").charCodeAt(0);
    this.#quote = (format.quote ?? '"').charCodeAt(0);
    this.#escape = (format.escape ?? format.quote ?? '"').charCodeAt(0);
    this.#null = Buffer.from(format.null ?? "");
  }

  end(bytes: Uint8Array, from: number, length: number): number {
    let inside = false;
    for (let at = from; at < length; at++) {
      const byte = bytes[at];
      if (inside && byte === this.#escape && this.#escape !== this.#quote) at++;
      else if (byte === this.#quote) inside = !inside;
      else if (byte === NEWLINE && !inside) return at + 1;
    }
    return -1;
  }

  mask(row: Uint8Array, columns: readonly BulkColumn[], out: ByteWriter): number {
    const fields = this.#fields(row);
    const fits = fields.length === columns.length;
    let masked = 0;
    for (const [index, field] of fields.entries()) {
      if (index > 0) out.uint8(this.#delimiter);
      const { mask, oid } = fits ? (columns[index] as BulkColumn) : { mask: HIDE, oid: 0 };
      if (!mask || (!field.quoted && this.#null.equals(field.raw))) {
        out.bytes(field.raw);
        continue;
      }
      masked++;
      const shown = apply(mask, field.quoted ? this.#unquoted(field.raw) : field.raw, oid, "text");
      if (shown === null) out.bytes(this.#null);
      else this.#write(shown, field.quoted, out);
    }
    out.uint8(NEWLINE);
    return masked;
  }

  #fields(row: Uint8Array): Field[] {
    const fields: Field[] = [];
    const end = row.length - 1;
    let start = 0;
    let inside = false;
    for (let at = 0; at < end; at++) {
      const byte = row[at];
      if (inside && byte === this.#escape && this.#escape !== this.#quote) at++;
      else if (byte === this.#quote) inside = !inside;
      else if (byte === this.#delimiter && !inside) {
        fields.push(this.#field(row.subarray(start, at)));
        start = at + 1;
      }
    }
    fields.push(this.#field(row.subarray(start, end)));
    return fields;
  }

  #field(raw: Uint8Array): Field {
    return { raw, quoted: raw.length >= 2 && raw[0] === this.#quote };
  }

  #unquoted(raw: Uint8Array): Uint8Array {
    const out = new ByteWriter(raw.length);
    for (let at = 1; at < raw.length - 1; at++) {
      if (raw[at] === this.#escape && at + 1 < raw.length - 1) at++;
      out.uint8(raw[at] as number);
    }
    return out.take();
  }

  #write(value: Uint8Array, quoted: boolean, out: ByteWriter): void {
    const special = [this.#delimiter, this.#quote, NEWLINE, RETURN].some((byte) => value.includes(byte));
    if (!quoted && !special && !this.#null.equals(value)) {
      out.bytes(value);
      return;
    }
    out.uint8(this.#quote);
    for (const byte of value) {
      if (byte === this.#quote || byte === this.#escape) out.uint8(this.#escape);
      out.uint8(byte);
    }
    out.uint8(this.#quote);
  }
}
