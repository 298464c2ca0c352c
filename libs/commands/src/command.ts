/** A value sent with a command. Text is UTF-8; binary is the protocol's own encoding. */
export type Parameter =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "binary"; readonly value: Uint8Array }
  | { readonly kind: "null" };

/** One thing a command does. A command is permitted only if each of its operations is. */
export interface Operation {
  /** A leaf of the protocol's action hierarchy, such as `sql:select` or `sql:drop_table`. */
  readonly action: string;
  /** Qualified names, `schema.table`; a name that resolves to nothing keeps the spelling of the statement. */
  readonly tablesRead: readonly string[];
  readonly tablesWritten: readonly string[];
  /** `schema.table.column`. */
  readonly columnsRead: readonly string[];
  readonly columnsWritten: readonly string[];
  readonly functions: readonly string[];
  /** Whether a WHERE that is not a tautology limits what is written; true where the question does not arise. */
  readonly bounded: boolean;
}

/** One operation request in a session, understood. */
export interface Command {
  /** The exact text. */
  readonly statement: string;
  readonly parameters: readonly Parameter[];
  /** Same shape, same fingerprint: literals and spacing do not count. */
  readonly fingerprint: string;
  readonly operations: readonly Operation[];
  /** How many statements the text holds. */
  readonly statementCount: number;
}

/** A column of the resource, and where its values come from when they are shown. */
export interface ColumnRef {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
}

/** Where one output column's values come from. */
export interface OutputColumn {
  readonly name: string;
  /** Every column whose values can be read from this output. */
  readonly sources: readonly ColumnRef[];
  /** The output is a source column as it stands, not an expression over it. */
  readonly direct: boolean;
}
