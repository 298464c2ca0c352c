import type { Node } from "libpg-query";
import type { ColumnRef, ColumnUse, SqlAction } from "#commands";
import type { Reference, Relation, RoutineFacts, SqlContext, WriteEvent } from "./catalog.js";
import { Effects } from "./effects.js";
import { functionEffect, UNKNOWN_FUNCTION } from "./functions.js";
import { NotUnderstood } from "./parser/ast.js";
import { isPlainType } from "./plain-types.js";
import { runBody } from "./routine-calls.js";
import type { Scope } from "./scope.js";
import { LEAKING_COLUMNS, READS_FILES, SECRET_COLUMNS } from "./system-names.js";
import { type Column, LEAK, NOTHING, type Row, type Trace, union } from "./trace.js";
import type { SessionEffect } from "./understanding.js";
import { type Against, AuthorsUses, NoUses, ORDER, type Use, Uses } from "./uses.js";

/** What a view or a function is made of has to be parsed before the analysis can go on: parse it and start again. */
export class NeedsDefinition extends Error {
  constructor(
    readonly of: Defined,
    readonly text: string,
  ) {
    super(`the definition of ${of.schema}.${of.name} has not been parsed yet`);
  }
}

export type Defined = Relation | RoutineFacts;
/** Statements, as far as they have been parsed; null where they could not be. */
export type Definitions = ReadonlyMap<Defined, readonly Node[] | null>;

/** The rules that call each other, so that each can stand in a file of its own. */
export interface Rules {
  query(analysis: Analysis, node: Node, scope: Scope): Row;
  expression(analysis: Analysis, node: Node, scope: Scope): Trace;
}

/** A value that is stored, by where to. */
export interface Stored extends Column {
  readonly target: string;
  readonly into: readonly ColumnRef[];
}

interface Expanded {
  readonly row: Row;
  readonly effects: Effects;
  /** Of functions it calls. */
  readonly parts: readonly Effects[];
  readonly stores: readonly Stored[];
  readonly uses: readonly ColumnUse[];
  readonly arrangedBy: readonly Trace[];
}

/** More than any statement a person or a program writes; what is past it is made to cost. Some tenths of a second. */
const STEPS = 100_000;

/** One statement being understood: what names mean, and what has been seen of its effects so far. */
export class Analysis {
  effects: Effects;
  readonly parts: Effects[] = [];
  readonly session: SessionEffect[] = [];
  readonly stores: Stored[] = [];
  readonly unknown = new Set<string>();
  /** What `$1` stands for. */
  parameters: Trace = NOTHING;
  /** And whether they are the same each time: constants and parameters of the command. */
  sameArguments = true;
  /** Functions whose bodies are being understood. */
  readonly running = new Set<RoutineFacts>();
  /** Bodies were understood by the search_path in force. */
  followsPath = false;
  /** By queries that have been understood: what their first column is called. */
  readonly firstOutputs = new WeakMap<Node, string | undefined>();
  private used = new Uses();
  private clause = "";
  private steps = 0;
  private readonly memory = new Map<object, Map<string, unknown>>();
  private searchPath: readonly string[];
  private temporary: ReadonlySet<string>;
  private readonly views = new Map<Relation, Expanded | null>();
  private readonly openRefs = new Map<string, ColumnRef>();
  /** Columns of relations that are not there yet, as far as the catalog knows. */
  private readonly newcomers = new Set<ColumnRef>();
  private readonly recorders: Set<Trace>[] = [];
  private readonly arrangedBy: Trace[] = [];

  constructor(
    readonly context: SqlContext,
    private readonly definitions: Definitions,
    readonly rules: Rules,
    action: SqlAction,
  ) {
    this.searchPath = context.searchPath;
    this.temporary = new Set(context.temporary);
    this.effects = this.part(action);
  }

  query = (node: Node, scope: Scope): Row => this.rules.query(this, node, scope);
  expression = (node: Node | undefined, scope: Scope): Trace =>
    node === undefined ? NOTHING : this.rules.expression(this, node, scope);
  expressions = (nodes: readonly Node[] | undefined, scope: Scope): Trace[] =>
    (nodes ?? []).map((node) => this.rules.expression(this, node, scope));

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

  /** Whether a write is being understood: what its WHERE bounds is asked then. */
  get writing(): boolean {
    return this.parts.some((part) => WRITING.has(part.action));
  }

  /** The schemas that are searched at this point. */
  get path(): readonly string[] {
    return this.searchPath;
  }

  /** The schemas a name is looked for in, in their order; temporary ones come first. */
  get searched(): readonly string[] {
    return this.searchPath.includes("pg_catalog") ? this.searchPath : ["pg_catalog", ...this.searchPath];
  }

  hasTemporary(name: string): boolean {
    return this.temporary.has(name);
  }

