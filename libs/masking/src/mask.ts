/** How one value is encoded; as `#commands` has it. */
export interface ValueType {
  /** PostgreSQL's type OID; 0 where unknown. */
  readonly oid: number;
  readonly format: "text" | "binary";
}

/** What hides the values of one output column; as `#commands` has it. */
export interface Mask {
  readonly labels: readonly string[];
  hide(type: ValueType): Hide;
}

/** Hides `source[from, to)` and writes what stands for it; false for SQL NULL; as `#commands` has it. */
export type Hide = (source: Uint8Array, from: number, to: number, out: Target) => boolean;

/** Where masked values are written; as `#commands` has it. */
interface Target {
  readonly length: number;
  bytes(value: Uint8Array): unknown;
  /** A buffer with at least `size` bytes from `length` on. */
  room(size: number): Uint8Array;
  /** So many bytes from `length` on have been written. */
  advance(size: number): unknown;
}

/** What a label says of its transform; as `#commands` has it, its options not checked yet. */
export interface TransformSpec {
  readonly kind: string;
  readonly options: Readonly<Record<string, string>>;
}
