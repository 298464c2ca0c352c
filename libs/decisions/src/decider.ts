import type { Context } from "@cedar-policy/cedar-wasm/nodejs";
import {
  ANYWHERE,
  type Bundle,
  type ColumnUse,
  type Command,
  type LabelUse,
  type MaskedLabel,
  type Operation,
  type ResourcePart,
  type RowLimit,
  type SessionFacts,
  type Verdict,
} from "#commands";
import { both, type HoldTerms } from "./hold.js";
import { Interner } from "./interner.js";
import { LabelIndex, type LabelQuestion } from "./label-index.js";
import { Lru } from "./lru.js";
import { type Outcome, plainOf, refusalIn, type Settled, settle, settleOrHold } from "./outcome.js";
import { PolicyIndex } from "./policy-index.js";
import { contextOf, labelEntity, questionOf, resourceEntity } from "./question.js";
import { narrower } from "./row-limits.js";
import { CONNECT, groupsOf, inScope, LABEL_ACTIONS, REVEAL, SESSION } from "./schema.js";
import { atOnce, inTurns, type Steps } from "./turns.js";
import { type Denial, denial, useOf } from "./wording.js";

/** Decides by one bundle. Synchronous; a verdict met before in the session is two map lookups. */
export interface Decider {
  readonly epoch: number;
  /**
   * What is to become of a command: allowed only if connecting and each of its operations is.
   * @param now milliseconds since the epoch.
   */
  decide(command: Decidable, session: SessionFacts, now: number): Verdict;
  /** The same; what has many questions to the policies lets others have the thread in between. */
  decideInTurns(command: Decidable, session: SessionFacts, now: number): Verdict | Promise<Verdict>;
  /** Whether the session may be opened at all: allow or deny, never hold. */
  connect(session: SessionFacts, now: number): Verdict;
  /** Gives back what the policy engine holds for this bundle. Whatever is asked later is denied. */
  dispose(): void;
}

/**
 * What a verdict depends on. Sessions, operations and uses are recognised by identity: they must not be changed later.
 */
export type Decidable = Pick<Command, "operations" | "uses" | "statementCount">;

const CACHED_VERDICTS = 10_000;
const CACHED_SESSIONS = 2_000;

/** @throws Error for a bundle whose policies do not parse. */
export function createDecider(bundle: Bundle): Decider {
  return new BundleDecider(bundle);
}

