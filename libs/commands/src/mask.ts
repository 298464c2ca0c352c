/** How one value is encoded: its type in the resource's terms and the format on the wire. */
export interface ValueType {
  /** For postgres the type's OID; 0 where unknown. */
  readonly oid: number;
  readonly format: "text" | "binary";
}

/** What hides the values of one output column. */
export interface Mask {
  readonly labels: readonly string[];
  /** How it hides values of one type. Asked once a description, so that a value costs no more than its bytes. */
  hide(type: ValueType): Hide;
}

/**
 * Hides `source[from, to)`, a value that is not NULL: writes behind `out` what stands for it, in the same type and format.
 * Changes nothing of the source, keeps nothing of it, and never throws: what cannot be transformed is hidden whole.
 *
 * @returns false for SQL NULL: then nothing is written
 */
export type Hide = (source: Uint8Array, from: number, to: number, out: MaskTarget) => boolean;

/** Where masked values are written, one behind the other. */
export interface MaskTarget {
  readonly length: number;
  bytes(value: Uint8Array): unknown;
  /** A buffer to write into directly, at least `size` bytes from `length` on, until the next call of anything here. */
  room(size: number): Uint8Array;
  /** So many bytes from `length` on have been written. */
  advance(size: number): unknown;
}

/** A column as the resource describes it. */
export interface DescribedColumn {
  readonly name: string;
  /** pg_class OID of the table it comes from, 0 for an expression. */
  readonly tableOid: number;
  /** pg_attribute attnum, 0 for an expression. */
  readonly attribute: number;
  readonly type: ValueType;
}

/**
 * What is to be hidden of everything a command gives back. Where nothing is, give `NOTHING_MASKED` itself: a protocol
 * recognises it and asks for no descriptions.
 */
export interface MaskPlan {
  /** The mask of each described column, or null where it passes. Called once a description. */
  columns(described: readonly DescribedColumn[]): readonly (Mask | null)[];
  /**
   * For bulk output that comes without a description (COPY), by position, or null where nothing is masked. Where it has other
   * columns than these, all is hidden: so with none, whatever comes.
   */
  readonly bulk: readonly BulkColumn[] | null;
  /** How `bulk` output is written; PostgreSQL's text format with its defaults where absent. */
  readonly bulkFormat?: BulkFormat;
  /**
   * For a command that holds several statements: the plan of one of them, by its position in the text, from 0. Its
   * `columns`, `bulk` and `bulkFormat` count for that statement; `scrubTexts` is this plan's. Absent: this plan is for
   * each of them.
   */
  statement?(position: number): MaskPlan;
  /** Whether errors, notices and other texts could carry a labelled value and lose their variable parts. */
  readonly scrubTexts: boolean;
}

export interface BulkColumn {
  readonly mask: Mask | null;
  /** The type's OID, for binary bulk formats. */
  readonly oid: number;
}

/** The options of a COPY that change how its rows are written (PostgreSQL manual, COPY). */
export interface BulkFormat {
  readonly kind: "text" | "csv" | "binary";
  /** One ASCII character; a tab in text, a comma in CSV, unless the statement says otherwise. */
  readonly delimiter?: string;
  /** What stands for NULL: `\N` in text, nothing in CSV, unless the statement says otherwise. */
  readonly null?: string;
  /** The first row names the columns. */
  readonly header?: boolean;
  /** CSV only: `"` unless the statement says otherwise. */
  readonly quote?: string;
  /** CSV only: the quote unless the statement says otherwise. */
  readonly escape?: string;
}

/** A plan that hides nothing. */
export const NOTHING_MASKED: MaskPlan = {
  columns: (described) => described.map(() => null),
  bulk: null,
  scrubTexts: false,
};
