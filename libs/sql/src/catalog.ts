import type { ColumnRef } from "#commands";

/** What the server's system catalogs say about names. A snapshot: it never changes, a newer one has another version. */
export interface Catalog {
  /** Different for different content. */
  readonly version: string;
  /** Every schema, and whether who reads the catalog may use it: the server passes over one that it may not. */
  readonly schemas: ReadonlyMap<string, boolean>;
  /** By schema-qualified name, each part as stored (folded to lower case unless it was quoted). */
  relation(schema: string, name: string): Relation | undefined;
  relationByOid(oid: number): Relation | undefined;
  /** The relation whose row type has this pg_type OID. */
  relationByType(typeOid: number): Relation | undefined;
  /** Every function of that name, all overloads. */
  functions(schema: string, name: string): readonly RoutineFacts[];
  functionByOid(oid: number): RoutineFacts | undefined;
  /**
   * The keys a column's values are known to be of: itself where it is a primary or unique key alone, and what its
   * foreign keys refer to.
   */
  keysOf(column: ColumnRef): readonly ColumnRef[];
  /** Columns of a relation's unique indexes. */
  uniqueColumns(relation: Relation): readonly ColumnRef[];
  /** Functions behind the operators of that name that do not come with PostgreSQL. */
  operatorFunctions(name: string): readonly RoutineFacts[];
  /** Whether a text names a function that is `unsettling`. */
  unsettles(text: string): boolean;
  /** Functions that do not come with PostgreSQL and run when a value becomes one of a type of that name, or was one. */
  typeFunctions(name: string): readonly RoutineFacts[];
  /** Another where a domain, a cast, an operator or an event trigger, not PostgreSQL's own, is another. */
  readonly everywhere: string;
  /** Another where any function is that is not PostgreSQL's own. */
  readonly allFunctions: string;
}

export type RelationKind =
  | "table"
  | "partitioned"
  | "view"
  | "materialized"
  | "foreign"
  | "sequence"
  | "composite"
  | "index"
  | "toast";

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  /** By attnum, dropped ones left out. */
  readonly columns: readonly RelationColumn[];
  /** pg_get_viewdef of a view or materialized view; null otherwise, and for the system's own. */
  readonly definition: string | null;
  /** Whether rewrite rules other than a view's own say what writing to it does. */
  readonly rules: boolean;
  /** Ancestors and descendants by inheritance or partitioning: their rows are also this one's, or the reverse. */
  readonly family: readonly Relation[];
  /** Of the family those that this one's rows are also read from. */
  readonly ancestors: readonly Relation[];
  /** Triggers in force. */
  readonly triggers: readonly Trigger[];
  /** Functions, not PostgreSQL's own, of its defaults, checks, row security policies, index expressions, implicit casts. */
  readonly attached: readonly Attached[];
  /**
   * Another where a default, what a column is generated from, a constraint, a row security policy, a rule, an index, a
   * trigger, a parent or a bound of it is another.
   */
  readonly declared: string;
  /** Tables with a foreign key to this one. */
  readonly referencedBy: readonly Reference[];
}

export interface Attached {
  readonly routine: RoutineFacts;
  /** It runs when rows are read, too. */
  readonly onRead: boolean;
}

export interface Trigger {
  readonly name: string;
  readonly routine: RoutineFacts;
  readonly events: ReadonlySet<WriteEvent>;
}

export type WriteEvent = "insert" | "update" | "delete" | "truncate";

export interface Reference {
  readonly from: Relation;
  /** The columns of the referenced table. */
  readonly columns: readonly string[];
  /** Whether a delete, or an update of the columns, changes rows of `from`. */
  readonly onDelete: boolean;
  readonly onUpdate: boolean;
}

export interface RelationColumn {
  /** What RowDescription calls the column's attribute number. */
  readonly attnum: number;
  readonly name: string;
  readonly typeOid: number;
  readonly notNull: boolean;
  /** What it is computed from, where it is: COPY leaves it out unless it is named. */
  readonly generatedFrom: readonly ColumnRef[] | null;
  /** The one reference to this column: compared by identity within a catalog. */
  readonly ref: ColumnRef;
}

export interface RoutineFacts {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: "function" | "procedure" | "aggregate" | "window";
  readonly volatility: "immutable" | "stable" | "volatile";
  /** `internal`, `c`, `sql`, `plpgsql`, … */
  readonly language: string;
  /** Not part of PostgreSQL itself (extensions are not). */
  readonly userDefined: boolean;
  readonly returnsSet: boolean;
  readonly argumentCount: number;
  /** Names of the columns it returns as a row type, null where it returns one plain value or what it returns depends. */
  readonly columns: readonly string[] | null;
  /** What its one value is called, where its OUT argument has a name. */
  readonly valueName: string | null;
  /** Gives a row whose shape only a column definition list can tell. */
  readonly shapeless: boolean;
  /** Gives a row, or an array of them, where its arguments are such: `unnest`, `array_agg`, `json_populate_record`. */
  readonly passesRow: boolean;
  /** What it gives is certainly one column: see `isPlainType`. */
  readonly plain: boolean;
  /** pg_type OID of what it gives. */
  readonly returns: number;
  /** SECURITY DEFINER: the owner, with whose rights it runs; null where it runs with the caller's. */
  readonly definer: string | null;
  /** What of its text is known does not rule out that it leaves another search_path, role or cursor behind. */
  readonly unsettling: boolean;
  /** Another where what it runs is another; empty for PostgreSQL's own. */
  readonly digest: string;
  /** What a function in SQL or PL/pgSQL runs; null for any other, and where it cannot be read. */
  readonly body: RoutineBody | null;
}

export interface RoutineBody {
  /** Statements; of PL/pgSQL the block. */
  readonly text: string;
  /** Of PL/pgSQL what the block stands behind: `CREATE FUNCTION …` to its AS, with stand-ins for types. */
  readonly head: string | null;
  /** Of its input arguments, in their order; empty for one without a name. */
  readonly argumentNames: readonly string[];
  /** Its own search_path, where it sets one; `$user` not replaced. */
  readonly searchPath: readonly string[] | null;
}

/** What names in a statement mean in a session. */
export interface SqlContext {
  readonly catalog: Catalog;
  /**
   * Schemas in the order they are searched; `$user` stands for the role, and `pg_catalog` is searched first where it is not
   * named. Null where it is not known.
   */
  readonly searchPath: readonly string[] | null;
  /** Temporary relations of the session: they hide others of the same name. */
  readonly temporary?: readonly string[];
  /** The open transaction has changed searchPath or temporary: its end may take that back. */
  readonly provisional?: boolean;
  /** What RESET search_path goes back to; absent: `searchPath`. */
  readonly defaultPath?: readonly string[] | null;
  /** Whom `$user` stands for; null where it is not known. */
  readonly role?: string | null;
  /** The role is not whose rights the catalog tells. */
  readonly foreign?: boolean;
  /** Relations of these names that are the nearest on the path are gone: the names stand for what is behind them. */
  readonly gone?: readonly string[];
  /** Functions are called in the midst of code that may set the path. */
  readonly unsettled?: boolean;
}
