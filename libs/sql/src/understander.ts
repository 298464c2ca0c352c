import type { Node } from "libpg-query";
import type { ColumnRef, Copy } from "#commands";
import { Analysis, type Defined, type Definition, NeedsDefinition, type Stored } from "./analysis.js";
import type { SharedFindings } from "./body-findings.js";
import type { Catalog, RoutineFacts, SqlContext } from "./catalog.js";
import { condition } from "./conditions.js";
import { displacedBy } from "./displaced.js";
import { Effects } from "./effects.js";
import { expression } from "./expressions.js";
import { UNKNOWN_FUNCTION } from "./functions.js";
import { syntaxError } from "./native-errors.js";
import { as, isPlace, kindOf, NotUnderstood } from "./parser/ast.js";
import { type ParseAnswer, Parser, type PlpgsqlSource } from "./parser/parser.js";
import { surelySets } from "./path-settings.js";
import { preparedText } from "./prepared-text.js";
import { query } from "./query.js";
import { outputColumn, outputs } from "./returned.js";
import { actionOf, changesCatalog, statement } from "./statements.js";
import type { SessionEffect, StatementFacts, TracedColumn, Understanding } from "./understanding.js";
import { UnderstandingCache } from "./understanding-cache.js";

export interface UnderstanderOptions {
  /** Largest text, UTF-16 units. Default 1 MiB. */
  readonly maxLength?: number;
  /** What one text may take to parse, milliseconds, before its worker is replaced. Default 5000. */
  readonly timeLimitMs?: number;
  /** What remembered texts may take, bytes, roughly. Default 64 MiB. */
  readonly cacheBytes?: number;
}

/** Says what SQL does. Never throws for what a text holds: what is not understood has `problems`. */
export interface Understander {
  /** What is already known of the text in this context; undefined: ask `understand`. */
  lookup(text: string, context: SqlContext): Understanding | undefined;
  understand(text: string, context: SqlContext): Promise<Understanding>;
  /** A call by number (FunctionCall message); its `text` is a SELECT that does the same. */
  functionCall(oid: number, context: SqlContext): Promise<Understanding>;
  /** Ends the parser's thread. What is asked afterwards is not understood. */
  close(): Promise<void>;
}

/** More nodes or levels than any statement that is not made to cost. Levels fit a default main-thread stack. */
const MAX_NODES = 100_000;
/**
 * Steps of understanding past which the session that sent it waits for as long again, so that one that sends nothing but
 * such texts leaves the thread to others for most of the time.
 */
const COSTLY = 10_000;
const COST_A_MS = 100;
/** What is understood at a stretch: some milliseconds. */
const STATEMENTS_A_TURN = 20;
const COST_A_TURN = 1_000;
/** In one text. */
const MAX_STATEMENTS = 2_000;
const MAX_DEPTH = 1_000;

