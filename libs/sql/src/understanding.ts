import type { BulkFormat, ColumnUse, NativeError, Operation, OutputColumn } from "#commands";

/** What a text does, as far as it can be known before it runs. Immutable and cached: never change one. */
export interface Understanding {
  readonly text: string;
  /** Of the whole text: same shape, same fingerprint; literals, spacing, case and comments do not count. */
  readonly fingerprint: string;
  /** In the order they run; empty for an empty text. */
  readonly statements: readonly StatementFacts[];
  /** The operations of all statements. */
  readonly operations: readonly Operation[];
  /** The uses of all statements. */
  readonly uses: readonly ColumnUse[];
  /** Why the text could not be understood, in sentences. Not empty: deny it. */
  readonly problems: readonly string[];
  /** Set where the server would refuse the text too, and how: the one of `problems`. */
  readonly error?: NativeError;
  /** Relations and functions (`name()`) the catalog does not know, `schema.name` or as spelled: refresh it on a miss. */
  readonly unknownNames: readonly string[];
  /** What names of relations without a schema were found to be by the search_path, `schema.name`. */
  readonly byPath: ReadonlyMap<string, string>;
}

export interface StatementFacts {
  /** The parser's node, such as `SelectStmt`. */
  readonly kind: string;
  readonly operations: readonly Operation[];
  /**
   * The columns of the rows it returns, in the order and number of RowDescription; null where it returns none. A last
   * one named `*` stands for columns that are not known: then any value could be in any of them. An
   * EXECUTE or FETCH returns what its statement or cursor returns: see `executes`, `fetches`.
   */
  readonly outputs: readonly TracedColumn[] | null;
  /** The columns that COPY … TO STDOUT sends; null for anything else. */
  readonly bulk: readonly TracedColumn[] | null;
  /** How `bulk` is written; null where there is none. */
  readonly bulkFormat: BulkFormat | null;
  /**
   * Values it stores where they can be read again, with where they come from; also those it gives another name (ALTER …
   * RENAME, SET SCHEMA) or leaves to code that is not read (CREATE TRIGGER, CREATE RULE).
   */
  readonly stores: readonly StoredColumn[];
  /** What it does with columns' values besides showing them, each once; what it stores is among it, as copies. */
  readonly uses: readonly ColumnUse[];
  /** Effects on the session that later statements depend on. */
  readonly session: readonly SessionEffect[];
}

/** An output column, and whether it may show values of tables that cannot be named. */
export interface TracedColumn extends OutputColumn {
  /**
   * Values of any column of the database could be in it: a statistics view, a function written in SQL, a relation the
   * catalog does not know. Mask it whole wherever a label is masked. A source whose column is `*` stands for every
   * column of its table.
   */
  readonly leaks: boolean;
  /** pg_type OID where the source is a column as it stands; 0 where unknown. */
  readonly typeOid: number;
}

/** A value that is stored: copying a labelled column elsewhere is for policy to decide. */
interface StoredColumn extends TracedColumn {
  /** `schema.table.column`; `*` for the column where it is not known; `file` or `program` for COPY … TO those. */
  readonly target: string;
}

/** In force once the server has confirmed the statement; undone with its transaction where PostgreSQL undoes it. */
export type SessionEffect =
  /** SQL PREPARE. `text` is the statement alone, as spelled. */
  | { readonly kind: "prepares"; readonly name: string; readonly text: string }
  /** SQL EXECUTE: does what the prepared statement does, besides what its own arguments do. */
  | { readonly kind: "executes"; readonly name: string }
  /** DEALLOCATE; null is ALL. */
  | { readonly kind: "deallocates"; readonly name: string | null }
  /** DECLARE CURSOR, and what a FETCH from it returns and does. */
  | {
      readonly kind: "declares";
      readonly cursor: string;
      readonly outputs: readonly TracedColumn[];
      readonly operations: readonly Operation[];
      /** WITH HOLD: it outlives its transaction. */
      readonly hold: boolean;
      /** A FETCH unsettles what names mean. */
      readonly unsettles?: true;
    }
  /** FETCH, or MOVE, which gives no rows. */
  | { readonly kind: "fetches"; readonly cursor: string; readonly gives: boolean }
  /** CLOSE; null is ALL. */
  | { readonly kind: "closes"; readonly cursor: string | null }
  /**
   * The search_path from now on; null is the session's default. Names are literal (`$user` stands for the role).
   * `local` ends with the transaction.
   */
  | { readonly kind: "searchPath"; readonly path: readonly string[] | null; readonly local: boolean }
  /** The role from now on; undefined is the session's own, null one that is not known, `none` whose session it is. */
  | { readonly kind: "role"; readonly role: string | null | undefined; readonly local: boolean }
  /**
   * Code ran that is not read and could have set the search_path or the role, or made another cursor of a known one: of
   * any but `cursor`, which ran it.
   */
  | { readonly kind: "unsettles"; readonly cursor?: string }
  /** A temporary relation or view now hides others of its name. */
  | { readonly kind: "createsTemporary"; readonly name: string }
  /** COMMIT, ROLLBACK, ROLLBACK TO: names may go back to what they meant before the transaction. */
  | { readonly kind: "endsTransaction" }
  /** Something the catalog describes has changed: load it again. */
  | {
      readonly kind: "changesCatalog";
      /** Names that may stand for something else until then: see `displacedBy`. */
      readonly displaces: readonly string[];
    }
  /** DISCARD ALL, which resets prepared statements, cursors, settings and temporary relations. */
  | { readonly kind: "discards" };
