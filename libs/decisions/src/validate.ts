import type { DetailedError } from "@cedar-policy/cedar-wasm/nodejs";
import { CedarFailure, engine } from "./cedar.js";
import {
  entitiesOf,
  offsetOf,
  type PolicyProblem,
  type ReadPolicy,
  readDocument,
  sentence,
  TOO_COMPLEX,
} from "./document.js";
import { impossibleNames } from "./expression.js";
import { CEDAR_SCHEMA, isOnlyGroup } from "./schema.js";
import { position } from "./source-text.js";
import { allMisplaced, helpWithName, misplacedActions } from "./vocabulary.js";

/**
 * Why a policy document may not be put in force; empty where it may. Besides syntax, types and annotations, a policy
 * that can never apply is refused too: a guardrail that guards nothing is worse than none.
 */
export function validatePolicies(text: string): readonly PolicyProblem[] {
  const { policies, problems } = readDocument("policy", text);
  const found = [...problems];
  for (const policy of policies) {
    for (const { offset, message } of problemsOf(policy))
      found.push({ ...position(text, policy.source.offset + offset), message });
  }
  return once(found).sort((a, b) => a.line - b.line || a.column - b.column);
}

/** The engine checks a policy for each action it can apply to, and says the same of each. */
function once(found: readonly PolicyProblem[]): PolicyProblem[] {
  const said = new Map<string, PolicyProblem>();
  for (const problem of found) {
    const { line, column, message } = problem;
    const key = `${line}:${column} ${message.replace(/ for Action::"[^"]*"/g, "").replace(/ \((did you mean|known here).*$/, "")}`;
    if (!said.has(key)) said.set(key, problem);
  }
  return [...said.values()];
}

interface Found {
  /** Within the policy's text. */
  readonly offset: number;
  readonly message: string;
}

function problemsOf(policy: ReadPolicy): readonly Found[] {
  const { source, json } = policy;
  for (const { id } of json.action.op === "==" ? entitiesOf(json.action) : []) {
    if (isOnlyGroup(id)) {
      const message = `Action::"${id}" is a group of actions: write action in Action::"${id}"`;
      return [{ offset: Math.max(0, source.text.indexOf(`"${id}"`)), message }];
    }
  }
  if (json.resource.op !== "All" && allMisplaced(json)) return misplaced(policy);
  let answer: ReturnType<typeof validate>;
  try {
    answer = validate(source.text);
  } catch (error) {
    if (!(error instanceof CedarFailure)) throw error;
    return [{ offset: 0, message: TOO_COMPLEX }];
  }
  const found = (error: DetailedError): Found => ({
    offset: offsetOf(source, error),
    message: sentence(error, helpWithName(error, json)),
  });
  if (answer.type === "failure") return answer.errors.map(found);
  const raised = answer.validationErrors.length > 0 ? answer.validationErrors : answer.validationWarnings.slice(0, 1);
  const impossible = raised.some(({ error }) => error.message.includes("policy is impossible"));
  if (impossible && allMisplaced(json)) return misplaced(policy);
  return [
    ...raised.map(({ error }) => found(error)),
    ...answer.otherWarnings.map(found),
    ...impossibleNames(json.conditions).map(({ name, message }) => ({
      offset: Math.max(0, source.text.indexOf(`"${name}"`)),
      message,
    })),
  ];
}

/** Cedar would only say that the policy never applies. */
function misplaced({ source, json }: ReadPolicy): readonly Found[] {
  const offset = Math.max(0, source.text.search(/(?<!\.)\bresource\s*(==|in\b|is\b)/));
  return misplacedActions(json).map(({ message }) => ({ offset, message }));
}

/** `success` says only that validation ran: the lists tell what it found. */
const validate = (text: string) =>
  engine.run((cedar) => cedar.validate({ schema: CEDAR_SCHEMA, policies: { staticPolicies: { policy: text } } }));
