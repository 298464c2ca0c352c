import type { Operation, SessionFacts } from "#commands";
import type { ReadPolicy } from "./document.js";
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
    advice:
      `${ASK} for a policy that permits Action::"${action}" on Resource::"${session.resource}" to this agent` +
      `${session.principal.groups.length > 0 ? ` or a group of it (${some(session.principal.groups)})` : ""}.`,
    policies: [],
  }),

  forbidden: (subject: string, policies: readonly ReadPolicy[]): Denial => ({
    reason: `Policy ${policies[0]!.id} forbids ${subject}${because(policies[0]!)}`,
    advice: "Change the command so that the policy does not apply to it; an administrator can change the policy.",
    policies: policies.map(({ id }) => id),
  }),

  outOfScope: (action: string, scope: readonly string[]): Denial => ({
    reason: `The token is limited to ${some(scope)}; ${action} is outside of that.`,
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
