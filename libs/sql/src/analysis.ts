import type { DoStmt, Node } from "libpg-query";
import type { ColumnRef, ColumnUse, SqlAction } from "#commands";
import type { BodyFindings, SharedFindings } from "./body-findings.js";
import type { Relation, RoutineFacts, SqlContext } from "./catalog.js";
import { Effects } from "./effects.js";
import { NameResolution } from "./name-resolution.js";
import { NotUnderstood } from "./parser/ast.js";
import type { PlpgsqlSource } from "./parser/parser.js";
import type { PlpgsqlBody } from "./plpgsql/body.js";
import type { Scope } from "./scope.js";
import { SECRET_COLUMNS, SYSTEM_SCHEMAS } from "./system-names.js";
import { type Column, NOTHING, type Row, type Trace, union } from "./trace.js";
import type { SessionEffect } from "./understanding.js";
import { type Against, AuthorsUses, NoUses, ORDER, type Use, Uses } from "./uses.js";
import type { View } from "./views.js";

/** What a view or a function is made of has to be parsed before the analysis can go on: parse it and start again. */
export class NeedsDefinition extends Error {
  constructor(
    readonly of: Defined,
    readonly source: string | PlpgsqlSource,
  ) {
    super("a definition has not been parsed yet");
  }
}

export type Defined = Relation | RoutineFacts | DoStmt;
/** Statements, as far as they have been parsed, or a body in PL/pgSQL; null where they could not be. */
export type Definition = readonly Node[] | PlpgsqlBody | null;
export interface Definitions {
  get(of: Defined): Definition | undefined;
}

/** The rules that call each other, so that each can stand in a file of its own. */
export interface Rules {
  query(analysis: Analysis, node: Node, scope: Scope): Row;
  expression(analysis: Analysis, node: Node, scope: Scope): Trace;
  condition(analysis: Analysis, node: Node, scope: Scope): Trace;
}

/** A value that is stored, by where to. */
export interface Stored extends Column {
  readonly target: string;
  readonly into: readonly ColumnRef[];
}

/** What is found of a query that is understood once, and counts wherever it is read. */
export interface Findings {
  readonly effects: Effects;
  /** Of functions it calls. */
  readonly parts: readonly Effects[];
  readonly stores: readonly Stored[];
  readonly uses: readonly ColumnUse[];
  readonly arrangedBy: readonly Trace[];
}

/** More than any statement a person or a program writes; what is past it is made to cost. Some tenths of a second. */
const STEPS = 100_000;

/** One statement being understood: what has been found of its effects so far. */
export class Analysis {
  readonly names: NameResolution;
  effects: Effects;
  readonly parts: Effects[] = [];
  readonly session: SessionEffect[] = [];
  readonly stores: Stored[] = [];
  /** What `$1` stands for. */
  parameters: Trace = NOTHING;
  /** And whether they are the same each time: constants and parameters of the command. */
  sameArguments = true;
  /** What rows of tables are kept apart by may have to do with a write further on. */
  asksBounds = false;
  /** Functions whose bodies are being understood. */
  readonly running = new Set<RoutineFacts>();
  /** How often one of them was called by itself. */
  recursions = 0;
  /** Of functions that have been called: by what they were given. */
  readonly bodies = new Map<RoutineFacts, Map<string, BodyFindings | null>>();
  /** Bodies were understood by the search_path in force. */
  followsPath = false;
  /** Code is run that is not read and could leave another search_path, role or cursor behind. */
  unsettles = false;
  /** By queries that have been understood: what their first column is called. */
  readonly firstOutputs = new WeakMap<Node, string | undefined>();
  /** By relations that have been read; null where what they select is not known. */
  readonly views = new Map<Relation, View | null>();
  private used = new Uses();
  private clause = "";
  private steps = 0;
  private memory = new Map<object, Map<string, unknown>>();
  private recorders: readonly Set<Trace>[] = [];
  private readonly arrangedBy: Trace[] = [];

  constructor(
    readonly context: SqlContext,
    private readonly definitions: Definitions,
    readonly rules: Rules,
    action: SqlAction,
    /** What statements before it have found of bodies. */
    readonly shared?: SharedFindings,
  ) {
    this.names = new NameResolution(context);
    this.effects = this.part(action);
  }