class BundleDecider implements Decider {
  readonly epoch: number;
  readonly #index: PolicyIndex;
  readonly #resources: ReadonlyMap<string, ResourcePart>;
  readonly #labels: ReadonlyMap<string, LabelIndex>;
  readonly #sessions = new Interner<SessionFacts>(CACHED_SESSIONS, ({ principal, resource, scope, clientAddress }) =>
    JSON.stringify([principal, resource, scope, clientAddress]),
  );
  readonly #operations = new Interner<readonly Operation[]>(CACHED_VERDICTS, (operations) =>
    JSON.stringify(operations),
  );
  readonly #verdicts = new Lru<string, Verdict>(CACHED_VERDICTS);
  /** The same by identity, for what a session asks again: no key has to be made. */
  #met = new WeakMap<SessionFacts, WeakMap<readonly Operation[], Met>>();
  readonly #connects = new Lru<number, Settled>(CACHED_SESSIONS);
  readonly #masks = new Lru<number, Masks>(CACHED_SESSIONS);
  #disposed = false;

  constructor(bundle: Bundle) {
    this.epoch = bundle.epoch;
    this.#index = new PolicyIndex(bundle.policies);
    this.#resources = new Map(bundle.resources.map((resource) => [resource.name, resource]));
    this.#labels = new Map(bundle.resources.map(({ name }) => [name, new LabelIndex(bundle.labels, name)]));
  }

  decide(command: Decidable, session: SessionFacts, now: number): Verdict {
    return this.#metBefore(command, session) ?? atOnce(this.#deciding(command, session, now));
  }

  decideInTurns(command: Decidable, session: SessionFacts, now: number): Verdict | Promise<Verdict> {
    return this.#metBefore(command, session) ?? inTurns(this.#deciding(command, session, now));
  }

  #metBefore(command: Decidable, session: SessionFacts): Verdict | undefined {
    const met = this.#met.get(session)?.get(command.operations);
    return met?.uses === command.uses && met.statementCount === command.statementCount ? met.verdict : undefined;
  }

  *#deciding(command: Decidable, session: SessionFacts, now: number): Steps<Verdict> {
    const asked = this.#labels.get(session.resource)?.questions(command.uses).number;
    const key = `${this.#sessions.number(session)}:${this.#operations.number(command.operations)}:${command.statementCount}:${asked}`;
    const known = this.#verdicts.get(key);
    if (known) return this.#meet(command, session, known);
    const { verdict, timeless } = yield* this.#judge(command, session, now);
    if (!timeless || this.#disposed) return verdict;
    this.#verdicts.set(key, verdict);
    return this.#meet(command, session, verdict);
  }

  connect(session: SessionFacts, now: number): Verdict {
    return atOnce(this.#judge({ operations: [], uses: [], statementCount: 0 }, session, now)).verdict;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const cache of [this.#verdicts, this.#connects, this.#masks]) cache.clear();
    this.#met = new WeakMap();
    this.#index.dispose();
  }

  #meet({ operations, uses, statementCount }: Decidable, session: SessionFacts, verdict: Verdict): Verdict {
    let mine = this.#met.get(session);
    if (!mine) this.#met.set(session, (mine = new WeakMap()));
    mine.set(operations, { uses, statementCount, verdict });
    return verdict;
  }

  *#judge(command: Decidable, session: SessionFacts, now: number): Steps<{ verdict: Verdict; timeless: boolean }> {
    const deny = ({ reason, advice, policies }: Denial, timeless: boolean, uses: readonly LabelUse[] = []) => ({
      verdict: { kind: "deny" as const, reason, advice, policies, epoch: this.epoch, uses },
      timeless,
    });
    if (this.#disposed) return deny(denial.disposed(), false);
    const resource = this.#resources.get(session.resource);
    if (!resource) return deny(denial.unknownResource(session.resource), true);

    const connect = this.#connectOutcome(session, resource, now);
    if (connect.kind === "deny") return deny(connect.denial, connect.timeless);
    const policies = new Set<string>();
    let { timeless } = connect;
    let hold: HoldTerms | null = null;
    let rowLimit: RowLimit | null = null;
    const answered = new Map<string, Outcome>();
    for (const operation of command.operations) {
      const question = command.operations.length > 1 ? JSON.stringify(operation) : "";
      let outcome = answered.get(question);
      if (!outcome) {
        outcome = this.#operationOutcome(operation, command.statementCount, session, resource, now);
        answered.set(question, outcome);
        yield;
        if (this.#disposed) return deny(denial.disposed(), false);
      }
      timeless &&= outcome.timeless;
      if (outcome.kind === "deny") return deny(outcome.denial, timeless);
      rowLimit = narrower(rowLimit, outcome.rowLimit);
      if (outcome.kind === "allow") for (const policy of outcome.policies) policies.add(policy);
      else {
        const joined: HoldTerms | null = hold ? both(hold, outcome.terms) : outcome.terms;
        if (!joined) return deny(denial.approversDiffer([hold!.approvers, outcome.terms.approvers]), timeless);
        hold = joined;
      }
    }

    const masks = this.#masksOf(session, resource, now);
    timeless &&= masks.timeless;
    const used = yield* this.#usesOutcome(command.uses, masks.masked, hold !== null, session, resource, now);
    timeless &&= used.timeless;
    if (used.denial) return deny(used.denial, timeless, used.uses);
    for (const policy of used.policies) policies.add(policy);
    const decided = { masked: masks.masked, rowLimit, epoch: this.epoch, uses: used.uses };
    if (!hold) {
      // Where nothing but the connection had to be permitted, what permitted that has decided.
      return {
        verdict: { kind: "allow", ...decided, policies: policies.size > 0 ? [...policies] : connect.policies },
        timeless,
      };
    }
    return {
      verdict: { kind: "hold", ...decided, ...hold, policies: [...new Set([...hold.policies, ...policies])] },
      timeless,
    };
  }

  #connectOutcome(session: SessionFacts, resource: ResourcePart, now: number): Settled {
    const number = this.#sessions.number(session);
    const known = this.#connects.get(number);
    if (known) return known;
    const matches = this.#index.ask(questionOf(CONNECT, resourceEntity(resource), session, {}, now));
    const outcome = settle(CONNECT, matches, () => denial.notPermitted(CONNECT, CONNECT, session));
    if (outcome.timeless) this.#connects.set(number, outcome);
    return outcome;
  }

  #operationOutcome(
    operation: Operation,
    statementCount: number,
    session: SessionFacts,
    resource: ResourcePart,
    now: number,
  ): Outcome {
    const { action } = operation;
    if (groupsOf(action) === undefined || action === CONNECT || LABEL_ACTIONS.has(action)) {
      return { kind: "deny", denial: denial.unknownAction(action), timeless: true };
    }
    if (action !== SESSION && !inScope(session.scope, action)) {
      return { kind: "deny", denial: denial.outOfScope(action, session.scope, action), timeless: true };
    }
    const context = contextOf(operation, statementCount);
    const matches = this.#index.ask(questionOf(action, resourceEntity(resource), session, context, now));
    return settleOrHold(operation, matches, session);
  }

  /** A label is masked unless revealing it is plainly permitted. */
  #masksOf(session: SessionFacts, resource: ResourcePart, now: number): Masks {
    const number = this.#sessions.number(session);
    const known = this.#masks.get(number);
    if (known) return known;
    const masked: MaskedLabel[] = [];
    let timeless = true;
    for (const label of this.#labels.get(resource.name)!.labels) {
      if (inScope(session.scope, REVEAL)) {
        const context: Context = { resource: { __entity: { type: "Resource", id: resource.name } } };
        const target = labelEntity(label.name);
        const question = questionOf(REVEAL, target, session, context, now, [resourceEntity(resource)]);
        const matches = this.#index.ask(question);
        timeless &&= matches.timeless;
        if (refusalIn(REVEAL, matches) === null && plainOf(matches.permits).length > 0) continue;
      }
      masked.push({ label: label.name, transform: label.transform });
    }
    const masks = { masked, timeless };
    if (timeless) this.#masks.set(number, masks);
    return masks;
  }

  /** Each use of a label that is masked must be permitted; what may be seen may be used. */
  *#usesOutcome(
    uses: readonly ColumnUse[],
    masked: readonly MaskedLabel[],
    held: boolean,
    session: SessionFacts,
    resource: ResourcePart,
    now: number,
  ): Steps<UsesOutcome> {
    const hidden = new Set(masked.map(({ label }) => label));
    const decided: LabelUse[] = [];
    const policies: string[] = [];
    let denied: Denial | null = null;
    let timeless = true;
    for (const question of this.#labels.get(resource.name)!.questions(uses).each) {
      const { label, column, kind, use } = question;
      // Code that no policy can read is read by who approves it.
      if (!hidden.has(label) || (held && use.action === "copy" && use.target === ANYWHERE)) continue;
      const outcome = this.#useOutcome(question, session, resource, now);
      timeless &&= outcome.timeless;
      yield;
      if (this.#disposed) return { uses: [], policies: [], denial: denial.disposed(), timeless: false };
      const permitted = outcome.kind === "allow";
      const where = use.action === "copy" ? { use: "", target: kind } : { use: kind, target: "" };
      decided.push({ action: use.action, label, column, ...where, permitted });
      if (outcome.kind === "allow") policies.push(...outcome.policies);
      else denied ??= outcome.denial;
    }
    return { uses: decided, policies, denial: denied, timeless };
  }

  #useOutcome(question: LabelQuestion, session: SessionFacts, resource: ResourcePart, now: number): Settled {
    const { label, table, column, kind, use } = question;
    const { action } = use;
    if (!inScope(session.scope, action)) {
      return { kind: "deny", denial: denial.outOfScope(useOf(question), session.scope, action), timeless: true };
    }
    const context: Context = {
      resource: { __entity: { type: "Resource", id: resource.name } },
      table,
      column,
      ...(action === "copy" ? { target: kind } : { use: kind }),
    };
    const target = labelEntity(label);
    const matches = this.#index.ask(questionOf(action, target, session, context, now, [resourceEntity(resource)]));
    return settle(useOf(question), matches, () => denial.useNotPermitted(question, session));
  }
}

interface UsesOutcome {
  readonly uses: readonly LabelUse[];
  readonly policies: readonly string[];
  readonly denial: Denial | null;
  readonly timeless: boolean;
}

interface Met {
  readonly uses: readonly ColumnUse[];
  readonly statementCount: number;
  readonly verdict: Verdict;
}

interface Masks {
  readonly masked: readonly MaskedLabel[];
  readonly timeless: boolean;
}
