/** What masking must know of a PostgreSQL type. Values are in the encodings of the type's output and send functions. */
export interface PgType {
  readonly family: Family;
  /** A value that says nothing; null where no value is safe for every such type: SQL NULL then. */
  readonly neutral: Encoded | null;
  /** A literal as an operator writes it (UTF-8), encoded; null where it is none of this type. */
  readonly encode: ((literal: string) => Encoded | null) | null;
  /** Longest text in bytes, where the type has a limit of its own. */
  readonly maxBytes?: number;
}

/** Types whose values are hidden alike. `other` has nothing but its neutral value. */
export type Family = "text" | "padded" | "letter" | "bytea" | "uuid" | "int8" | "json" | "other";

/** One value in both formats. */
export interface Encoded {
  readonly text: Uint8Array;
  readonly binary: Uint8Array;
}
