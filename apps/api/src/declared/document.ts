import { type PolicyProblem, validatePolicies } from "#decisions";
import { checkTransform, type TransformSpec } from "#masking";
import { inspect } from "../http/input.js";
import type { InputError } from "../http/problem.js";
import { parse } from "../http/representation.js";
import { issuers } from "./issuers.js";
import type { Kind, Stored } from "./kind.js";
import { labels } from "./labels.js";
import { policies } from "./policies.js";
import { resources } from "./resources.js";

/** In the order they are written: what others refer to comes first. Deletions go the other way round. */
export const KINDS: readonly Kind[] = [issuers, resources, labels, policies];

export type Document = Readonly<Record<string, unknown>>;

/** What a document wants there to be, in its order. */
export type Wanted = ReadonlyMap<Kind, readonly Stored[]>;

/** A document as far as it can be understood: what is wrong with one object keeps nobody from looking at the others. */
export interface Understood {
  /** What is sound in itself. */
  readonly wanted: Wanted;
  /** Of each of these: a JSON pointer into the document. */
  readonly places: ReadonlyMap<Stored, string>;
  /** Resources that the document names, sound or not: what refers to them is not wrong for that. */
  readonly namedResources: ReadonlySet<string>;
  readonly errors: readonly InputError[];
}

/** The objects a document declares, and all that is wrong with it by what it says itself. */
export function readDocument(document: Document): Understood {
  const errors: InputError[] = [];
  const places = new Map<Stored, string>();
  for (const key of Object.keys(document)) {
    if (!KINDS.some(({ many }) => many === key)) {
      errors.push({ pointer: `/${key}`, detail: `is not one of ${KINDS.map(({ many }) => many).join(", ")}` });
    }
  }
  const wanted = new Map<Kind, Stored[]>();
  for (const kind of KINDS) {
    const listed = document[kind.many];
    if (listed === undefined) continue;
    if (Array.isArray(listed)) wanted.set(kind, readObjects(kind, listed, places, errors));
    else errors.push({ pointer: `/${kind.many}`, detail: "must be a list" });
  }
  if (wanted.size === 0 && errors.length === 0) {
    errors.push({ pointer: "", detail: `declares nothing: give ${KINDS.map(({ many }) => many).join(", ")}` });
  }
  return { wanted, places, namedResources: namesIn(document[resources.many]), errors };
}

function namesIn(listed: unknown): ReadonlySet<string> {
  const names = Array.isArray(listed) ? listed.map((each) => (each as { name?: unknown } | null)?.name) : [];
  return new Set(names.filter((name) => typeof name === "string"));
}

function readObjects(
  kind: Kind,
  listed: readonly unknown[],
  places: Map<Stored, string>,
  errors: InputError[],
): Stored[] {
  const names = new Set<string>();
  return listed.flatMap((plain, index) => {
    const at = `/${kind.many}/${index}`;
    const [object, found] = inspect(kind.declared, plain, "body", at);
    const sound = (field: string) => !found.some(({ pointer = "" }) => `${pointer}/`.startsWith(`${at}/${field}/`));
    if (sound("name") && names.has(object.name)) {
      found.push({ pointer: `${at}/name`, detail: `${object.name} is declared twice` });
    }
    names.add(object.name);
    if (kind === policies && sound("text")) {
      found.push(...policyErrors(object as { name: string; text?: string }, `${at}/text`));
    }
    if (kind === labels && sound("transform")) {
      found.push(...transformErrors(object as unknown as { transform?: TransformSpec }, `${at}/transform`));
    }
    errors.push(...found);
    if (found.length > 0) return [];
    const stored = parse(kind.schema, object) as Stored;
    places.set(stored, at);
    return [stored];
  });
}

const policyErrors = ({ name, text = "" }: { name: string; text?: string }, pointer: string): InputError[] =>
  validatePolicies(text).map((problem) => atPlace(name, problem, pointer));

function transformErrors({ transform }: { transform?: TransformSpec }, pointer: string): InputError[] {
  const problem = transform ? checkTransform(transform) : null;
  return problem === null ? [] : [{ pointer, detail: problem }];
}

export const atPlace = (policy: string, { line, column, message }: PolicyProblem, pointer: string): InputError => ({
  pointer,
  detail: `policy ${policy}, line ${line}, column ${column}: ${message}`,
});
