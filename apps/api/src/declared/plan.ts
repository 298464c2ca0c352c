import { equals, type Message } from "@bufbuild/protobuf";
import type { InputError } from "../http/problem.js";
import { type Json, represent } from "../http/representation.js";
import type { Understood } from "./document.js";
import type { Kind, Stored } from "./kind.js";
import { labels } from "./labels.js";
import { resources } from "./resources.js";

type Action = "create" | "update" | "unchanged" | "delete";

export interface Step {
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

export type Existing = ReadonlyMap<Kind, ReadonlyMap<string, Stored>>;

export interface PlannedStep extends Step {
  readonly of: Kind;
  readonly wanted: Stored | null;
  readonly seen: bigint;
  /** Of what is wanted: a JSON pointer into the document. */
  readonly at: string;
}

export function planOf({ wanted, places }: Understood, current: Existing, prune: boolean): PlannedStep[] {
  const writes: PlannedStep[] = [];
  const deletions: PlannedStep[] = [];
  for (const [kind, objects] of wanted) {
    const existing = current.get(kind) ?? new Map<string, Stored>();
    for (const object of objects) {
      writes.push({ ...planned(kind, object, existing.get(object.name)), at: places.get(object) ?? "" });
    }
    if (!prune) continue;
    const kept = new Set(objects.map(({ name }) => name));
    for (const { name, version } of existing.values()) {
      if (!kept.has(name)) deletions.unshift(step(kind, name, "delete", [], null, version));
    }
  }
  return [...writes, ...deletions];
}

/** A label's columns must be of a resource that exists or that the document declares. */
export function missingReferences({ wanted, places, namedResources }: Understood, current: Existing): InputError[] {
  const known = new Set([...(current.get(resources)?.keys() ?? []), ...namedResources]);
  return (wanted.get(labels) ?? []).flatMap((label) =>
    (label as Stored & { columns: { resource: string }[] }).columns.flatMap(({ resource }, column) =>
      known.has(resource)
        ? []
        : [
            {
              pointer: `${places.get(label)}/columns/${column}/resource`,
              detail: `there is no resource ${resource}`,
            },
          ],
    ),
  );
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
): PlannedStep => ({ kind: of.one, name, action, changes, outcome: "planned", of, wanted, seen, at: "" });

export const shown = ({ of, wanted, seen, at, ...step }: PlannedStep): Step => step;

/** How far a plan came that failed. */
export function progress(plan: readonly Step[]): string {
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
