import { type ByteWriter, MalformedBytes, TooLarge } from "#bytes";
import type { BulkColumn, BulkFormat, Hide } from "#commands";
import { SERVER } from "../codes.js";
import type { CopyResponse } from "../messages.js";
import { CsvRows } from "./copy-csv.js";
import { TextRows } from "./copy-text.js";
import { hideOf, toNull, writeHidden } from "./hide.js";
import type { RowFormat } from "./row-format.js";

/** Cuts the data of a COPY TO STDOUT into rows and masks them; a row may come in any number of CopyData messages. */
export interface CopyMasker {
  /** Takes `bytes[from, to)` of the data and writes the rows that are complete, a CopyData message each. */
  push(bytes: Uint8Array, from: number, to: number, out: ByteWriter): void;
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
  const type = response.format;
  const hides =
    columns.length === response.columns
      ? columns.map(({ mask, oid }) => hideOf(mask, { oid, format: type }))
      : Array.from({ length: response.columns }, () => toNull);
  if (response.format === "binary") return new BinaryCopy(hides, limit);
  const rows = format.kind === "csv" ? new CsvRows(format) : new TextRows(format);
  return new RowCopy(rows, hides, format.header === true, limit);
}

/** What has come and is not yet a whole row. Grows by doubling, so that many small pieces cost no more than few. */
class Pending {
  #bytes: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;

  constructor(readonly limit: number) {}

  get empty(): boolean {
    return this.#from === this.#to;
  }

