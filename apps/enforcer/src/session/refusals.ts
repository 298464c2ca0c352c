import type { Deny, Refusal } from "#commands";
import type { HoldEnd } from "../holds/hold-desk.js";
import type { Understood } from "../semantics/semantics.js";

/** What clients are told, in one place: what happened, and what to do about it. */
export const refusal = {
  controlPlaneAway: (): Refusal => ({
    code: "unavailable",
    message: "The enforcer cannot reach its control plane, so no new session can be opened.",
    hint: "Try again in some seconds.",
  }),

  recordsWaiting: (): Refusal => ({
    code: "unavailable",
    message: "The enforcer has too many records waiting to be shipped, so no new session can be opened.",
    hint: "Try again later; an administrator finds the cause in the enforcer's log.",
  }),

  notRecorded: (): Refusal => ({
    code: "unavailable",
    message: "The command was not run, because it could not be recorded.",
    hint: "Connect again later; an administrator finds the cause in the enforcer's log.",
  }),

  failed: (): Refusal => ({
    code: "unavailable",
    message: "The enforcer failed on this command, which was not run, and the session ends.",
    hint: "Connect again; an administrator finds the cause in the enforcer's log.",
  }),

  notOpened: (): Refusal => ({
    code: "unavailable",
    message: "The session could not be opened.",
    hint: "Try again later; an administrator finds the cause in the enforcer's log.",
  }),

  /** @param uses how many a spent one had; 0 where it was not told */
  tokenNotUsable: (reason: string, uses: number): Refusal => {
    const code = "unauthenticated";
    if (reason === "spent" && uses > 1) {
      return {
        ...{ code, message: `This token has been used up: all of its ${uses} uses.` },
        hint: "Get a new token; one of mode burst can have more uses, and those of one of mode run are not counted.",
      };
    }
    const several = "; whoever opens several connections needs one of mode run, or burst";
    return {
      ...{ code, message: TOKEN[reason] ?? "This token cannot be used." },
      hint: `Get a new token${reason === "spent" ? several : ""}.`,
    };
  },

  otherDatabase: (asked: string, resource: string, database: string): Refusal => ({
    code: "denied",
    message: `This token is for the resource ${resource}, not for a database ${asked}.`,
    hint: `Connect to the database ${database}, or name none.`,
  }),

  notServed: (resource: string): Refusal => ({
    code: "unavailable",
    message: `This enforcer does not serve the resource ${resource}.`,
    hint: "Use the connection settings that came with the token.",
  }),

  denied: ({ reason, advice, policies, epoch, uses }: Deny): Refusal => {
    const by = policies.length > 0 ? `Decided by ${policies.join(", ")}, policy epoch` : "Policy epoch";
    // The first is what the message is about.
    const others = uses.filter(({ permitted }) => !permitted).slice(1, 6);
    const also = others.map(
      ({ action, label, column, use, target }) => `${action} on label ${label} (${column}, ${use || target})`,
    );
    const detail = `${by} ${epoch}.${also.length > 0 ? ` Not permitted either: ${also.join("; ")}.` : ""}`;
    return { code: "denied", message: reason, detail, hint: advice };
  },

  notUnderstood: ({ problems, error }: Pick<Understood, "problems" | "error">): Refusal =>
    error
      ? { code: "not_understood", message: error.message, native: error }
      : {
          code: "not_understood",
          message: `This command was not understood and is denied: ${problems[0]}`,
          ...(problems.length > 1 && { detail: problems.slice(1, 6).join("\n") }),
          hint: "Write it so that what it does can be told from its text.",
        },

  notApproved: ({ code, reason }: Extract<HoldEnd, { kind: "refused" }>, approvalId: string): Refusal => ({
    code,
    message: reason,
    detail: `Approval ${approvalId}.`,
    ...(code === "approval_rejected" && {
      hint: "Change the command so that the reason no longer applies, or speak with who rejected it: the same command sent again asks anew.",
    }),
  }),

  changedWhileHeld: (approvalId: string): Refusal => ({
    code: "denied",
    message:
      "What this command does has changed while it waited, or cannot be told any more: it is not what was approved.",
    detail: `Approval ${approvalId}.`,
    hint: "Send it again to ask anew.",
  }),

  tooLargeToShow: (): Refusal => ({
    code: "denied",
    message:
      "This command needs a person's approval and is denied, because it is too large for a person to be shown all of it.",
    detail: "At most 192 KiB of text and 192 KiB of parameters can be.",
    hint: "Send it in smaller parts.",
  }),

  tooMuchBehind: (): Refusal => ({
    code: "too_large",
    message:
      "Too much was sent behind a command that waits for a person, so the request is withdrawn and the session ends.",
    hint: "Connect again, and send what comes next when the command has been decided.",
  }),

  revoked: (reason: string): Refusal => ({
    code: "revoked",
    message: `This session has been ended${reason ? `: ${reason}` : "."}`,
    hint: "Get a new token if you still need access.",
  }),

  expired: (): Refusal => ({
    code: "lease_ended",
    message: "This session has reached the end of its token's lifetime.",
    hint: "Get a new token and connect again.",
  }),

  leaseEnded: (): Refusal => ({
    code: "lease_ended",
    message: "The enforcer has lost its control plane for longer than the policy permits, so this session is closed.",
    hint: "Connect again in some seconds.",
  }),

  shutdown: (): Refusal => ({
    code: "unavailable",
    message: "The enforcer is shutting down.",
    hint: "Connect again; another enforcer may answer.",
  }),

  upstreamGone: (resource: string): Refusal => ({
    code: "unavailable",
    message: `The resource ${resource} closed the connection.`,
    hint: "Connect again.",
  }),
} as const;

const TOKEN: Readonly<Record<string, string>> = {
  spent: "This token has been used up.",
  expired: "This token has expired.",
  revoked: "This token has been revoked.",
  window_closed: "This token's window for further connections has closed.",
  unknown: "This token is not known.",
};