  query = (node: Node, scope: Scope): Row => this.rules.query(this, node, scope);
  expression = (node: Node | undefined, scope: Scope): Trace =>
    node === undefined ? NOTHING : this.rules.expression(this, node, scope);
  expressions = (nodes: readonly Node[] | undefined, scope: Scope): Trace[] =>
    (nodes ?? []).map((node) => this.rules.expression(this, node, scope));

  condition = (node: Node, scope: Scope): Trace => this.rules.condition(this, node, scope);

  /** What understanding has taken so far. */
  get cost(): number {
    return this.steps;
  }

  step(count = 1): void {
    this.steps += count;
    if (this.steps > STEPS) throw new NotUnderstood("it is too complex");
  }

  /** What has been found of a node of the statement, wherever it was asked before: else nesting costs exponentially. */
  remembered<T>(about: object, question: string, find: () => T): T {
    let answers = this.memory.get(about);
    if (!answers) this.memory.set(about, (answers = new Map()));
    if (!answers.has(question)) answers.set(question, find());
    return answers.get(question) as T;
  }

  /** Nodes mean something else while `run` runs than they did before: a body is called with other arguments each time. */
  afresh<T>(run: () => T): T {
    const { memory } = this;
    this.memory = new Map();
    try {
      return run();
    } finally {
      this.memory = memory;
    }
  }

  /** Opens a record of effects of its own, for a statement within the statement. */
  within<T>(action: SqlAction, run: () => T): T {
    const outer = this.effects;
    this.effects = this.part(action);
    try {
      return run();
    } finally {
      this.effects = outer;
    }
  }

  /** Whether a write is being understood, or may be: what its WHERE bounds is asked then. */
  get writing(): boolean {
    return this.asksBounds || this.parts.some((part) => WRITING.has(part.action));
  }

  /** Parsed statements of a view or function; null where they could not be. @throws NeedsDefinition */
  definition(of: Defined, text: string): readonly Node[] | null {
    return this.parsed(of, text) as readonly Node[] | null;
  }

  /** A body in PL/pgSQL; null where it could not be parsed. @throws NeedsDefinition */
  body(of: Defined, source: PlpgsqlSource): PlpgsqlBody | null {
    return this.parsed(of, source) as PlpgsqlBody | null;
  }

  private parsed(of: Defined, source: string | PlpgsqlSource): Definition {
    const known = this.definitions.get(of);
    if (known === undefined) throw new NeedsDefinition(of, source);
    return known;
  }

  /** Looks without leaving a trace: what `run` reads or calls has been noted, or will be. */
  trial<T>(run: () => T): T {
    const { effects: outer, recorders, unsettles } = this;
    const lengths = [this.parts, this.stores, this.session].map((list) => [list, list.length] as const);
    this.effects = new Effects("sql:select");
    this.recorders = [];
    try {
      return this.using(new NoUses(), run);
    } finally {
      this.effects = outer;
      this.recorders = recorders;
      this.unsettles = unsettles;
      for (const [list, length] of lengths) list.length = length;
    }
  }

  private part(action: SqlAction): Effects {
    const effects = new Effects(action);
    this.parts.push(effects);
    return effects;
  }

  /** Notes that a column's values are looked at. */
  reads(trace: Trace): Trace {
    for (const source of trace.sources) {
      this.effects.columnsRead.add(columnText(source));
      if (isSecret(source)) this.effects.extra("sql:system", `${source.schema}.${source.table}`);
    }
    this.records(trace);
    return trace;
  }

  /** What is told to `allReads`. */
  records(trace: Trace): void {
    for (const recorder of this.recorders) recorder.add(trace);
  }

  get uses(): readonly ColumnUse[] {
    return this.used.list;
  }

  /** What values decide while `run` runs is noted in `uses`. */
  using<T>(uses: Uses, run: () => T): T {
    const { used } = this;
    this.used = uses;
    try {
      return run();
    } finally {
      this.used = used;
    }
  }

  /** Whether who asks gives the arguments of functions that are called here. */
  get takesArguments(): boolean {
    return this.used.takesArguments;
  }

