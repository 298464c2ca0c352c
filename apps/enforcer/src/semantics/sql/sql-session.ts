import {
  type Bundle,
  type MaskedLabel,
  type MaskPlan,
  type Operation,
  type Refusal,
  SQL_ACTIONS,
  type Verdict,
} from "#commands";
import type { CommandLimit, Ended, Gate } from "#protocols";
import { type Catalog, parseSearchPath, type SessionEffect, type Understander } from "#sql";
import type { OpenSession, SemanticsParts, SessionSemantics } from "../semantics.js";
import { Interpreter, type UnderstoodSql } from "./interpreter.js";
import type { MaskPlanner } from "./mask-planner.js";
import type { MaskPlanners } from "./mask-planners.js";
import type { ResourceCatalogs, ResourceNames } from "./resource-catalogs.js";
import { commandLimit, unlimitable } from "./row-limits.js";
import { SessionNames } from "./session-names.js";
import { isTransactional } from "./transactional.js";

interface Shared extends Pick<SemanticsParts, "policy" | "log" | "resourceChanged"> {
  readonly understander: Understander;
  readonly catalogs: ResourceCatalogs;
  readonly planners: MaskPlanners;
}

const PLAIN_READS: ReadonlySet<string> = new Set([...SQL_ACTIONS["sql:read"], ...SQL_ACTIONS["sql:session"]]);

/** What one session's SQL means: its names, its prepared statements, and what of its answers is hidden. */
export class SqlSession implements SessionSemantics {
  readonly #names: SessionNames;
  readonly #interpreter: Interpreter;
  readonly #startPath: readonly string[] | null;
  #namesOf: readonly [ResourceNames, ResourceNames] | null = null;
  #catalogChanged = false;
  /** The last one asked for. */
  #planner: { verdict: Verdict; bundle: Bundle; catalog: Catalog; planner: MaskPlanner } | null = null;
  /** The last batch that held what can end a transaction, or do anything else that none takes back. */
  #irrevocable = 0;
  #renewing: Promise<ResourceNames> | null = null;

