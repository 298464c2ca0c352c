/** How one value is encoded; as `#commands` has it. */
export interface ValueType {
  /** PostgreSQL's type OID; 0 where unknown. */
  readonly oid: number;
  readonly format: "text" | "binary";
}

/** What hides the values of one output column; as `#commands` has it. */
export interface Mask {
  readonly labels: readonly string[];
  apply(value: Uint8Array, type: ValueType): Uint8Array | null;
}

/** What a label says of its transform; as `#commands` has it, its options not checked yet. */
export interface TransformSpec {
  readonly kind: string;
  readonly options: Readonly<Record<string, string>>;
}
