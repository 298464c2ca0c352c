import type { Context, Entities, PolicyJson, StatefulAuthorizationCall } from "@cedar-policy/cedar-wasm/nodejs";
import type { PolicyPart } from "#commands";
import { CedarFailure, engine } from "./cedar.js";
import { entitiesOf, type ReadPolicy, readDocument } from "./document.js";
import { type Asked, askedBy, asksTime } from "./expression.js";
import { bounded } from "./interner.js";
import { Lru } from "./lru.js";
import { groupsOf } from "./schema.js";

/** What is asked of the policies. */
export interface Question {
  readonly principal: EntityId;
  readonly action: string;
  readonly target: EntityId;
  /** The target's ancestors; nearest first. */
  readonly targetParents: readonly EntityId[];
  readonly context: Context;
  /** Every entity but the action. */
  readonly entities: Entities;
}

export interface EntityId {
  readonly type: string;
  readonly id: string;
}

/** What the policies answer. */
export interface Matches {
  /** The permits that match; empty where a forbid does. */
  readonly permits: readonly ReadPolicy[];
  readonly forbids: readonly ReadPolicy[];
  /** Policies that could not be evaluated, each with why. */
  readonly failed: readonly { readonly policy: string; readonly message: string }[];
  /** Whether the same question has the same answer at any other time. */
  readonly timeless: boolean;
}

interface Partition {
  readonly policies: ReadonlyMap<string, ReadPolicy>;
  readonly asked: Asked;
  readonly timeless: boolean;
  slot: string | null;
  generation: number;
}

/** How many prepared policy sets a bundle keeps in the engine. */
const MAX_PREPARED = 256;
const MAX_ROUTES = 4_096;
const MAX_ANSWERED = 4_096;

/**
 * A bundle's policies, cut by action and target: a question meets only the policies whose scope can match it, so its
 * cost grows with those and not with the bundle. The engine is told only what these can look at, which costs as much as
 * evaluating them, and is not asked again where it would be told the same.
 */
export class PolicyIndex {
  readonly #policies: readonly ReadPolicy[];
  /** By action and target. Targets with the same policies share a partition. */
  readonly #routes = new Lru<string, string>(MAX_ROUTES);
  readonly #partitions = new Lru<string, Partition>(MAX_PREPARED, free);
  /** By all that the engine was told: action and target among it, which say by which policies. */
  readonly #answered = new Lru<string, Matches>(MAX_ANSWERED);

  /** @throws Error for a document that validation would have refused. */
  constructor(documents: readonly PolicyPart[]) {
    const names = new Set<string>();
    this.#policies = documents.flatMap((document) => {
      if (names.has(document.name)) throw new Error(`two policies are named ${document.name}`);
      names.add(document.name);
      return policiesOf(document);
    });
  }

  ask(question: Question): Matches {
    const partition = this.#partition(question);
    if (partition.policies.size === 0) return { permits: [], forbids: [], failed: [], timeless: true };
    const told = toldOf(question, partition.asked);
    const key = partition.timeless ? bounded(JSON.stringify(told)) : null;
    const known = key === null ? undefined : this.#answered.get(key);
    if (known) return known;
    try {
      const matches = evaluate(partition, told);
      if (key !== null && matches.timeless) this.#answered.set(key, matches);
      return matches;
    } catch (error) {
      if (!(error instanceof CedarFailure)) throw error;
      return undecided(error.message);
    }
  }

  dispose(): void {
    this.#answered.clear();
    this.#routes.clear();
    this.#partitions.clear();
  }

  #partition({ action, target, targetParents }: Question): Partition {
    const route = `${action}\0${target.type}\0${target.id}`;
    const known = this.#partitions.get(this.#routes.get(route) ?? "-");
    if (known) return known;

    const actions = [action, ...(groupsOf(action) ?? [])];
    const targets = [target, ...targetParents];
    const numbers: number[] = [];
    this.#policies.forEach(({ json }, number) => {
      if (coversAction(json.action, action, actions) && coversTarget(json.resource, targets)) numbers.push(number);
    });
    const key = numbers.join(",");
    this.#routes.set(route, key);
    const shared = this.#partitions.get(key);
    if (shared) return shared;

    const members = numbers.map((number) => this.#policies[number]!);
    const asked = askedBy(members.map(({ json }) => json.conditions));
    const partition: Partition = {
      policies: new Map(members.map((policy) => [policy.id, policy])),
      asked,
      timeless: !asksTime(asked),
      slot: null,
      generation: -1,
    };
    this.#partitions.set(key, partition);
    return partition;
  }
}

