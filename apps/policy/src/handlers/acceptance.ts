import { validatePolicies } from "#decisions";
import { Refused } from "#event-store";
import { checkTransform } from "#masking";
import { protocols } from "#protocols";
import { invalid } from "../domain/checks.js";
import type { LabelDefinition } from "../domain/label.js";
import type { PolicyDefinition } from "../domain/policy-document.js";
import type { ResourceDefinition } from "../domain/resource.js";
import type { Definitions, Kind } from "../projections/declarations.js";

/** What a definition is checked for besides its own rules: that there is the protocol, the transform, the Cedar it names. */
export const ACCEPTANCE: { readonly [K in Kind]: (definition: Definitions[K]) => void } = {
  resource: checkProtocol,
  label: checkLabelTransform,
  policy: checkPolicies,
};

function checkProtocol({ protocol }: ResourceDefinition): void {
  if (protocols.has(protocol)) return;
  throw invalid("protocol", `${JSON.stringify(protocol)} is not known; known: ${[...protocols.keys()].join(", ")}`);
}

function checkLabelTransform({ transform }: LabelDefinition): void {
  const problem = checkTransform(transform);
  if (problem) throw invalid("transform", problem);
}

const SHOWN = 5;

function checkPolicies({ text }: PolicyDefinition): void {
  const problems = validatePolicies(text);
  const [first] = problems;
  if (!first) return;
  const told = problems
    .slice(0, SHOWN)
    .map(({ line, column, message }) => `line ${line}, column ${column}: ${message}`);
  const more = problems.length > SHOWN ? ` (and ${problems.length - SHOWN} more)` : "";
  throw new Refused("invalid", `text: ${told.join("; ")}${more}`, {
    field: "text",
    line: String(first.line),
    column: String(first.column),
  });
}
