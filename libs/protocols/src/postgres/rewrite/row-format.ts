import type { ByteWriter } from "#bytes";
import type { Hide } from "#commands";

/** What a format must know of its rows. */
export interface RowFormat {
  /** Where the row that begins at `from` ends, its newline included; -1 while it is not complete. */
  end(bytes: Uint8Array, from: number, to: number): number;
  /** Where each field of the row that `end` has just found ends, its delimiter excluded. */
  readonly fieldEnds: readonly number[];
  /** Whether a field is NULL, and so nothing to be hidden. */
  isNull(bytes: Uint8Array, from: number, to: number): boolean;
  /** Writes a field with its value hidden. */
  hideField(hide: Hide, bytes: Uint8Array, from: number, to: number, out: ByteWriter): void;
}
