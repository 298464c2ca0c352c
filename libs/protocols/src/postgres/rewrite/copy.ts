import { ByteReader, ByteWriter, MalformedBytes, TooLarge } from "#bytes";
import type { BulkColumn, BulkFormat } from "#commands";
import { SERVER } from "../codes.js";
import type { CopyResponse } from "../messages.js";
import { CsvRows } from "./copy-csv.js";
import { TextRows } from "./copy-text.js";
import { apply, HIDE } from "./masks.js";
import type { RowFormat } from "./row-format.js";

/** Cuts the data of a COPY TO STDOUT into rows and masks them; a row may come in any number of CopyData messages. */
export interface CopyMasker {
  /** Writes the rows that are complete, a CopyData message each. */
  push(data: Uint8Array, out: ByteWriter): void;
  /** The data is over. @throws MalformedBytes where a row is not. */
  end(): void;
  /** Values masked so far. */
  readonly masked: number;
}

export function copyMasker(
  response: CopyResponse,
  format: BulkFormat,
  columns: readonly BulkColumn[],
  limit: number,
): CopyMasker {
  // What the server says counts: a plan for another format, or for other columns, hides everything.
  const fitting =
    columns.length === response.columns ? columns : Array.from({ length: response.columns }, () => HIDDEN_COLUMN);
  if (response.format === "binary") return new BinaryCopy(fitting, limit);
  const rows = format.kind === "csv" ? new CsvRows(format) : new TextRows(format);
  return new RowCopy(rows, fitting, format.header === true, limit);
}

const HIDDEN_COLUMN: BulkColumn = { mask: HIDE, oid: 0 };

/** What has come and is not yet a whole row. Grows by doubling, so that many small pieces cost no more than few. */
class Pending {
  #bytes: Buffer = Buffer.alloc(0);
  /** `#bytes` is the caller's, so it is not written to. */
  #shared = false;
  length = 0;

  constructor(readonly limit: number) {}

  add(data: Uint8Array): Buffer {
    const size = this.length + data.length;
    if (this.length === 0) this.#bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
    else {
      if (size > this.#bytes.length || this.#shared) {
        const larger = Buffer.allocUnsafe(size * 2);
        this.#bytes.copy(larger, 0, 0, this.length);
        this.#bytes = larger;
      }
      this.#bytes.set(data, this.length);
    }
    this.#shared = this.length === 0;
    this.length = size;
    return this.#bytes;
  }

  /** Keeps what is not consumed. */
  keep(from: number): void {
    const left = this.length - from;
    if (left > this.limit) throw new TooLarge(left, this.limit);
    if (from > 0) {
      this.#bytes = this.#bytes.subarray(from);
      this.length = left;
    }
  }
}

class RowCopy implements CopyMasker {
  readonly #pending: Pending;
  #headers: number;
  masked = 0;

  constructor(
    readonly rows: RowFormat,
    readonly columns: readonly BulkColumn[],
    header: boolean,
    limit: number,
  ) {
    this.#pending = new Pending(limit);
    this.#headers = header ? 1 : 0;
  }

  push(data: Uint8Array, out: ByteWriter): void {
    const bytes = this.#pending.add(data);
    const length = this.#pending.length;
    let from = 0;
    for (;;) {
      const end = this.rows.end(bytes, from, length);
      if (end < 0) break;
      this.#row(bytes.subarray(from, end), out);
      from = end;
    }
    this.#pending.keep(from);
  }

  end(): void {
    if (this.#pending.length > 0) throw new MalformedBytes("COPY data ends inside a row");
  }

  #row(row: Uint8Array, out: ByteWriter): void {
    const start = out.length;
    out.uint8(SERVER.CopyData).int32(0);
    if (this.#headers > 0) {
      this.#headers--;
      out.bytes(row);
    } else this.masked += this.rows.mask(row, this.columns, out);
    out.setInt32(start + 1, out.length - start - 1);
  }
}

const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");

/** The binary format (manual, COPY, "Binary Format"): a header, tuples of counted fields, and a count of -1. */
class BinaryCopy implements CopyMasker {
  readonly #pending: Pending;
  #state: "header" | "tuples" | "over" = "header";
  masked = 0;

  constructor(
    readonly columns: readonly BulkColumn[],
    limit: number,
  ) {
    this.#pending = new Pending(limit);
  }

  push(data: Uint8Array, out: ByteWriter): void {
    const bytes = this.#pending.add(data);
    const length = this.#pending.length;
    let from = 0;
    for (;;) {
      const end = this.#state === "header" ? this.#header(bytes, length) : this.#end(bytes, from, length);
      if (end < 0) break;
      const start = out.length;
      out.uint8(SERVER.CopyData).int32(0);
      if (this.#state === "header" || end - from === 2) out.slice(bytes, from, end);
      else this.#tuple(bytes.subarray(from, end), out);
      out.setInt32(start + 1, out.length - start - 1);
      if (this.#state === "header") this.#state = "tuples";
      else if (bytes.readInt16BE(from) === -1) this.#state = "over";
      from = end;
    }
    this.#pending.keep(from);
  }

  end(): void {
    if (this.#pending.length > 0) throw new MalformedBytes("COPY data ends inside a tuple");
  }

  #header(bytes: Buffer, length: number): number {
    const fixed = SIGNATURE.length + 8;
    if (length < fixed) return -1;
    if (!bytes.subarray(0, SIGNATURE.length).equals(SIGNATURE)) throw new MalformedBytes("COPY data has no signature");
    const extension = bytes.readInt32BE(SIGNATURE.length + 4);
    if (extension < 0) throw new MalformedBytes("COPY data has a broken header");
    return length < fixed + extension ? -1 : fixed + extension;
  }

  #end(bytes: Buffer, from: number, length: number): number {
    if (this.#state === "over") {
      if (from < length) throw new MalformedBytes("COPY data goes on after its end");
      return -1;
    }
    if (length - from < 2) return -1;
    const count = bytes.readInt16BE(from);
    let at = from + 2;
    for (let field = 0; field < count; field++) {
      if (length - at < 4) return -1;
      const size = bytes.readInt32BE(at);
      if (size < -1) throw new MalformedBytes("COPY data has a field of negative length");
      at += 4 + Math.max(size, 0);
      if (at > length) return -1;
    }
    if (count < -1) throw new MalformedBytes("COPY data has a negative number of fields");
    return at;
  }

  #tuple(tuple: Uint8Array, out: ByteWriter): void {
    const reader = new ByteReader(tuple);
    const count = reader.int16();
    out.int16(count);
    for (let field = 0; field < count; field++) {
      const column = count === this.columns.length ? (this.columns[field] as BulkColumn) : HIDDEN_COLUMN;
      const size = reader.int32();
      const value = size < 0 ? null : reader.view(size);
      const shown = value && column.mask ? apply(column.mask, value, column.oid, "binary") : value;
      if (value && column.mask) this.masked++;
      if (shown) out.int32(shown.length).bytes(shown);
      else out.int32(-1);
    }
  }
}
