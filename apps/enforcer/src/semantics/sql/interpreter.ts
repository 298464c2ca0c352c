import { type NativeError, NO_CODE, NOTHING_TOUCHED, type Operation } from "#commands";
import type { Gate, Prepared } from "#protocols";
import {
  type Catalog,
  noSuchStatement,
  OTHER_TABLES,
  SEVERAL_IN_ONE,
  type SessionEffect,
  type SqlContext,
  type StatementFacts,
  type TracedColumn,
  type Understander,
  type Understanding,
} from "#sql";
import { after } from "../../pipeline/after.js";
import type { Understood } from "../semantics.js";
import { codeBehind } from "./code-behind.js";
import { doubtful, eitherOf } from "./doubtful-names.js";
import { differ, type Meaning, meaningOf, stillMeans } from "./kept-meanings.js";
import type { ResourceNames } from "./resource-catalogs.js";
import { cursorsAfter, type Names, type SessionNames } from "./session-names.js";

/** EXECUTE and FETCH are resolved to what they stand for. */
export interface UnderstoodSql extends Understood {
  readonly statements: readonly Pick<StatementFacts, "kind" | "outputs" | "bulk" | "bulkFormat">[];
  readonly unknownNames: readonly string[];
  readonly byPath: Understanding["byPath"];
  readonly effects: readonly Effect[];
}

/** A statement that is prepared is known from then on by what its names meant. */
type Effect =
  | Exclude<SessionEffect, { readonly kind: "prepares" }>
  | (Extract<SessionEffect, { readonly kind: "prepares" }> & { readonly prepared: Prepared });

/** A named portal's query. */
interface Bound extends Pick<UnderstoodSql, "operations" | "uses"> {
  readonly text: string;
  readonly outputs: readonly TracedColumn[];
  readonly unsettles?: undefined;
}

export interface InterpreterOptions {
  readonly understander: Understander;
  readonly names: SessionNames;
  /** What names mean to a fresh session; a promise where it is being loaded. */
  readonly fresh: () => ResourceNames | Promise<ResourceNames>;
  /** Loads the catalog anew, as a name is not known. */
  readonly miss: () => Promise<ResourceNames>;
  /** Names that the catalog may be wrong about. */
  readonly displaced: () => ReadonlySet<string>;
  /** A prepared statement of the session. */
  readonly prepared: (name: string) => Prepared | undefined;
  /** What a named portal of the session has passed as; undefined where that is not certain. */
  readonly bound: (name: string) => Gate | undefined;
}

/** Texts of a session that are known by themselves; of most there are few. */
const MOST_KNOWN = 64;
const LONGEST_KNOWN = 4_096;

/** Understands one session's commands. Synchronous for what has been seen before. */
export class Interpreter {
  #context: SqlContext | null = null;
  #contextOf: readonly [ResourceNames, object, boolean] | null = null;
  #path = "";
  /** What the session's texts mean in the context: of those that need nothing but it. */
  readonly #known = new Map<string, UnderstoodSql>();
  /** What named portals do, as it was when they were bound: the server reads them no more. */
  readonly #bound = new WeakMap<Gate, UnderstoodSql>();
  /** What commands were understood by. */
  readonly #understoodBy = new WeakMap<UnderstoodSql, Catalog>();

  constructor(private readonly options: InterpreterOptions) {}

