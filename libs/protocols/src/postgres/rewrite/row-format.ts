import type { ByteWriter } from "#bytes";
import type { BulkColumn } from "#commands";

/** What a format must know of its rows. */
export interface RowFormat {
  /** Where the row that begins at `from` ends, its newline included; -1 while it is not complete. */
  end(bytes: Uint8Array, from: number, length: number): number;
  /** Writes the row masked. @returns how many values were. */
  mask(row: Uint8Array, columns: readonly BulkColumn[], out: ByteWriter): number;
}