export function createUnderstander(options: UnderstanderOptions = {}): Understander {
  const { maxLength = 1024 * 1024, timeLimitMs = 5_000, cacheBytes = 64 << 20 } = options;
  const parser = new Parser({ timeLimitMs, maxNodes: MAX_NODES, maxDepth: MAX_DEPTH });
  const cache = new UnderstandingCache(cacheBytes);
  const parsed = new WeakMap<Catalog, Map<Defined, Definition>>();
  const shared = new WeakMap<Catalog, SharedFindings>();
  const calls = new WeakMap<Understanding, Understanding>();

  const definitionsOf = (catalog: Catalog): Map<Defined, Definition> => {
    let definitions = parsed.get(catalog);
    if (!definitions) parsed.set(catalog, (definitions = new Map()));
    return definitions;
  };

  const sharedOf = (catalog: Catalog): SharedFindings => {
    let findings = shared.get(catalog);
    if (!findings) shared.set(catalog, (findings = new Map()));
    return findings;
  };

  async function understand(text: string, context: SqlContext): Promise<Understanding> {
    const known = cache.get(text, context);
    if (known) return known;
    if (text.length > maxLength) return notUnderstood(text, `it is longer than ${maxLength} characters`);
    const answer = await parser.parse(text);
    const understanding: Understanding =
      answer.kind === "refused"
        ? {
            ...notUnderstood(text, answer.reason),
            ...(answer.syntaxError && { error: syntaxError(answer.reason, answer.syntaxError.position) }),
          }
        : await analyseAll(text, answer, context);
    // What was refused for the state of the parser may pass the next time.
    if (answer.kind === "parsed" || answer.syntaxError) cache.set(text, context, understanding);
    return understanding;
  }

  async function analyseAll(
    text: string,
    { tree, fingerprint }: Extract<ParseAnswer, { kind: "parsed" }>,
    context: SqlContext,
  ): Promise<Understanding> {
    const statements: StatementFacts[] = [];
    const problems: string[] = [];
    const unknown = new Set<string>();
    const byPath = new Map<string, string>();
    // Offsets are of UTF-8.
    const bytes = Buffer.from(text);
    let current = context;
    /** The catalog at hand says nothing certain of what follows; or names themselves do not. */
    let stale = false;
    let renamed = false;
    let cost = 0;
    let costBefore = 0;
    const raws = tree.stmts ?? [];
    if (raws.length > MAX_STATEMENTS) return notUnderstood(text, `it holds more than ${MAX_STATEMENTS} statements`);
    for (const [i, raw] of raws.entries()) {
      // Other sessions have their turn in between.
      if (i % STATEMENTS_A_TURN === STATEMENTS_A_TURN - 1 || cost - costBefore > COST_A_TURN) {
        costBefore = cost;
        await new Promise((turn) => setImmediate(turn));
      }
      const start = raw.stmt_location ?? 0;
      const own = bytes.subarray(start, raw.stmt_len ? start + raw.stmt_len : bytes.length).toString();
      const meter = (analysis: Analysis) => {
        cost += analysis.cost;
      };
      try {
        if (raw.stmt === undefined) throw new NotUnderstood("the parser gave an empty statement");
        const { facts, analysis } = await analyse(raw.stmt, current, meter);
        if (renamed && analysis.names.byPath.size + analysis.names.unknown.size > 0) throw new NotUnderstood(RENAMED);
        const prepare = as("PrepareStmt", raw.stmt);
        const prepares = prepare ? [await prepared(prepare.name ?? "", prepare.query, own)] : [];
        const whole = { ...facts, session: [...facts.session, ...prepares] };
        statements.push(stale ? tainted(whole, renamed) : whole);
        current = afterwards(current, whole);
        renamed ||= current.provisional === true && whole.session.some((effect) => effect.kind === "endsTransaction");
        stale ||= renamed || whole.session.some((effect) => effect.kind === "changesCatalog");
        for (const name of analysis.names.unknown) unknown.add(name);
        for (const [name, relation] of analysis.names.byPath) byPath.set(name, relation);
      } catch (error) {
        problems.push(problemOf(error));
      }
    }
    if (cost > COSTLY) await new Promise((waited) => setTimeout(waited, cost / COST_A_MS));
    const operations = statements.flatMap((s) => s.operations);
    const uses = statements.flatMap((s) => s.uses);
    const names = { unknownNames: [...unknown], byPath };
    return { text, fingerprint, statements, operations, uses, problems, ...names };
  }

  /** Views and functions are parsed as the analysis comes upon them; each only once a catalog. */
  async function analyse(
    node: Node,
    context: SqlContext,
    meter: (analysis: Analysis) => void,
  ): Promise<{ facts: StatementFacts; analysis: Analysis }> {
    const lasting = definitionsOf(context.catalog);
    // A block comes with its statement, and goes with it.
    const own = new Map<Defined, Definition>();
    const block = as("DoStmt", node);
    const definitions = { get: (of: Defined) => (of === block ? own : lasting).get(of) };
    for (;;) {
      const analysis = new Analysis(
        context,
        definitions,
        { query, expression, condition },
        actionOf(node),
        sharedOf(context.catalog),
      );
      try {
        const facts = factsOf(analysis, node);
        // Functions of the same statement are called in any order.
        if (analysis.unsettles && analysis.followsPath && !context.unsettled) {
          context = { ...context, unsettled: true };
          continue;
        }
        return { facts, analysis };
      } catch (error) {
        if (!(error instanceof NeedsDefinition)) throw error;
        (error.of === block ? own : lasting).set(error.of, await definition(error.source));
      } finally {
        meter(analysis);
      }
    }
  }

  async function definition(source: string | PlpgsqlSource): Promise<Definition> {
    if (typeof source !== "string") {
      const answer = await parser.parseBody(source);
      return answer.kind === "body" ? answer.body : null;
    }
    const answer = await parser.parse(source);
    const statements = answer.kind === "parsed" ? (answer.tree.stmts ?? []).map(({ stmt }) => stmt) : [undefined];
    return statements.every((node) => node !== undefined) ? statements : null;
  }

  /** The text between AS and the end, proved to be what the parser took for the prepared statement. */
  async function prepared(name: string, node: Node | undefined, own: string) {
    const text = preparedText(own);
    const answer = text === null ? undefined : await parser.parse(text);
    const again = answer?.kind === "parsed" ? answer.tree.stmts : undefined;
    if (text === null || again?.length !== 1 || withoutPlaces(again[0]?.stmt) !== withoutPlaces(node)) {
      throw new NotUnderstood("the statement that PREPARE names cannot be told from its text");
    }
    return { kind: "prepares" as const, name, text };
  }

  async function functionCall(oid: number, context: SqlContext): Promise<Understanding> {
    const routine = context.catalog.functionByOid(oid);
    if (!routine) return unknownFunction(oid);
    const select = await understand(selectOf(routine), context);
    const known = calls.get(select);
    if (known) return known;
    const statements = select.statements.map((facts) => ({ ...facts, kind: "FunctionCall" as const }));
    const call: Understanding = { ...select, fingerprint: `function:${oid}`, statements };
    calls.set(select, call);
    return call;
  }

  return {
    lookup: (text, context) => cache.get(text, context),
    understand,
    functionCall,
    close: () => parser.close(),
  };
}