  /** Code that comes with the statement: what it asks is the asker's question, if it can be told. */
  own<T>(run: () => T): T {
    const uses = new Uses();
    const value = this.using(uses, run);
    this.used.add(uses.list);
    return value;
  }

  /** What is understood while `run` runs stands in this clause. */
  inClause<T>(clause: string, run: () => T): T {
    const outer = this.clause;
    this.clause = clause;
    try {
      return run();
    } finally {
      this.clause = outer;
    }
  }

  /** Notes that a value can be read from a relation's column afterwards. */
  stored(table: string, relation: Relation | null, column: string, trace: Trace): void {
    this.stores.push({ name: column, target: `${table}.${column}`, into: into(table, relation, column), trace });
  }

  /** Notes that a value leaves for something that is no column: a file, a function. */
  given(target: string, { name, trace }: Column): void {
    this.stores.push({ name, target, into: [], trace });
  }

  /** Notes that a value decides something. */
  notes(trace: Trace, use: Use, by = "", against: Against = "text"): void {
    const leaks = trace.leaks && ![...trace.sources].some((source) => this.names.isNewcomer(source));
    this.used.note(leaks === trace.leaks ? trace : { ...trace, leaks }, { use, clause: this.clause, by, against });
    const grouped = use === ORDER.group || use === ORDER.distinct;
    if (grouped && this.used instanceof AuthorsUses) this.arranges(trace);
  }

  /**
   * Notes values that nobody asks about, and by which the server may put rows in order on its own: keys that it joins,
   * groups of a view. Where all rows are taken, it seldom does.
   */
  arranges(trace: Trace): void {
    this.arrangedBy.push(trace);
  }

  /** How many such values there are up to now. */
  get arranged(): number {
    return this.arrangedBy.length;
  }

  arrangedSince(since: number): readonly Trace[] {
    return this.arrangedBy.slice(since);
  }

  /** Rows since then are in an order that the text says, or all read before the first one is given. */
  settles(since: number): void {
    this.arrangedBy.length = since;
  }

  /** Only the first rows are asked for: an order by the values is what gives them soonest, and they tell it. */
  stopsEarly(since: number, clause: string): void {
    const values = new Set(this.arrangedSince(since));
    this.step(values.size);
    this.inClause(clause, () => {
      for (const trace of values) this.notes(trace, ORDER.sort, "the server's choice");
    });
  }

  /** What has been found of a view is done by whoever reads it. */
  finds({ effects, parts, stores, uses, arrangedBy }: Findings): void {
    this.used.add(uses);
    for (const trace of arrangedBy) this.arranges(trace);
    for (const table of effects.tablesRead) this.effects.tablesRead.add(table);
    this.effects.calls(effects);
    for (const part of parts) if (!this.parts.includes(part)) this.parts.push(part);
    for (const stored of stores) if (!this.stores.includes(stored)) this.stores.push(stored);
  }

  /** Everything looked at while `run` runs: what an EXISTS tells of. */
  allReads(run: () => void): Trace {
    const recorder = new Set<Trace>();
    const { recorders } = this;
    this.recorders = [...recorders, recorder];
    try {
      run();
    } finally {
      this.recorders = recorders;
    }
    return union(recorder);
  }
}

const WRITING: ReadonlySet<SqlAction> = new Set(["sql:insert", "sql:update", "sql:delete", "sql:merge"]);

/** Where labels protect what is stored: the column, and those its rows are read through. A view's are another's. */
function into(table: string, relation: Relation | null, column: string): readonly ColumnRef[] {
  if (column === "*") return [];
  if (relation) {
    const stores = ["table", "partitioned", "foreign"].includes(relation.kind);
    return (stores ? [relation, ...relation.ancestors] : []).map(({ schema, name }) => ({
      schema,
      table: name,
      column,
    }));
  }
  const [schema, name, ...more] = table.split(".");
  return schema && name && more.length === 0 ? [{ schema, table: name, column }] : [];
}

const columnText = (ref: ColumnRef): string => `${ref.schema}.${ref.table}.${ref.column}`;
const isSecret = ({ schema, table, column }: ColumnRef): boolean =>
  SYSTEM_SCHEMAS.has(schema) && (SECRET_COLUMNS[table]?.includes(column) ?? false);
