import type { Bundle, Verdict } from "#commands";
import type { Ended, Gate } from "#protocols";
import { parseSearchPath, type SessionEffect, type Understander } from "#sql";
import { doTheSame } from "../do-the-same.js";
import type { OpenSession, SemanticsParts, SessionSemantics } from "../semantics.js";
import type { DisplacedNames } from "./displaced-names.js";
import { Interpreter, type UnderstoodSql } from "./interpreter.js";
import type { ResourceCatalogs, ResourceNames } from "./resource-catalogs.js";
import { SessionNames } from "./session-names.js";
import type { SqlTerms, TermsOfVerdicts } from "./terms.js";

interface Shared extends Pick<SemanticsParts, "clock" | "log" | "resourceChanged"> {
  readonly understander: Understander;
  readonly catalogs: ResourceCatalogs;
  readonly terms: TermsOfVerdicts;
  readonly displaced: DisplacedNames;
}

/** What was sent before its session was over may come about until then, or as long as the resource does not answer. */
const LINGERS_MS = 30_000;

/** What one session's SQL means: its names, its prepared statements, and what of its answers is hidden. */
export class SqlSession implements SessionSemantics {
  readonly #names: SessionNames;
  readonly #interpreter: Interpreter;
  readonly #startPath: readonly string[] | null;
  #namesOf: readonly [ResourceNames, ResourceNames] | null = null;
  #catalogChanged = false;
  /** The last batch that held what can end a transaction, or do anything else that none takes back. */
  #irrevocable = 0;
  #renewing: Promise<ResourceNames> | null = null;
  #closed = false;

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
      displaced: () => shared.displaced.seenBy(resource, this),
      prepared: (name) => conversation.prepared(name),
      bound: (name) => conversation.bound(name),
    });
  }

  understand(gate: Gate): UnderstoodSql | Promise<UnderstoodSql> {
    return this.#interpreter.understand(gate);
  }

  async refresh(): Promise<void> {
    await this.#refreshed();
  }

  async understandAgain(gate: Gate, before: UnderstoodSql): Promise<UnderstoodSql | null> {
    const code = this.#interpreter.codeBehind(before);
    if (!(await this.#refreshed())) return null;
    const now = await this.#interpreter.understand(gate);
    return doTheSame(before, now) && code !== null && code === this.#interpreter.codeBehind(now) ? now : null;
  }

  terms(understood: UnderstoodSql, verdict: Verdict, bundle: Bundle): SqlTerms {
    return this.shared.terms.of(understood, verdict, bundle, this.session.resource);
  }

  /**
   * In a transaction that is surely open: everything sent before is answered, but for what is of its own batch, and that
   * ends none.
   */
  revocable({ batch }: Gate, { transactional }: SqlTerms): boolean {
    const { transaction, answered } = this.session.conversation;
    const open = transaction === "active" && answered === batch - 1 && this.#irrevocable !== batch;
    return open && transactional;
  }

  sent(gate: Gate, { effects }: UnderstoodSql, { transactional }: SqlTerms): void {
    const { conversation } = this.session;
    if (!transactional) this.#irrevocable = gate.batch;
    for (const effect of effects) {
      if (effect.kind === "prepares") conversation.defineStatement(gate, effect.name, effect.prepared);
      else if (effect.kind === "deallocates") conversation.dropStatement(gate, effect.name);
      else if (effect.kind === "discards") conversation.dropStatement(gate, null);
      else if (effect.kind === "changesCatalog") {
        this.#catalogChanged = true;
        this.shared.displaced.add(this.session.resource, this, effect.displaces);
      }
    }
    // A portal of a cursor's name: either the cursor is gone, or this fails.
    const bound: readonly SessionEffect[] =
      gate.portal === undefined ? NO_EFFECTS : [{ kind: "closes", cursor: gate.portal }];
    this.#names.sent(gate.batch, bound);
    if (effects.length === 0) return;
    // Code that is not volatile the server runs already as it plans what is bound.
    if (!gate.several)
      this.#names.sent(gate.batch, effects.filter(({ kind }) => kind === "unsettles") as SessionEffect[]);
    if (effects.some(({ kind }) => kind === "executes" || kind === "fetches")) conversation.runsByName(gate);
    if (effects.some(({ kind }) => kind === "unsettles")) conversation.replacesPortals(gate);
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

  close(): void {
    this.#closed = true;
    if (this.#catalogChanged) this.#renewLater();
    else if (!this.#renewing) this.shared.displaced.clear(this.session.resource, this);
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
    const { catalogs, displaced, log, resourceChanged } = this.shared;
    const { resource } = this.session;
    resourceChanged(resource.name);
    const renewing = catalogs
      .refresh(resource)
      .then((names) => {
        if (!this.#catalogChanged) displaced.clear(resource, this);
        return names;
      })
      .catch((error) => {
        log.warn({ resource: resource.name, error: String(error) }, "the catalog could not be read again");
        this.#catalogChanged = true;
        if (this.#closed) this.#renewLater();
        return catalogs.get(resource);
      })
      .then((names) => this.#ours(names))
      .finally(() => {
        if (this.#renewing === renewing) this.#renewing = null;
      });
    this.#renewing = renewing;
    renewing.catch(() => {});
  }

  async #refreshed(): Promise<boolean> {
    const { resource } = this.session;
    try {
      // Reading it would wait for the locks of what this session's own open transaction has changed.
      if (!this.#catalogChanged) await this.shared.catalogs.refresh(resource);
      return true;
    } catch (error) {
      this.shared.log.warn({ resource: resource.name, error: String(error) }, "the catalog could not be read again");
      return false;
    }
  }

  /** Of what it changed nobody heard whether it lasts. */
  #renewLater(): void {
    const { catalogs, clock, resourceChanged } = this.shared;
    const { resource } = this.session;
    if (catalogs.closed) return;
    catalogs.renew(resource);
    resourceChanged(resource.name);
    clock.after(LINGERS_MS, () => {
      this.#catalogChanged = false;
      this.#renewNames();
    });
  }

  #ours(names: ResourceNames): ResourceNames {
    // What a login event trigger sets it sets behind what the client has asked for.
    if (!this.#startPath || !names.searchPath) return names;
    if (this.#namesOf?.[0] !== names) {
      this.#namesOf = [names, { ...names, searchPath: this.#startPath }];
    }
    return this.#namesOf[1];
  }
}

const NO_EFFECTS: readonly SessionEffect[] = [];

function startPath(settings: ReadonlyMap<string, string>): readonly string[] | null {
  for (const [name, value] of settings) if (name.toLowerCase() === "search_path") return parseSearchPath(value);
  return null;
}