/** A bundle that replaces another has most of its documents unchanged, and parsing costs 0.1 ms a policy. */
const read = new Lru<string, readonly ReadPolicy[]>(500);

function policiesOf({ name, text }: PolicyPart): readonly ReadPolicy[] {
  const key = `${name}\0${text}`;
  const known = read.get(key);
  if (known) return known;
  const { policies, problems } = readDocument(name, text);
  const problem = problems[0];
  if (problem) throw new Error(`policy ${name}, line ${problem.line}: ${problem.message}`);
  read.set(key, policies);
  return policies;
}

/** Never narrower than Cedar: what is not recognised may match. */
function coversAction(constraint: PolicyJson["action"], action: string, withGroups: readonly string[]): boolean {
  const named = entitiesOf(constraint).map(({ id }) => id);
  if (constraint.op === "==") return named.includes(action);
  if (constraint.op === "in") return named.some((name) => withGroups.includes(name));
  return true;
}

function coversTarget(constraint: PolicyJson["resource"], targets: readonly EntityId[]): boolean {
  const isNamed = ({ type, id }: EntityId) =>
    entitiesOf(constraint).some((entity) => entity.type === type && entity.id === id);
  if (constraint.op === "==") return isNamed(targets[0]!);
  if (constraint.op === "in") return targets.some(isNamed);
  if (constraint.op === "is") return constraint.entity_type === targets[0]!.type;
  return true;
}

type Told = Omit<StatefulAuthorizationCall, "preparsedPolicySetId">;

/** The question without what no policy can look at. An entity that only has its name need not be told either. */
function toldOf({ principal, action, target, context, entities }: Question, asked: Asked): Told {
  return {
    principal,
    action: { type: "Action", id: action },
    resource: target,
    context: asked.context ? only(asked.context, context) : context,
    entities: [
      ...(asked.attributes
        ? entities
        : entities.flatMap(({ uid, parents }) => (parents.length > 0 ? [{ uid, attrs: {}, parents }] : []))),
      actionEntity(action),
    ],
  };
}

const only = (names: ReadonlySet<string>, context: Context): Context =>
  Object.fromEntries(Object.entries(context).filter(([name]) => names.has(name)));

const undecided = (message: string): Matches => ({
  permits: [],
  forbids: [],
  failed: [{ policy: "", message }],
  timeless: false,
});

function evaluate(partition: Partition, told: Told): Matches {
  const answer = engine.run((cedar) => {
    partition.slot ??= engine.takeSlot();
    if (partition.generation !== engine.generation) {
      const staticPolicies = Object.fromEntries([...partition.policies].map(([id, { source }]) => [id, source.text]));
      const prepared = cedar.preparsePolicySet(partition.slot, { staticPolicies });
      if (prepared.type === "failure") throw new Error(prepared.errors[0]?.message);
      partition.generation = engine.generation;
    }
    return cedar.statefulIsAuthorized({ ...told, preparsedPolicySetId: partition.slot });
  });
  if (answer.type === "failure") return undecided(answer.errors[0]?.message ?? "");
  const { reason, errors } = answer.response.diagnostics;
  // In the order written: Cedar's own order changes from run to run.
  const written = [...partition.policies.values()];
  const decided = written.filter(({ id }) => reason.includes(id));
  const failed = written.flatMap(({ id }) => errors.filter(({ policyId }) => policyId === id));
  return {
    permits: decided.filter(({ effect }) => effect === "permit"),
    forbids: decided.filter(({ effect }) => effect === "forbid"),
    failed: failed.map(({ policyId, error }) => ({ policy: policyId, message: error.message })),
    timeless: partition.timeless,
  };
}

const actionEntity = (leaf: string) => ({
  uid: { type: "Action", id: leaf },
  attrs: {},
  parents: (groupsOf(leaf) ?? []).map((id) => ({ type: "Action", id })),
});

function free(partition: Partition): void {
  if (partition.slot !== null) engine.returnSlot(partition.slot);
  partition.slot = null;
  partition.generation = -1;
}
