import { ANYWHERE, type ColumnUse, type Copy, type Operation, type SessionFacts } from "#commands";
import type { ReadPolicy } from "./document.js";
import type { LabelQuestion } from "./label-index.js";
import { groupsOf } from "./schema.js";

/** Why a command is denied, and what a person can do about it. */
export interface Denial {
  readonly reason: string;
  readonly advice: string;
  readonly policies: readonly string[];
}

const ASK = "Ask an administrator";

export const denial = {
  unknownResource: (resource: string): Denial => ({
    reason: `There is no resource ${resource} in the policy in force here.`,
    advice: `${ASK} whether ${resource} still exists and which enforcers serve it.`,
    policies: [],
  }),

  notPermitted: (subject: string, action: string, session: SessionFacts): Denial => ({
    reason: `No policy permits ${subject} on ${session.resource} to ${session.principal.id}.`,
    advice: `${ASK} for a policy that permits Action::"${action}" on Resource::"${session.resource}" to ${agentOf(session)}.`,
    policies: [],
  }),

  useNotPermitted: (question: LabelQuestion, session: SessionFacts): Denial => {
    const { label, use, column, kind } = question;
    const limit = use.action === "copy" ? `context.target == "${kind}"` : `context.use == "${kind}"`;
    const asking =
      `${ASK} for a policy that permits Action::"${use.action}" on Label::"${label}" to ${agentOf(session)} ` +
      `(when { ${limit} } limits it to this).`;
    const says = (reason: string, instead: string): Denial => ({
      reason,
      advice: `${instead}, or ${asking.charAt(0).toLowerCase()}${asking.slice(1)}`,
      policies: [],
    });
    if (use.action !== "copy" && use.use === "plan") {
      return says(
        `No policy permits ${useOf(question)} to ${session.principal.id}: ${use.by} in ${use.clause} chooses or measures how ` +
          `the server goes about ${column === ANYWHERE ? "its work" : column}, which tells the order of what the label hides.`,
        `Leave ${use.by} out`,
      );
    }
    if (use.action !== "copy") {
      return says(
        `No policy permits ${useOf(question)} to ${session.principal.id}: ${column === ANYWHERE ? "what" : column} ` +
          `${USES[use.use]}${use.by ? ` by ${use.by}` : ""} in ${use.clause}, which tells what the label hides.`,
        `Leave it out of ${use.clause}`,
      );
    }
    if (use.target === ANYWHERE) {
      return says(
        `Code in this command is not read, and could copy values labelled ${label} to where they are not masked.`,
        "Write it as plain statements, let a policy ask for a person's approval of it",
      );
    }
    if (question.computed) {
      return says(
        `No policy permits copy on label ${label} to ${session.principal.id}: this command would put a value computed from ` +
          `${column} into ${use.target}, where its size and what the mask shows would tell of it.`,
        "Copy the column as it stands, or write a value of your own",
      );
    }
    return says(
      `No policy permits copy on label ${label} to ${session.principal.id}: this command would put values labelled ` +
        `${label}${column === ANYWHERE ? "" : ` (${column})`} into ${use.target}, which does not carry the label.`,
      "Leave the column out, let an administrator give the target the same label",
    );
  },

  forbidden: (subject: string, policies: readonly ReadPolicy[]): Denial => ({
    reason: `Policy ${policies[0]!.id} forbids ${subject}${because(policies[0]!)}`,
    advice: "Change the command so that the policy does not apply to it; an administrator can change the policy.",
    policies: policies.map(({ id }) => id),
  }),

  outOfScope: (subject: string, scope: readonly string[], action: string): Denial => ({
    reason: `The token is limited to ${some(scope)}; ${subject} is outside of that.`,
    advice: `Get a token whose scope has ${[action, ...(groupsOf(action) ?? [])].join(" or ")}.`,
    policies: [],
  }),

  unknownAction: (action: string): Denial => ({
    reason: `No policy can speak of ${action}: it is not an action of the schema.`,
    advice: `${ASK} to bring enforcer and control plane to the same version.`,
    policies: [],
  }),

  failed: (subject: string, failed: readonly { readonly policy: string; readonly message: string }[]): Denial => ({
    reason:
      `${failed[0]!.policy ? `Policy ${failed[0]!.policy}` : "The policy engine"} could not decide ${subject}: ` +
      `${failed[0]!.message}. What cannot be decided is denied.`,
    advice: `${ASK} to mend the policy.`,
    policies: failed.flatMap(({ policy }) => (policy ? [policy] : [])),
  }),

  approversDiffer: (groups: readonly string[]): Denial => ({
    reason: `Parts of this command need approvals of different groups (${some(groups)}), and one command has one approval.`,
    advice: "Send its parts as commands of their own.",
    policies: [],
  }),

  disposed: (): Denial => ({
    reason: "The policy has just been replaced.",
    advice: "Send the command again.",
    policies: [],
  }),
};

/** What becomes of the value. */
const USES: Readonly<Record<Exclude<ColumnUse, Copy>["use"], string>> = {
  equality: "is compared for equality",
  join: "is compared with other columns or a computed set",
  pattern: "is matched with a pattern",
  range: "is compared for before and after",
  presence: "is tested for a value",
  other: "decides something",
  sort: "decides the order of rows",
  group: "groups rows",
  distinct: "tells equal rows",
  plan: "tells how the server goes about its work",
};

/** A use of a label as a person would say it. */
export const useOf = ({ label, use, column, kind }: LabelQuestion): string =>
  `${use.action} on label ${label} (${column}, ${use.action === "copy" ? `to ${kind}` : kind})`;

const agentOf = ({ principal: { groups } }: SessionFacts): string =>
  `this agent${groups.length > 0 ? ` or a group of it (${some(groups)})` : ""}`;

/** Actions that a function does: named by it. */
const BY_FUNCTIONS = new Set(["sql:function_write", "sql:call", "sql:system", "sql:nextval", "sql:set"]);

/** An operation as a person would say it. */
export function subjectOf({ action, tablesRead, tablesWritten, functions }: Operation): string {
  const tables = tablesWritten.length > 0 ? tablesWritten : tablesRead;
  const objects = BY_FUNCTIONS.has(action) && functions.length > 0 ? functions : tables;
  return objects.length > 0 ? `${action} (${some(objects)})` : action;
}

const because = ({ annotations }: ReadPolicy): string => {
  if (!annotations.reason) return ".";
  return `: ${annotations.reason}${/[.!?]$/.test(annotations.reason) ? "" : "."}`;
};

const some = (names: readonly string[]): string =>
  names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
