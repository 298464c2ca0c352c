import { create, equals, type Message } from "@bufbuild/protobuf";
import { Inject, Injectable } from "@nestjs/common";
import { Bus } from "#bus";
import { type CallContext, modelV1 } from "#contracts";
import { type KnownNames, type PolicyProblem, policyDoubts, validatePolicies } from "#decisions";
import { checkTransform, type TransformSpec } from "#masking";
import { nameUuid } from "../http/caller.js";
import { inspect, invalidInput } from "../http/input.js";
import { FailedPartway, type InputError } from "../http/problem.js";
import { type Json, parse, represent } from "../http/representation.js";
import { issuers } from "./issuers.js";
import type { Kind, Stored } from "./kind.js";
import { labels } from "./labels.js";
import { policies } from "./policies.js";
import { resources } from "./resources.js";

/** In the order they are written: what others refer to comes first. Deletions go the other way round. */
export const KINDS: readonly Kind[] = [issuers, resources, labels, policies];

export type Document = Readonly<Record<string, unknown>>;
type Action = "create" | "update" | "unchanged" | "delete";

interface Step {
  readonly kind: Kind["one"];
  readonly name: string;
  readonly action: Action;
  /** Of an update: the fields that differ, dotted. */
  readonly changes: readonly string[];
  /** `planned` until it is carried out; `skipped` where an earlier step failed. */
  outcome: "planned" | "done" | "failed" | "skipped";
  /** The object's version afterwards. */
  version?: number;
}

type Existing = ReadonlyMap<Kind, ReadonlyMap<string, Stored>>;

interface PlannedStep extends Step {
  readonly of: Kind;
  readonly wanted: Stored | null;
  readonly seen: bigint;
}

export interface Applied {
  readonly plan: readonly Step[];
  /** What is valid, and can never match as things are. */
  readonly warnings: readonly InputError[];
}

/** Makes the declared objects be as a document says. */
@Injectable()
export class Apply {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  /**
   * Checks the whole document, then plans, then (unless `dryRun`) carries the plan out step by step, each on the version
   * that the plan saw. Kinds the document does not name are left alone, also by `prune`.
   *
   * @throws Problem before anything is written where the document is not valid; with `plan` where a step failed
   */
  async apply(document: Document, options: { dryRun: boolean; prune: boolean }, call: CallContext): Promise<Applied> {
    const wanted = readDocument(document);
    const current = await this.current(wanted, call);
    const plan = planOf(wanted, current, options.prune);
    const warnings = warningsOf(wanted, knownAfter(plan, current));
    if (!options.dryRun) await this.carryOut(plan, call);
    return { plan: plan.map(shown), warnings };
  }

  /** What there is of the kinds that the document lists, or refers to. */
  private async current(wanted: ReadonlyMap<Kind, Stored[]>, call: CallContext): Promise<Existing> {
    const current = new Map<Kind, Map<string, Stored>>();
    const named = new Set(wanted.keys());
    if (wanted.has(labels) || wanted.has(policies)) named.add(resources);
    if (wanted.has(policies)) named.add(labels);
    for (const kind of named) current.set(kind, await this.all(kind, call));
    return current;
  }

  private async carryOut(plan: readonly PlannedStep[], call: CallContext): Promise<void> {
    let failure: unknown;
    for (const step of plan) {
      if (failure !== undefined) {
        step.outcome = "skipped";
        continue;
      }
      try {
        await this.carryOutStep(step, { ...call, commandId: nameUuid(`${call.commandId} ${step.kind} ${step.name}`) });
        step.outcome = "done";
      } catch (error) {
        step.outcome = "failed";
        failure = error;
      }
    }
    if (failure !== undefined) throw new FailedPartway(failure, progress(plan), { plan: plan.map(shown) });
  }

  private async carryOutStep(step: PlannedStep, call: CallContext): Promise<void> {
    if (step.action === "unchanged") return;
    const precondition = create(modelV1.PreconditionSchema, { version: step.seen });
    if (step.wanted) {
      const written = await step.of.put(this.bus, step.wanted, precondition, call);
      step.version = Number(written.version);
    } else {
      await step.of.remove(this.bus, step.name, precondition, call);
    }
  }

  private async all(kind: Kind, call: CallContext): Promise<Map<string, Stored>> {
    const found = new Map<string, Stored>();
    let cursor = "";
    do {
      const page = await kind.list(this.bus, create(modelV1.PageRequestSchema, { limit: 500, cursor }), call);
      for (const item of page.items) found.set(item.name, item);
      cursor = page.next;
    } while (cursor !== "");
    return found;
  }
}

/** @throws Problem where the document refers to what is not there */
function planOf(wanted: ReadonlyMap<Kind, Stored[]>, current: Existing, prune: boolean): PlannedStep[] {
  checkReferences(wanted, new Set(current.get(resources)?.keys()));
  const writes: PlannedStep[] = [];
  const deletions: PlannedStep[] = [];
  for (const [kind, objects] of wanted) {
    const existing = current.get(kind) ?? new Map<string, Stored>();
    for (const object of objects) writes.push(planned(kind, object, existing.get(object.name)));
    if (!prune) continue;
    const kept = new Set(objects.map(({ name }) => name));
    for (const { name, version } of existing.values()) {
      if (!kept.has(name)) deletions.unshift(step(kind, name, "delete", [], null, version));
    }
  }
  return [...writes, ...deletions];
}

