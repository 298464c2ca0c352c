import type { DescribedColumn } from "#commands";

/**
 * What the conversation reads of a client's messages. Names of statements and portals are keys: see `nameKey` in the
 * decoder. A statement's text is null where it is not UTF-8.
 */
export interface Query {
  readonly text: string | null;
}

export interface Parse {
  readonly name: string;
  readonly text: string | null;
}

export interface Bind {
  readonly portal: string;
  readonly statement: string;
  readonly values: readonly WireValue[];
  readonly resultFormats: readonly Format[];
}

export interface Target {
  readonly kind: "statement" | "portal";
  readonly name: string;
}

export interface Execute {
  readonly portal: string;
  /** 0 for all. */
  readonly maxRows: number;
}

export interface FunctionCall {
  readonly oid: number;
  readonly values: readonly WireValue[];
  readonly resultFormat: Format;
}

export type Format = "text" | "binary";

/** A value as it travels; null for SQL NULL. */
export interface WireValue {
  readonly format: Format;
  readonly bytes: Uint8Array | null;
}

/** What the conversation reads of a server's messages. */
export interface CopyResponse {
  readonly format: Format;
  readonly columns: number;
}

export type RowDescription = readonly DescribedColumn[];

/** The fields of an ErrorResponse or NoticeResponse by their letter (manual, "Error and Notice Message Fields"). */
export type Fields = ReadonlyMap<string, string>;

export interface ParameterStatus {
  readonly name: string;
  readonly value: string;
}