  understand(gate: Gate): UnderstoodSql | Promise<UnderstoodSql> {
    const understood = this.#again(gate) ?? this.#anew(gate);
    if (gate.portal !== undefined) {
      if (understood instanceof Promise)
        void understood.then(
          (it) => this.#bound.set(gate, it),
          () => {},
        );
      else this.#bound.set(gate, understood);
    }
    if (!gate.prepared && !gate.again) return understood;
    return understood instanceof Promise ? understood.then((it) => this.#kept(gate, it)) : this.#kept(gate, understood);
  }

  /** What was prepared or bound must be to the server what it is here: that has settled its names before. */
  #kept(gate: Gate, understood: UnderstoodSql): UnderstoodSql {
    const meaning = meaningOf(understood, this.#path);
    gate.meaning = meaning;
    const { prepared, again } = gate;
    const same = again ? !differ(again.meaning as Meaning, meaning) : stillMeans(prepared!, meaning);
    if (same || understood.problems.length > 0) return understood;
    return { ...understood, problems: [OTHER_TABLES.message], error: OTHER_TABLES };
  }

  #again({ text, several, batch, functionOid }: Gate): UnderstoodSql | undefined {
    if (this.#known.size === 0 || functionOid !== undefined) return undefined;
    const { names, fresh, displaced } = this.options;
    if (!names.certain(batch) || displaced().size > 0) return undefined;
    const now = fresh();
    if (now instanceof Promise) return undefined;
    this.#contextFor(now);
    const known = this.#known.get(text);
    return known && (several || known.statementCount <= 1) ? known : undefined;
  }

  #anew(gate: Gate): UnderstoodSql | Promise<UnderstoodSql> {
    return after(this.options.names.settled(gate.batch), () =>
      after(this.options.fresh(), (names) =>
        after(this.#understand(gate, names), (understood) => {
          if (understood.unknownNames.length === 0) return understood;
          return after(this.options.miss(), (renewed) =>
            renewed.catalog === names.catalog ? understood : this.#understand(gate, renewed),
          );
        }),
      ),
    );
  }

  /** What stood behind its names when it was understood; null where that is not known. */
  codeBehind(understood: UnderstoodSql): string | null {
    const catalog = this.#understoodBy.get(understood);
    return catalog ? codeBehind(understood.operations, catalog) : null;
  }

  #understand(gate: Gate, names: ResourceNames): UnderstoodSql | Promise<UnderstoodSql> {
    const meant = after(this.#understandBy(gate, names), (understood) => this.#eitherWay(gate, names, understood));
    return after(meant, (understood) => {
      this.#understoodBy.set(understood, names.catalog);
      return understood;
    });
  }

  /** A name that was changed may still stand for what it did, or for what is behind that on the path: for both. */
  #eitherWay(gate: Gate, names: ResourceNames, understood: UnderstoodSql): UnderstoodSql | Promise<UnderstoodSql> {
    const gone = doubtful(understood, this.options.displaced());
    if (gone.length === 0) return understood;
    if (gate.functionOid !== undefined) return eitherOf(understood, null);
    const context = { ...this.#contextFor(names), gone };
    const { understander } = this.options;
    const known = understander.lookup(gate.text, context) ?? understander.understand(gate.text, context);
    return after(known, (understanding) => eitherOf(understood, resolvedOf(understanding)));
  }

  #understandBy(gate: Gate, names: ResourceNames): UnderstoodSql | Promise<UnderstoodSql> {
    const { understander } = this.options;
    const context = this.#contextFor(names);
    if (gate.functionOid !== undefined)
      return understander.functionCall(gate.functionOid, context).then((call) => this.#resolve(call, context));
    const known = understander.lookup(gate.text, context);
    return after(known ?? understander.understand(gate.text, context), (understanding) =>
      this.#several(gate, understanding)
        ? failing(understanding, SEVERAL_IN_ONE)
        : this.#resolve(understanding, context),
    );
  }

  #several(gate: Gate, understanding: Understanding): boolean {
    return !gate.several && gate.functionOid === undefined && understanding.statements.length > 1;
  }

  #resolve(understanding: Understanding, context: SqlContext): UnderstoodSql | Promise<UnderstoodSql> {
    const resolved = resolvedOf(understanding);
    if (resolved.indirect) return this.#resolveIndirect(understanding, context);
    if (context === this.#context && resolved.unknownNames.length === 0) this.#know(understanding.text, resolved);
    return resolved;
  }

  #know(text: string, resolved: UnderstoodSql): void {
    if (text === "" || text.length > LONGEST_KNOWN) return;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(text, resolved);
  }

  /** EXECUTE does what the prepared statement does; FETCH returns what its cursor was declared for. */
  async #resolveIndirect(understanding: Understanding, context: SqlContext): Promise<UnderstoodSql> {
    const { understander } = this.options;
    const path = this.#path;
    const textMeans = async (text: string) =>
      understander.lookup(text, context) ?? (await understander.understand(text, context));
    const problems = [...understanding.problems];
    let { error } = understanding;
    const fails = (native: NativeError) => {
      if (problems.length === 0) error = native;
      problems.push(native.message);
    };
    const operations: Operation[] = [];
    const unknownNames = [...understanding.unknownNames];
    const uses = [...understanding.uses];
    const statements: UnderstoodSql["statements"][number][] = [];
    let { cursors } = this.options.names.now;
    // Names this text has given or taken; what it has not is as it was before.
    const prepared = new Map<string, Prepared | undefined>();
    const byPath = new Map(understanding.byPath);
    const resolved: Effect[] = [];
    let allDropped = false;
    const stands: string[] = [];
    // The server reads a prepared statement anew where the names it holds mean something else.
    let renamed = false;
    // What portals there are may be others behind whatever the text does to the session before.
    let touched = false;
    const preparedBy = (name: string) =>
      prepared.has(name) || allDropped ? prepared.get(name) : this.options.prepared(name);
    for (const statement of understanding.statements) {
      operations.push(...statement.operations);
      let returns: UnderstoodSql["statements"][number] = statement;
      for (const effect of statement.session) {
        cursors = cursorsAfter(cursors, effect);
        touched ||= effect.kind !== "fetches";
        renamed ||= RENAMING.has(effect.kind) || (effect.kind === "endsTransaction" && this.options.names.provisional);
        if (effect.kind === "prepares") {
          const made: Prepared = { text: effect.text };
          stillMeans(made, meaningOf(await textMeans(effect.text), path));
          prepared.set(effect.name, made);
          resolved.push({ ...effect, prepared: made });
          continue;
        }
        resolved.push(effect);
        if (effect.kind === "discards" || (effect.kind === "deallocates" && effect.name === null)) {
          prepared.clear();
          allDropped = true;
        } else if (effect.kind === "deallocates") prepared.set(effect.name!, undefined);
        else if (effect.kind === "fetches") {
          const declared = cursors.get(effect.cursor);
          const bound = declared || touched ? undefined : this.#portal(effect.cursor);
          if (bound) {
            uses.push(...bound.uses);
            stands.push(`${effect.cursor}: ${bound.text}`);
          }
          const known = declared?.doubtful ? undefined : (declared ?? bound);
          if (effect.gives)
            returns = { kind: statement.kind, outputs: known?.outputs ?? ANY_ROWS, bulk: null, bulkFormat: null };
          operations.push(...(known?.operations ?? [ofFunction(effect.cursor)]));
          if (known && !known.unsettles) continue;
          touched = true;
          const unsettles = { kind: "unsettles", cursor: effect.cursor } as const;
          cursors = cursorsAfter(cursors, unsettles);
          resolved.push(unsettles);
          renamed = true;
        } else if (effect.kind === "executes") {
          const kept = preparedBy(effect.name);
          if (kept === undefined) {
            fails(noSuchStatement(effect.name));
            continue;
          }
          if (renamed) problems.push(RENAMED);
          stands.push(`${effect.name}: ${kept.text}`);
          const meant = await textMeans(kept.text);
          for (const [name, table] of meant.byPath) byPath.set(name, table);
          if (!stillMeans(kept, meaningOf(meant, path))) fails(OTHER_TABLES);
          if (meant.error) fails(meant.error);
          else problems.push(...meant.problems);
          operations.push(...meant.operations);
          uses.push(...meant.uses);
          unknownNames.push(...meant.unknownNames);
          const sets = meant.statements.flatMap(({ session }) => session.filter(({ kind }) => OF_EXECUTED.has(kind)));
          if (sets.some(({ kind }) => kind === "searchPath") && statement.kind !== "ExecuteStmt")
            problems.push(SETS_PATH);
          for (const set of sets) cursors = cursorsAfter(cursors, set);
          renamed ||= sets.length > 0;
          resolved.push(...(sets as Effect[]));
          if (meant.statements.length === 1) returns = meant.statements[0]!;
          else problems.push(`the prepared statement ${effect.name} is not one statement`);
        }
      }
      statements.push(returns);
    }
    return {
      ...plain(understanding),
      operations,
      uses,
      statements,
      unknownNames,
      byPath,
      effects: resolved,
      problems,
      ...(stands.length > 0 && { standsFor: stands.join("\n") }),
      ...(error && { error }),
    };
  }

  /** A query that the client has bound to this name, and that does nothing but give rows. */
  #portal(name: string): Bound | undefined {
    let gate = this.options.bound(name);
    while (gate?.again) gate = gate.again;
    const understood = gate && this.#bound.get(gate);
    const [query, ...others] = understood?.statements ?? [];
    if (!gate || !understood || query?.kind !== "SelectStmt" || !query.outputs || others.length > 0) return undefined;
    const { operations, uses, effects, problems } = understood;
    if (effects.length > 0 || problems.length > 0) return undefined;
    return { text: gate.text, outputs: query.outputs, operations, uses };
  }

  #contextFor(fresh: ResourceNames): SqlContext {
    const { now, provisional, uncertain } = this.options.names;
    const of = this.#contextOf;
    const same = of?.[0] === fresh && of[1] === now && of[2] === uncertain;
    if (this.#context && same && (this.#context.provisional === true) === provisional) return this.#context;
    const role = uncertain ? null : roleIn(now, fresh);
    const searchPath = uncertain ? null : (now.localPath ?? now.searchPath ?? fresh.searchPath);
    this.#contextOf = [fresh, now, uncertain];
    this.#known.clear();
    this.#path = searchPath === null ? "\0" : [role, ...searchPath].join("\0");
    this.#context = {
      catalog: fresh.catalog,
      searchPath,
      ...(now.temporary.length > 0 && { temporary: now.temporary }),
      ...(provisional && { provisional }),
      defaultPath: fresh.searchPath,
      role,
      ...((role === null || role !== fresh.role) && { foreign: true }),
    };
    return this.#context;
  }
}