  constructor(
    private readonly session: OpenSession,
    private readonly shared: Shared,
  ) {
    const { resource, settings, conversation } = session;
    this.#startPath = startPath(settings);
    this.#names = new SessionNames(() => conversation);
    this.#interpreter = new Interpreter({
      understander: shared.understander,
      names: this.#names,
      fresh: () => this.#freshNames(),
      miss: async () => this.#ours(await shared.catalogs.refreshOnMiss(resource)),
      prepared: (name) => conversation.prepared(name),
    });
  }

  understand(gate: Gate): UnderstoodSql | Promise<UnderstoodSql> {
    return this.#interpreter.understand(gate);
  }

  unlimitable(understood: UnderstoodSql, verdict: Verdict): Refusal | null {
    return verdict.kind !== "deny" && verdict.rowLimit ? unlimitable(understood, verdict.rowLimit) : null;
  }

  plan(understood: UnderstoodSql, verdict: Verdict): MaskPlan {
    return this.#plannerFor(verdict).plan(understood);
  }

  limit(understood: UnderstoodSql, verdict: Verdict): CommandLimit | null {
    if (verdict.kind === "deny" || !verdict.rowLimit) return null;
    return commandLimit(understood, verdict.rowLimit, this.reads(understood));
  }

  labelsMasked(understood: UnderstoodSql, verdict: Verdict): readonly string[] {
    return this.#plannerFor(verdict).labelsOf(understood);
  }

  reads({ operations }: UnderstoodSql): boolean {
    return operations.every(({ action }) => PLAIN_READS.has(action));
  }

  /**
   * In a transaction that is surely open: everything sent before is answered, but for what is of its own batch, and that
   * ends none.
   */
  revocable({ batch }: Gate, { operations }: UnderstoodSql): boolean {
    const { transaction, answered } = this.session.conversation;
    const open = transaction === "active" && answered === batch - 1 && this.#irrevocable !== batch;
    return open && this.#isTransactional(operations);
  }

  sent(gate: Gate, { effects, operations }: UnderstoodSql): void {
    const { conversation } = this.session;
    if (!this.#isTransactional(operations)) this.#irrevocable = gate.batch;
    for (const effect of effects) {
      if (effect.kind === "prepares") conversation.defineStatement(gate, effect.name, effect.prepared);
      else if (effect.kind === "deallocates") conversation.dropStatement(gate, effect.name);
      else if (effect.kind === "discards") conversation.dropStatement(gate, null);
      else if (effect.kind === "changesCatalog") this.#catalogChanged = true;
    }
    // A portal of a cursor's name: either the cursor is gone, or this fails.
    const bound: readonly SessionEffect[] =
      gate.portal === undefined ? NO_EFFECTS : [{ kind: "closes", cursor: gate.portal }];
    this.#names.sent(gate.batch, bound);
    if (effects.length === 0) return;
    if (effects.some(({ kind }) => kind === "executes")) conversation.runsByName(gate);
    // What is bound may never run, or behind what is bound after it.
    conversation.whenRun(gate, (batch) => this.#names.sent(batch, effects));
  }

  refused({ batch }: Gate): void {
    this.#names.refused(batch);
  }

  over({ batch, outcome: { tag, error } }: Ended): void {
    this.#names.over(batch, tag, error !== null);
  }

  settled(): void {
    const { transaction, busy } = this.session.conversation;
    if (this.#catalogChanged && transaction === "idle" && !busy) {
      this.#catalogChanged = false;
      this.#renewNames();
    }
    this.#names.answered();
  }

  #isTransactional(operations: readonly Operation[]): boolean {
    const { catalog } = this.shared.catalogs.current(this.session.resource)!;
    let known = transactional.get(operations);
    if (known?.catalog !== catalog) {
      known = { catalog, is: isTransactional(operations, catalog) };
      transactional.set(operations, known);
    }
    return known.is;
  }

  #freshNames(): ResourceNames | Promise<ResourceNames> {
    if (this.#renewing) return this.#renewing;
    const { catalogs } = this.shared;
    const { resource } = this.session;
    const known = catalogs.current(resource);
    return known ? this.#ours(known) : catalogs.get(resource).then((names) => this.#ours(names));
  }

  /** This session changed what the catalog says: what follows is understood by the new one. */
  #renewNames(): void {
    const { catalogs, log, resourceChanged } = this.shared;
    const { resource } = this.session;
    resourceChanged(resource.name);
    const renewing = catalogs
      .refresh(resource)
      .catch((error) => {
        log.warn({ resource: resource.name, error: String(error) }, "the catalog could not be read again");
        this.#catalogChanged = true;
        return catalogs.get(resource);
      })
      .then((names) => this.#ours(names))
      .finally(() => {
        if (this.#renewing === renewing) this.#renewing = null;
      });
    this.#renewing = renewing;
    renewing.catch(() => {});
  }

  #ours(names: ResourceNames): ResourceNames {
    if (!this.#startPath) return names;
    if (this.#namesOf?.[0] !== names) {
      this.#namesOf = [names, { ...names, searchPath: this.#startPath }];
    }
    return this.#namesOf[1];
  }

  #plannerFor(verdict: Verdict): MaskPlanner {
    const { policy, catalogs, planners } = this.shared;
    const { resource } = this.session;
    const { bundle } = policy.current!;
    const { catalog } = catalogs.current(resource)!;
    const last = this.#planner;
    if (last?.verdict === verdict && last.bundle === bundle && last.catalog === catalog) return last.planner;
    const masked = verdict.kind === "deny" ? NOTHING : verdict.masked;
    const planner = planners.for(bundle, resource, masked, catalog);
    this.#planner = { verdict, bundle, catalog, planner };
    return planner;
  }
}

const NOTHING: readonly MaskedLabel[] = [];
const NO_EFFECTS: readonly SessionEffect[] = [];

const transactional = new WeakMap<readonly Operation[], { readonly catalog: Catalog; readonly is: boolean }>();

function startPath(settings: ReadonlyMap<string, string>): readonly string[] | null {
  for (const [name, value] of settings) if (name.toLowerCase() === "search_path") return parseSearchPath(value);
  return null;
}
