import type { ColumnUse } from "./column-use.js";

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
  readonly code: CodeFacts;
  /** The most rows it can return or change, where its text says so (a constant LIMIT, VALUES); else null. */
  readonly rowLimit: number | null;
  /** Whether a WHERE that is not a tautology limits what is written; true where the question does not arise. */
  readonly bounded: boolean;
}

/** What a policy may want to know of the code an operation runs: names of functions, `schema.name`. */
export interface CodeFacts {
  /** May change something, by the word of their author. */
  readonly volatile: readonly string[];
  /** Not part of the resource's own software. */
  readonly userDefined: readonly string[];
  /** Run with the rights of their owner. */
  readonly definer: readonly string[];
  /** What they do is not known: their code was not read. */
  readonly unread: readonly string[];
  /** Run as triggers of what is written. */
  readonly triggers: readonly string[];
}

/** An operation that calls nothing of note. */
export const NO_CODE: CodeFacts = { volatile: [], userDefined: [], definer: [], unread: [], triggers: [] };

/** An operation that touches nothing, to say only what it does besides. */
export const NOTHING_TOUCHED: Omit<Operation, "action"> = {
  tablesRead: [],
  tablesWritten: [],
  columnsRead: [],
  columnsWritten: [],
  functions: [],
  code: NO_CODE,
  rowLimit: null,
  bounded: true,
};

/** One operation request in a session, understood. */
export interface Command {
  /** The exact text. */
  readonly statement: string;
  readonly parameters: readonly Parameter[];
  /** Same shape, same fingerprint: literals and spacing do not count. */
  readonly fingerprint: string;
  readonly operations: readonly Operation[];
  /** What it does with columns' values besides showing them. */
  readonly uses: readonly ColumnUse[];
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
