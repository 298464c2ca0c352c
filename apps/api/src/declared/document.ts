import { type PolicyProblem, validatePolicies } from "#decisions";
import { checkTransform, type TransformSpec } from "#masking";
import { inspect, invalidInput } from "../http/input.js";
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

/** The objects a document declares, all checked. @throws Problem listing everything that is wrong in it */
export function readDocument(document: Document): Wanted {
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

function transformErrors({ transform }: { transform: TransformSpec }, pointer: string): InputError[] {
  const problem = checkTransform(transform);
  return problem === null ? [] : [{ pointer, detail: problem }];
}

export const atPlace = (policy: string, { line, column, message }: PolicyProblem, pointer: string): InputError => ({
  pointer,
  detail: `policy ${policy}, line ${line}, column ${column}: ${message}`,
});