/** The names that there are once the plan is carried out. */
function knownAfter(plan: readonly PlannedStep[], current: Existing): KnownNames {
  const after = (kind: Kind) => {
    const names = new Set(current.get(kind)?.keys());
    for (const { of, name, action } of plan) {
      if (of === kind && action === "delete") names.delete(name);
      else if (of === kind) names.add(name);
    }
    return names;
  };
  return { resources: after(resources), labels: after(labels) };
}

function warningsOf(wanted: ReadonlyMap<Kind, Stored[]>, known: KnownNames): InputError[] {
  return (wanted.get(policies) ?? []).flatMap((policy, index) => {
    const { name, text } = policy as Stored & { readonly text: string };
    return policyDoubts(text, known).map((doubt) => atPlace(name, doubt, `/policies/${index}/text`));
  });
}

/** The objects a document declares, all checked. @throws Problem listing everything that is wrong in it */
function readDocument(document: Document): Map<Kind, Stored[]> {
  const errors: InputError[] = [];
  for (const key of Object.keys(document)) {
    if (!KINDS.some(({ many }) => many === key)) {
      errors.push({ pointer: `/${key}`, detail: `is not one of ${KINDS.map(({ many }) => many).join(", ")}` });
    }
  }
  const wanted = new Map<Kind, Stored[]>();
  for (const kind of KINDS) {
    const listed = document[kind.many];
    if (listed === undefined) continue;
    if (Array.isArray(listed)) wanted.set(kind, readObjects(kind, listed, errors));
    else errors.push({ pointer: `/${kind.many}`, detail: "must be a list" });
  }
  if (wanted.size === 0 && errors.length === 0) {
    errors.push({ pointer: "", detail: `declares nothing: give ${KINDS.map(({ many }) => many).join(", ")}` });
  }
  if (errors.length > 0) throw invalidInput(errors);
  return wanted;
}

function readObjects(kind: Kind, listed: readonly unknown[], errors: InputError[]): Stored[] {
  const names = new Set<string>();
  return listed.flatMap((plain, index) => {
    const at = `/${kind.many}/${index}`;
    const [object, found] = inspect(kind.declared, plain, "body", at);
    errors.push(...found);
    if (found.length > 0) return [];
    if (names.has(object.name)) errors.push({ pointer: `${at}/name`, detail: `${object.name} is declared twice` });
    names.add(object.name);
    if (kind === policies) errors.push(...policyErrors(object as { name: string; text?: string }, `${at}/text`));
    if (kind === labels)
      errors.push(...transformErrors(object as unknown as { transform: TransformSpec }, `${at}/transform`));
    return [parse(kind.schema, object) as Stored];
  });
}

const policyErrors = ({ name, text = "" }: { name: string; text?: string }, pointer: string): InputError[] =>
  validatePolicies(text).map((problem) => atPlace(name, problem, pointer));

const atPlace = (policy: string, { line, column, message }: PolicyProblem, pointer: string): InputError => ({
  pointer,
  detail: `policy ${policy}, line ${line}, column ${column}: ${message}`,
});

function transformErrors({ transform }: { transform: TransformSpec }, pointer: string): InputError[] {
  const problem = checkTransform(transform);
  return problem === null ? [] : [{ pointer, detail: problem }];
}

/** A label's columns must be of a resource that exists or that the document declares. */
function checkReferences(wanted: ReadonlyMap<Kind, Stored[]>, existing: ReadonlySet<string>): void {
  const known = new Set([...existing, ...(wanted.get(resources) ?? []).map(({ name }) => name)]);
  const errors = (wanted.get(labels) ?? []).flatMap((label, index) =>
    (label as Stored & { columns: { resource: string }[] }).columns.flatMap(({ resource }, column) =>
      known.has(resource)
        ? []
        : [{ pointer: `/labels/${index}/columns/${column}/resource`, detail: `there is no resource ${resource}` }],
    ),
  );
  if (errors.length > 0) throw invalidInput(errors);
}

function planned(kind: Kind, wanted: Stored, existing: Stored | undefined): PlannedStep {
  if (!existing) return step(kind, wanted.name, "create", [], wanted, 0n);
  const { version } = existing;
  if (equals(kind.schema, { ...wanted, version } as Message, existing)) {
    return { ...step(kind, wanted.name, "unchanged", [], wanted, version), version: Number(version) };
  }
  const changes = differences(represent(kind.schema, existing), represent(kind.schema, wanted), "");
  const changed = changes.filter((field) => field !== "version");
  return step(kind, wanted.name, "update", changed, wanted, version);
}

const step = (
  of: Kind,
  name: string,
  action: Action,
  changes: readonly string[],
  wanted: Stored | null,
  seen: bigint,
): PlannedStep => ({ kind: of.one, name, action, changes, outcome: "planned", of, wanted, seen });

const shown = ({ of, wanted, seen, ...step }: PlannedStep): Step => step;

function progress(plan: readonly Step[]): string {
  const failed = plan.find(({ outcome }) => outcome === "failed");
  const done = plan.filter(({ outcome, action }) => outcome === "done" && action !== "unchanged").length;
  return `To ${failed?.action} the ${failed?.kind} ${failed?.name} failed, after ${done} other change${done === 1 ? " was" : "s were"} made`;
}

/** The dotted paths at which two views differ; lists count as one value. */
function differences(a: Json | undefined, b: Json | undefined, path: string): string[] {
  if (isObject(a) && isObject(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
      differences(a[key], b[key], path ? `${path}.${key}` : key),
    );
  }
  return JSON.stringify(a) === JSON.stringify(b) ? [] : [path];
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