  /** What has come before, and behind it `bytes[from, to)`. */
  with(bytes: Uint8Array, from: number, to: number): Buffer {
    const size = to - from;
    if (this.#to + size > this.#bytes.length) {
      const larger = Buffer.allocUnsafe((this.#to - this.#from + size) * 2);
      this.#to = this.#bytes.copy(larger, 0, this.#from, this.#to);
      this.#from = 0;
      this.#bytes = larger;
    }
    this.#bytes.set(bytes.subarray(from, to), this.#to);
    this.#to += size;
    return this.#bytes.subarray(this.#from, this.#to);
  }

  /** So much of it has been used. */
  used(size: number): void {
    this.#from += size;
    if (this.#to - this.#from > this.limit) throw new TooLarge(this.#to - this.#from, this.limit);
    if (this.empty) this.#from = this.#to = 0;
  }
}

/** COPY data as rows, whose messages need not be theirs. */
abstract class Rows implements CopyMasker {
  readonly #pending: Pending;
  masked = 0;

  constructor(limit: number) {
    this.#pending = new Pending(limit);
  }

  push(bytes: Uint8Array, from: number, to: number, out: ByteWriter): void {
    const pending = this.#pending;
    if (pending.empty) {
      // As it mostly is: a row a message.
      const at = this.#rows(bytes, from, to, out);
      if (at === to) return;
      pending.with(bytes, at, to);
      pending.used(0);
    } else {
      const all = pending.with(bytes, from, to);
      pending.used(this.#rows(all, 0, all.length, out));
    }
  }

  end(): void {
    if (!this.#pending.empty) throw new MalformedBytes("COPY data ends inside a row");
  }

  /** @returns behind the last row that is complete */
  #rows(bytes: Uint8Array, from: number, to: number, out: ByteWriter): number {
    let at = from;
    while (at < to) {
      const end = this.rowEnd(bytes, at, to);
      if (end < 0) break;
      const start = out.length;
      out.uint8(SERVER.CopyData).int32(0);
      this.write(bytes, at, end, out);
      out.setInt32(start + 1, out.length - start - 1);
      at = end;
    }
    return at;
  }

  /** Where the row that begins at `from` ends; -1 while it is not complete. */
  protected abstract rowEnd(bytes: Uint8Array, from: number, to: number): number;
  /** Writes the row that `rowEnd` has just found. */
  protected abstract write(bytes: Uint8Array, from: number, to: number, out: ByteWriter): void;
}

/** The formats whose rows are lines. */
class RowCopy extends Rows {
  #headers: number;

  constructor(
    readonly format: RowFormat,
    readonly hides: readonly (Hide | null)[],
    header: boolean,
    limit: number,
  ) {
    super(limit);
    this.#headers = header ? 1 : 0;
  }

  protected rowEnd(bytes: Uint8Array, from: number, to: number): number {
    return this.format.end(bytes, from, to);
  }

  protected write(bytes: Uint8Array, from: number, to: number, out: ByteWriter): void {
    if (this.#headers === 0) this.#mask(bytes, from, to, out);
    else {
      this.#headers--;
      out.slice(bytes, from, to);
    }
  }

  #mask(bytes: Uint8Array, from: number, to: number, out: ByteWriter): void {
    const { format, hides } = this;
    const { fieldEnds } = format;
    const fits = fieldEnds.length === hides.length;
    let copied = from;
    let start = from;
    for (let field = 0; field < fieldEnds.length; field++) {
      const end = fieldEnds[field]!;
      const hide = fits ? hides[field] : toNull;
      if (hide && !format.isNull(bytes, start, end)) {
        out.slice(bytes, copied, start);
        format.hideField(hide, bytes, start, end, out);
        this.masked++;
        copied = end;
      }
      start = end + 1;
    }
    out.slice(bytes, copied, to);
  }
}

const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");

/** The binary format (manual, COPY, "Binary Format"): a header, tuples of counted fields, and a count of -1. */
class BinaryCopy extends Rows {
  #state: "header" | "tuples" | "over" = "header";

  constructor(
    readonly hides: readonly (Hide | null)[],
    limit: number,
  ) {
    super(limit);
  }

  protected rowEnd(bytes: Uint8Array, from: number, to: number): number {
    if (this.#state === "over") throw new MalformedBytes("COPY data goes on after its end");
    return this.#state === "header" ? headerEnd(bytes, from, to) : tupleEnd(bytes, from, to);
  }

  protected write(bytes: Uint8Array, from: number, to: number, out: ByteWriter): void {
    const count = int16(bytes, from);
    if (this.#state === "tuples" && count >= 0) this.#tuple(bytes, from, to, count, out);
    else {
      this.#state = this.#state === "header" ? "tuples" : "over";
      out.slice(bytes, from, to);
    }
  }

  #tuple(bytes: Uint8Array, from: number, to: number, count: number, out: ByteWriter): void {
    const fits = count === this.hides.length;
    let copied = from;
    let at = from + 2;
    for (let field = 0; field < count; field++) {
      const size = int32(bytes, at);
      const value = at + 4;
      at = value + Math.max(size, 0);
      const hide = fits ? this.hides[field] : toNull;
      if (!hide || size < 0) continue;
      out.slice(bytes, copied, value - 4);
      writeHidden(hide, bytes, value, at, out);
      this.masked++;
      copied = at;
    }
    out.slice(bytes, copied, to);
  }
}

function headerEnd(bytes: Uint8Array, from: number, to: number): number {
  const fixed = SIGNATURE.length + 8;
  if (to - from < fixed) return -1;
  if (SIGNATURE.some((byte, at) => bytes[from + at] !== byte)) throw new MalformedBytes("COPY data has no signature");
  const extension = int32(bytes, from + SIGNATURE.length + 4);
  if (extension < 0) throw new MalformedBytes("COPY data has a broken header");
  const end = from + fixed + extension;
  return end > to ? -1 : end;
}

function tupleEnd(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < 2) return -1;
  const count = int16(bytes, from);
  if (count < -1) throw new MalformedBytes("COPY data has a negative number of fields");
  let at = from + 2;
  for (let field = 0; field < count; field++) {
    if (to - at < 4) return -1;
    const size = int32(bytes, at);
    if (size < -1) throw new MalformedBytes("COPY data has a field of negative length");
    at += 4 + Math.max(size, 0);
    if (at > to) return -1;
  }
  return at;
}

const int16 = (bytes: Uint8Array, at: number) => (((bytes[at]! << 8) | bytes[at + 1]!) << 16) >> 16;

const int32 = (bytes: Uint8Array, at: number) =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