/** Whom `$user` stands for; null where nobody knows. */
function roleIn({ role, localRole }: Names, fresh: ResourceNames): string | null {
  const set = localRole === undefined || role === null ? role : localRole;
  return set === undefined ? fresh.role : set === "none" ? fresh.user : set;
}

const ANY_ROWS: readonly TracedColumn[] = [{ name: "*", sources: [], direct: false, leaks: true, typeOid: 0 }];

/** A cursor that no statement of the session declared: if there is one, a function opened it, for whatever it likes. */
const ofFunction = (cursor: string): Operation => ({
  ...NOTHING_TOUCHED,
  action: "sql:function_write",
  functions: [`cursor ${cursor}`],
  code: { ...NO_CODE, unread: [`cursor ${cursor}`] },
});

interface Resolved extends UnderstoodSql {
  /** It does what another text says, or keeps one: EXECUTE, FETCH, PREPARE. */
  readonly indirect: boolean;
}

const resolutions = new WeakMap<Understanding, Resolved>();

/** The same object for every session and run, so that what is worked out of it is worked out once. */
function resolvedOf(understanding: Understanding): Resolved {
  let resolved = resolutions.get(understanding);
  if (!resolved) {
    const session = understanding.statements.flatMap((statement) => statement.session);
    const indirect = session.some(({ kind }) => INDIRECT.has(kind));
    resolved = { ...plain(understanding), effects: indirect ? [] : (session as Effect[]), indirect };
    resolutions.set(understanding, resolved);
  }
  return resolved;
}