  /** Names mean what they mean to a function: by its own search_path or the session's. */
  named<T>(path: readonly string[] | null, run: () => T): T {
    const { searchPath, temporary } = this;
    this.searchPath = path ?? this.context.searchPath;
    this.temporary = new Set(this.context.temporary);
    try {
      return run();
    } finally {
      this.searchPath = searchPath;
      this.temporary = temporary;
    }
  }

  /** Parsed statements of a view or function; null where they could not be. @throws NeedsDefinition */
  definition(of: Defined, text: string): readonly Node[] | null {
    const known = this.definitions.get(of);
    if (known === undefined) throw new NeedsDefinition(of, text);
    return known;
  }

  /** Looks without leaving a trace: what `run` reads or calls has been noted, or will be. */
  trial<T>(run: () => T): T {
    const outer = this.effects;
    const lengths = [this.parts, this.stores, this.session].map((list) => [list, list.length] as const);
    this.effects = new Effects("sql:select");
    try {
      return this.using(new NoUses(), run);
    } finally {
      this.effects = outer;
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
    for (const recorder of this.recorders) recorder.add(trace);
    return trace;
  }

  // ---- what values are used for ----------------------------------------------------------------------------------

  get uses(): readonly ColumnUse[] {
    return this.used.list;
  }

  private using<T>(uses: Uses, run: () => T): T {
    const { used } = this;
    this.used = uses;
    try {
      return run();
    } finally {
      this.used = used;
    }
  }

  /** The body of a function: its author wrote it, and who calls it gives it arguments. */
  body<T>(run: () => T): T {
    const uses = new AuthorsUses(this.used.takesArguments);
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

  /** The values of `run` are the asker's own, whatever columns they are for: nothing is asked of what is stored. */
  ownValues<T>(run: () => T): T {
    return this.using(new NoUses(), run);
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
    // A relation the catalog does not know is one the server will not find, or one this transaction has made.
    const leaks = trace.leaks && ![...trace.sources].some((source) => this.newcomers.has(source));
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

  /** Rows since then are in an order that the text says, or all read before the first one is given. */
  settles(since: number): void {
    this.arrangedBy.length = since;
  }

  /** Only the first rows are asked for: an order by the values is what gives them soonest, and they tell it. */
  stopsEarly(since: number, clause: string): void {
    const values = new Set(this.arrangedBy.slice(since));
    this.step(values.size);
    this.inClause(clause, () => {
      for (const trace of values) this.notes(trace, ORDER.sort, "the server's choice");
    });
  }

  /** Everything looked at while `run` runs: what an EXISTS tells of. */
  allReads(run: () => void): Trace {
    const recorder = new Set<Trace>();
    this.recorders.push(recorder);
    try {
      run();
    } finally {
      this.recorders.pop();
    }
    return union(recorder);
  }

  // ---- relations -------------------------------------------------------------------------------------------------

  /** The relation a name means, or the name alone where nothing is known of it. */
  resolve(schema: string | undefined, name: string): { name: string; relation: Relation | null } {
    const { catalog } = this.context;
    if (schema !== undefined && schema !== "") {
      const relation = catalog.relation(schema, name) ?? null;
      if (!relation && schema !== "pg_temp") this.unknown.add(`${schema}.${name}`);
      return { name: `${schema}.${name}`, relation };
    }
    if (this.temporary.has(name)) return { name: `pg_temp.${name}`, relation: null };
    for (const searched of this.searched) {
      const relation = catalog.relation(searched, name);
      if (relation) return { name: `${searched}.${name}`, relation };
    }
    this.unknown.add(name);
    return { name, relation: null };
  }

  /** Notes that rows of a relation are read, and of those its rows come from. */
  readsRelation(name: string, relation: Relation | null): void {
    this.effects.tablesRead.add(name);
    const hidden = this.hiddenBy(name);
    if (hidden) this.readsRelation(relationText(hidden), hidden);
    for (const kin of relation?.family ?? []) this.effects.tablesRead.add(relationText(kin));
    if (!relation) return;
    if (READS_FILES.has(relation.name) && relation.schema === "pg_catalog") this.effects.extra("sql:system", name);
    for (const { routine, onRead } of relation.attached) if (onRead) this.attachedRuns(routine);
    const expanded = this.expanded(relation);
    if (!expanded) return;
    this.used.add(expanded.uses);
    for (const trace of expanded.arrangedBy) this.arranges(trace);
    for (const table of expanded.effects.tablesRead) this.effects.tablesRead.add(table);
    this.effects.calls(expanded.effects);
    for (const part of expanded.parts) if (!this.parts.includes(part)) this.parts.push(part);
    for (const stored of expanded.stores) if (!this.stores.includes(stored)) this.stores.push(stored);
  }

  writesRelation(name: string, relation: Relation | null): void {
    this.effects.tablesWritten.add(name);
    const hidden = this.hiddenBy(name);
    if (hidden) this.writesRelation(relationText(hidden), hidden);
    for (const kin of relation?.family ?? []) this.effects.tablesWritten.add(relationText(kin));
    if (!relation) return;
    for (const written of [relation, ...relation.family]) this.runsOnWrite(written);
    // Writing to pg_settings is SET, to pg_authid ALTER ROLE, and so on.
    if (SYSTEM_SCHEMAS.has(relation.schema)) this.effects.extra("sql:system", name);
    if (relation.name === "pg_settings") this.notes(LEAK, ORDER.plan, relation.name);
    if (relation.rules) this.effects.extra("sql:function_write", `rules of ${name}`);
    for (const table of this.expanded(relation)?.effects.tablesRead ?? []) {
      this.effects.tablesWritten.add(table);
      const [schema = "", below = ""] = splitName(table);
      const written = this.context.catalog.relation(schema, below);
      if (written) this.runsOnWrite(written);
    }
  }

  /** What the server runs besides when rows of a table are written, and the rows it takes along. */
  runsOnWrite(relation: Relation, events = EVENTS[this.effects.action] ?? []): void {
    if (events.length === 0) return;
    for (const { routine } of relation.attached) this.attachedRuns(routine);
    for (const { routine, events: on } of relation.triggers) {
      if (events.some((event) => on.has(event))) this.effects.code.triggers.add(`${routine.schema}.${routine.name}`);
    }
    if (events.includes("delete")) this.cascades(relation, ({ onDelete }) => onDelete);
  }

  /** Tables whose rows follow those of this one by foreign keys, and theirs. */
  cascades(relation: Relation, follows: (reference: Reference) => boolean): void {
    for (const reference of relation.referencedBy) {
      const table = relationText(reference.from);
      if (!follows(reference) || this.effects.tablesWritten.has(table)) continue;
      this.effects.tablesWritten.add(table);
      this.runsOnWrite(reference.from);
      this.cascades(reference.from, follows);
    }
  }

  /** The schema's own code: named, and with no action of its own, since whoever writes here cannot have made it. */
  private attachedRuns(routine: RoutineFacts): void {
    this.effects.runs(routine, functionEffect(routine).unread);
  }

  /** The columns of a relation, each with where its values come from. */
  relationRow(name: string, relation: Relation | null): Row {
    if (relation === null) return { columns: [], open: this.unknownRow(name) };
    const expanded = relation.definition === null ? undefined : this.expanded(relation);
    return {
      open: null,
      columns: relation.columns.map((column, i): Column => {
        this.step();
        const sources = new Set([column.ref]);
        for (const kin of relation.family) {
          const twin = kin.columns.find((c) => c.name === column.name);
          if (twin) sources.add(twin.ref);
        }
        const own: Trace = {
          sources,
          direct: true,
          leaks: leakingColumn(relation, column.name),
          typeOid: column.typeOid,
          fields: this.compositeFields(column.typeOid, sources),
          plain: isPlainType(column.typeOid),
          base: { table: name, column: column.name },
          everyRow: true,
        };
        if (expanded === undefined) return { name: column.name, trace: own };
        const defined = expanded?.row.columns[i]?.trace;
        if (!defined) return { name: column.name, trace: { ...own, direct: false, leaks: true } };
        const both = union([own, defined]);
        return {
          name: column.name,
          trace: {
            ...own,
            ...both,
            base: { ...own.base!, of: defined.base },
            direct: defined.direct,
            typeOid: own.typeOid,
          },
        };
      }),
    };
  }

  /** What a view selects, understood where nothing of the session's names has a say; null where that fails. */
  private expanded(relation: Relation): Expanded | null {
    if (relation.definition === null) return null;
    const known = this.views.get(relation);
    if (known !== undefined) return known;
    const [tree = null] = this.definition(relation, relation.definition) ?? [];
    // A view that leads back to itself finds this and is not known.
    this.views.set(relation, null);
    if (tree === null) return null;
    const { searchPath, temporary, effects } = this;
    this.searchPath = [];
    this.temporary = new Set();
    const own = new Effects("sql:select");
    this.effects = own;
    const kept = [this.parts, this.stores].map((list) => list.length);
    const before = this.arranged;
    // What is materialized has been asked when it was.
    const uses = relation.kind === "materialized" ? new NoUses() : new AuthorsUses(false);
    try {
      const row = this.using(uses, () =>
        this.query(tree, { names: { items: [], row: { columns: [], open: null } }, outer: null, ctes: new Map() }),
      );
      const fits = row.open === null && row.columns.length === relation.columns.length;
      const [parts, stores] = [this.parts.slice(kept[0]), this.stores.slice(kept[1])];
      const arrangedBy = relation.kind === "materialized" ? [] : [...new Set(this.arrangedBy.slice(before))];
      const expanded = fits ? { row, effects: own, parts, stores, uses: uses.list, arrangedBy } : null;
      this.views.set(relation, expanded);
      return expanded;
    } catch (error) {
      if (error instanceof NotUnderstood) return null;
      this.views.delete(relation);
      throw error;
    } finally {
      this.settles(before);
      this.searchPath = searchPath;
      this.temporary = temporary;
      this.effects = effects;
    }
  }

  /** Fields of a value of a row type, which show no more than the value does. */
  compositeFields(typeOid: number, sources: ReadonlySet<ColumnRef>): readonly Column[] | null {
    const relation = typeOid === 0 ? undefined : this.context.catalog.relationByType(typeOid);
    if (relation === undefined) return null;
    return relation.columns.map((c) => ({
      name: c.name,
      trace: { ...NOTHING, sources, typeOid: c.typeOid, plain: isPlainType(c.typeOid), everyRow: true },
    }));
  }

  /**
   * The relation behind a temporary one of its name. The temporary one may be gone (DROP, ON COMMIT DROP, DISCARD), and
   * the name mean this one again: both are meant.
   */
  private hiddenBy(name: string): Relation | null {
    if (!name.startsWith("pg_temp.")) return null;
    const own = name.slice("pg_temp.".length);
    if (!this.temporary.has(own)) return null;
    for (const schema of ["pg_catalog", ...this.searchPath]) {
      const relation = this.context.catalog.relation(schema, own);
      if (relation) return relation;
    }
    return null;
  }

  private unknownRow(name: string): Trace {
    const dot = name.indexOf(".");
    const known = this.openRefs.get(name);
    const ref = known ?? { schema: name.slice(0, Math.max(dot, 0)), table: name.slice(dot + 1), column: "*" };
    this.openRefs.set(name, ref);
    if (!/^pg_/.test(name)) this.newcomers.add(ref);
    return {
      ...NOTHING,
      sources: new Set([ref]),
      // What the session keeps in a temporary table has been decided on when it was stored.
      leaks: !name.startsWith("pg_temp.") || !this.temporary.has(name.slice(dot + 1)) || this.hiddenBy(name) !== null,
      direct: true,
      base: { table: name, column: "*" },
      everyRow: true,
    };
  }

  // ---- functions -------------------------------------------------------------------------------------------------

  /** Every function a name could mean; which of them it is depends on types. */
  routines(names: readonly string[]): readonly RoutineFacts[] {
    const { catalog } = this.context;
    const name = names.at(-1) ?? "";
    if (names.length > 1) return catalog.functions(names.at(-2) ?? "", name);
    return ["pg_catalog", ...this.searchPath].flatMap((schema) => catalog.functions(schema, name));
  }

  /**
   * Notes a call, and says what its value can show besides its arguments.
   * @param fixed whether each call in the statement has the same arguments.
   */
  calls(routines: readonly RoutineFacts[], spelled: string, args: Trace = NOTHING, fixed = false): Trace {
    if (routines.length === 0) {
      this.unknown.add(`${spelled}()`);
      this.effects.runsUnknown(spelled);
      this.effects.extra(UNKNOWN_FUNCTION.action!, spelled);
      return LEAK;
    }
    const values = [...new Set(routines)].map((routine) => this.runs(routine, args, fixed));
    return values.length === 1 ? values[0]! : union(values);
  }

  private runs(routine: RoutineFacts, args: Trace, fixed: boolean): Trace {
    const effect = functionEffect(routine);
    const value = effect.unread ? runBody(this, routine, args, fixed) : null;
    this.effects.runs(routine, effect.unread && value === null);
    if (value) return value;
    if (effect.action) this.effects.extra(effect.action, `${routine.schema}.${routine.name}`);
    return effect.leaks ? LEAK : NOTHING;
  }
}

const EVENTS: { readonly [K in SqlAction]?: readonly WriteEvent[] } = {
  "sql:insert": ["insert"],
  "sql:copy_in": ["insert"],
  "sql:update": ["update"],
  "sql:delete": ["delete"],
  "sql:merge": ["insert", "update", "delete"],
  "sql:truncate": ["truncate"],
};
const WRITING: ReadonlySet<SqlAction> = new Set(["sql:insert", "sql:update", "sql:delete", "sql:merge"]);
const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(["pg_catalog", "information_schema", "pg_toast"]);

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
const splitName = (name: string): [string, string] => {
  const dot = name.indexOf(".");
  return [name.slice(0, dot), name.slice(dot + 1)];
};
const relationText = (relation: Relation): string => `${relation.schema}.${relation.name}`;

function leakingColumn(relation: Relation, column: string): boolean {
  // pg_stat_statements lives wherever its extension was put.
  const columns = LEAKING_COLUMNS[relation.name];
  return columns !== undefined && (columns.includes("*") || columns.includes(column));
}
