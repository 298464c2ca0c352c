import type { DetailedError, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { type Annotations, readAnnotations } from "./annotations.js";
import { CedarFailure, engine } from "./cedar.js";
import { CONNECT, LABEL_ACTIONS } from "./schema.js";
import { fromByteOffset, nesting, type PolicySource, position, splitPolicies } from "./source-text.js";

/** One policy, parsed. */
export interface ReadPolicy {
  /** `document`, `document#2` or `document#<@id>`: how verdicts name it. */
  readonly id: string;
  readonly source: PolicySource;
  readonly effect: "permit" | "forbid";
  readonly annotations: Annotations;
  readonly json: PolicyJson;
}

/** Why a document is refused. Lines and columns count from 1. */
export interface PolicyProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const MAX_DOCUMENT_LENGTH = 100_000;
const MAX_POLICIES = 1_000;
const MAX_NESTING = 32;

/** Parses a document's policies and their annotations; the policies are complete only where there is no problem. */
export function readDocument(
  name: string,
  text: string,
): { readonly policies: readonly ReadPolicy[]; readonly problems: readonly PolicyProblem[] } {
  const problems: PolicyProblem[] = [];
  const refuse = (offset: number, message: string) => problems.push({ ...position(text, offset), message });
  if (text.length > MAX_DOCUMENT_LENGTH) {
    refuse(0, `the document is longer than ${MAX_DOCUMENT_LENGTH} characters; split it into several`);
    return { policies: [], problems };
  }
  const sources = splitPolicies(text);
  if (sources.length === 0) refuse(0, "the document holds no policy");
  if (sources.length > MAX_POLICIES) {
    refuse(0, `the document holds more than ${MAX_POLICIES} policies; split it into several`);
    return { policies: [], problems };
  }

  const policies: ReadPolicy[] = [];
  const seen = new Set<string>();
  sources.forEach((source, index) => {
    const parsed = parse(source);
    if ("problem" in parsed) {
      refuse(source.offset + parsed.offset, parsed.problem);
      return;
    }
    const { json } = parsed;
    const { annotations, problems: doubts } = readAnnotations(json.effect, json.annotations ?? {});
    for (const doubt of doubts) refuse(source.offset, doubt);
    if (annotations.maxRows !== null && !namesCommands(json)) {
      refuse(source.offset, '@max_rows limits commands, so the policy must name them: action in Action::"sql:read"');
    }
    if (annotations.approval && !namesCommands(json)) {
      refuse(
        source.offset,
        '@approval holds commands, so the policy must name them: action in Action::"sql:ddl", for example ' +
          `(never ${[CONNECT, ...LABEL_ACTIONS].join(", ")}, which cannot wait)`,
      );
    }
    if (annotations.id !== null) {
      if (seen.has(annotations.id)) refuse(source.offset, `@id("${annotations.id}") is used twice in this document`);
      seen.add(annotations.id);
    }
    const id =
      annotations.id !== null ? `${name}#${annotations.id}` : sources.length === 1 ? name : `${name}#${index + 1}`;
    policies.push({ id, source, effect: json.effect, annotations, json });
  });
  return { policies, problems };
}

function parse(
  source: PolicySource,
): { readonly json: PolicyJson } | { readonly problem: string; readonly offset: number } {
  if (nesting(source.text) > MAX_NESTING) {
    return { problem: `brackets nest more than ${MAX_NESTING} deep`, offset: 0 };
  }
  try {
    const answer = engine.run((cedar) => cedar.policyToJson(source.text));
    if (answer.type === "success") return { json: answer.json };
    const error = answer.errors[0];
    return error
      ? { problem: sentence(error), offset: offsetOf(source, error) }
      : { problem: "not a policy", offset: 0 };
  } catch (error) {
    if (!(error instanceof CedarFailure)) throw error;
    return { problem: TOO_COMPLEX, offset: 0 };
  }
}

export const TOO_COMPLEX = "the policy is too long or nested too deeply for the policy engine; split it into several";

/** Where in the piece Cedar points. */
export function offsetOf(source: PolicySource, error: DetailedError): number {
  const start = error.sourceLocations?.[0]?.start;
  return start === undefined ? 0 : fromByteOffset(source.text, start);
}

/**
 * Cedar's message and help, without its own names for our policies.
 * @param named the help with a name that is not known
 */
export function sentence(error: DetailedError, named = ""): string {
  const message = error.message.replace(/^failed to parse policy[^:]*: /, "").replace(/^for policy `[^`]*`, /, "");
  const theirs = error.help?.replace(/^for policy `[^`]*`, /, "");
  // Cedar's guesses may be of another kind, or far off.
  const help = theirs?.startsWith("did you mean") ? named : (theirs ?? (named || missingEnd(error)));
  return help ? `${message} (${help})` : message;
}

/** Where the parser would have taken a `;`, or has read `permit` as one more condition's keyword. */
function missingEnd({ message, sourceLocations }: DetailedError): string | null {
  const expected = sourceLocations?.[0]?.label ?? "";
  if (expected.includes("`;`")) return "is the `;` missing that ends a policy?";
  return message.endsWith("unexpected token `(`") && expected === "expected `{`"
    ? "is a `;` missing, which ends a policy, before the next one?"
    : null;
}

function namesCommands(json: PolicyJson): boolean {
  const named = entitiesOf(json.action).map((entity) => entity.id);
  return named.length > 0 && !named.some((name) => name === CONNECT || LABEL_ACTIONS.has(name));
}

/** The entities a scope constraint names, whichever way Cedar writes them. */
export function entitiesOf(constraint: object): readonly { readonly type: string; readonly id: string }[] {
  const { entity, entities } = constraint as { entity?: unknown; entities?: readonly unknown[] };
  return [...(entity === undefined ? [] : [entity]), ...(entities ?? [])].map((given) => {
    const uid = given as { __entity?: { type: string; id: string }; type: string; id: string };
    return uid.__entity ?? uid;
  });
}