const SETS_PATH = "what it executes sets the search_path: do that by SET, in a command of its own";
const INDIRECT: ReadonlySet<SessionEffect["kind"]> = new Set(["prepares", "executes", "fetches"]);
const RENAMED = "an EXECUTE stands behind a change of names in the same text: send it in a command of its own";
/** What makes names mean something else for the statements behind it. */
const RENAMING: ReadonlySet<SessionEffect["kind"]> = new Set([
  ...["searchPath", "role", "unsettles", "createsTemporary", "discards"],
] as SessionEffect["kind"][]);
/** What of a prepared statement's effects an EXECUTE has; the others are of statements that cannot be prepared. */
const OF_EXECUTED: ReadonlySet<SessionEffect["kind"]> = new Set(["searchPath", "unsettles"]);

function plain(understanding: Understanding): Omit<UnderstoodSql, "effects"> {
  const { text, operations, uses, fingerprint, statements, unknownNames, byPath, problems, error } = understanding;
  const statementCount = statements.length;
  // A number says nothing to a person.
  const byNumber = statements[0]?.kind === "FunctionCall";
  return {
    ...(byNumber && { standsFor: text }),
    operations,
    uses,
    fingerprint,
    statements,
    unknownNames,
    byPath,
    problems,
    statementCount,
    ...(error && { error }),
  };
}

function refused(understanding: Understanding, problem: string): UnderstoodSql {
  return { ...plain(understanding), effects: [], problems: [...understanding.problems, problem] };
}

/** Refused in the server's own words, since it would fail there too. */
function failing(understanding: Understanding, error: NativeError): UnderstoodSql {
  return { ...refused(understanding, error.message), ...(understanding.problems.length === 0 && { error }) };
}