function factsOf(analysis: Analysis, node: Node): StatementFacts {
  const { rows, bulk, bulkFormat } = statement(analysis, node);
  if (analysis.followsPath && analysis.session.some(({ kind }) => kind === "searchPath"))
    throw new NotUnderstood("it sets the search_path and calls functions that follow it: do that in two commands");
  if (!surelySets(node, analysis.session.filter(({ kind }) => kind === "searchPath").length))
    throw new NotUnderstood("it may set the search_path, or not: do that by SET, or in a SELECT of set_config() alone");
  const operations = analysis.parts.flatMap((part) => part.operations());
  const changes = operations.some((operation) => changesCatalog(operation.action as never));
  return {
    kind: kindOf(node),
    operations,
    outputs:
      rows && outputs(rows.open ? { ...rows, columns: [...rows.columns, { name: "*", trace: rows.open }] } : rows),
    bulk: bulk && outputs(bulk),
    bulkFormat,
    stores: analysis.stores.map((stored) => ({ ...outputColumn(stored), target: stored.target })),
    uses: [...analysis.uses, ...copies(analysis.stores)],
    session: [
      ...(analysis.unsettles ? [UNSETTLES] : []),
      ...analysis.session,
      ...(changes ? [{ kind: "changesCatalog", displaces: displacedBy(node) } as const] : []),
    ],
  };
}

function copies(stores: readonly Stored[]): Copy[] {
  const found = new Map<string, Copy>();
  const note = (column: ColumnRef | null, { target, into, trace: { direct } }: Stored) => {
    const key = JSON.stringify([column?.schema, column?.table, column?.column, target, direct]);
    if (!found.has(key)) found.set(key, { action: "copy", column, direct, target, into });
  };
  for (const stored of stores) {
    for (const source of stored.trace.sources) note(source, stored);
    if (stored.trace.leaks) note(null, stored);
  }
  return [...found.values()];
}

const UNSETTLES: SessionEffect = { kind: "unsettles" };

/** What names mean to the statements behind, in the same text. */
function afterwards(context: SqlContext, { session }: StatementFacts): SqlContext {
  let { searchPath, temporary = [], role, foreign } = context;
  const renamed = session.some(({ kind }) => NAMES.has(kind));
  for (const effect of session) {
    if (effect.kind === "createsTemporary") temporary = [...temporary, effect.name];
    else if (effect.kind === "discards" || (effect.kind === "searchPath" && effect.path === null))
      searchPath = context.defaultPath === undefined ? searchPath : context.defaultPath;
    else if (effect.kind === "searchPath") searchPath = effect.path;
    else if (effect.kind === "role") {
      role = effect.role && effect.role !== "none" ? effect.role : null;
      foreign = true;
    } else if (effect.kind === "unsettles") {
      searchPath = null;
      role = null;
      foreign = true;
    }
  }
  return {
    ...context,
    searchPath,
    temporary,
    ...(role !== undefined && { role }),
    ...(foreign && { foreign }),
    ...(renamed && { provisional: true }),
  };
}

const RENAMED =
  "what its names mean behind this end of a transaction cannot be told from its text: send it in a command of its own";
const NAMES: ReadonlySet<string> = new Set(["createsTemporary", "discards", "searchPath", "role", "unsettles"]);

/**
 * Behind a statement that changes what names mean, the catalog and the path at hand say nothing certain. What a change
 * of the schema lets a name stand for has been noted as stored there; where the path itself is in doubt, a column that
 * is used could be any.
 */
function tainted(facts: StatementFacts, renamed: boolean): StatementFacts {
  const taint = <T extends TracedColumn>(columns: readonly T[]) => columns.map((c) => ({ ...c, leaks: true }));
  // What neither reads a relation nor calls a function stores what its text says, whatever names mean.
  const looks = facts.operations.some(({ tablesRead, functions }) => tablesRead.length + functions.length > 0);
  return {
    ...facts,
    outputs: facts.outputs && taint(facts.outputs),
    bulk: facts.bulk && taint(facts.bulk),
    stores: looks ? taint(facts.stores) : facts.stores,
    uses: facts.uses.map((use) => ((use.action === "copy" ? looks : renamed) ? { ...use, column: null } : use)),
    session: facts.session.map((effect) =>
      effect.kind === "declares" ? { ...effect, outputs: taint(effect.outputs) } : effect,
    ),
  };
}

function unknownFunction(oid: number): Understanding {
  const name = `function ${oid}`;
  const effects = new Effects("sql:select");
  effects.runsUnknown(name);
  effects.extra(UNKNOWN_FUNCTION.action!, name);
  const operations = effects.operations();
  const output = { name: "", sources: [], direct: false, leaks: true, typeOid: 0 };
  const none = { bulk: null, bulkFormat: null, stores: [], uses: [], session: [] };
  return {
    ...{
      text: name,
      fingerprint: `function:${oid}`,
      uses: [],
      problems: [],
      unknownNames: [`${name}()`],
      byPath: new Map(),
    },
    statements: [{ kind: "FunctionCall", operations, outputs: [output], ...none }],
    operations,
  };
}

/** The statement that does as a call of the routine by its number, or of one of the same name. */
function selectOf({ schema, name, argumentCount }: RoutineFacts): string {
  const quoted = [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
  const parameters = Array.from({ length: argumentCount }, (_, n) => `$${n + 1}`).join(", ");
  return `SELECT ${quoted}(${parameters})`;
}

function notUnderstood(text: string, reason: string): Understanding {
  const none = { statements: [], operations: [], uses: [], unknownNames: [], byPath: new Map() };
  return { text, fingerprint: "", problems: [reason], ...none };
}

function problemOf(error: unknown): string {
  if (error instanceof NotUnderstood) return error.message;
  if (error instanceof RangeError) return "it is nested too deeply";
  throw error;
}

const withoutPlaces = (value: unknown): string =>
  JSON.stringify(value, (key, item) => (isPlace(key) ? undefined : item)) ?? "";
