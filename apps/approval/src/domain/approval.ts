import { type Decider, Refused } from "#event-store";
import type { Actor, ApprovalEvent, HeldCommand, Vote } from "./events.js";
import { isRequester, mayDecide, samePerson } from "./people.js";
import { type ApprovalState, evolve, initialState, isOpen, type RequestedApproval, statusAt } from "./state.js";

export type ApprovalCommand =
  | { readonly type: "Hold"; readonly held: HeldCommand }
  | {
      readonly type: "Decide";
      readonly by: Actor;
      readonly approve: boolean;
      readonly reason: string;
      readonly now: number;
    }
  | { readonly type: "Withdraw"; readonly enforcerId: string; readonly reason: string; readonly now: number }
  | { readonly type: "Expire"; readonly now: number }
  /** Nobody waits for it any more. */
  | { readonly type: "Abandon"; readonly reason: string; readonly now: number }
  | {
      readonly type: "Consume";
      readonly enforcerId: string;
      readonly sessionId: string;
      readonly digest: string;
      readonly now: number;
    };

const NO_SUCH = "there is no such approval";

type CommandOf<Type extends ApprovalCommand["type"]> = Extract<ApprovalCommand, { type: Type }>;

/** A request for a human decision on one exact command, from its hold to the one time its command may run. */
export const approval: Decider<ApprovalState, ApprovalCommand, ApprovalEvent> = { initialState, evolve, decide };

function decide(command: ApprovalCommand, state: ApprovalState): readonly ApprovalEvent[] {
  if (command.type === "Hold") return hold(command, state);
  if (state.status === "absent") throw new Refused("not_found", NO_SUCH);
  switch (command.type) {
    case "Decide":
      return vote(command, state);
    case "Withdraw":
      return withdraw(command, state);
    case "Expire":
      return state.status !== "expired" && statusAt(state, command.now) === "expired"
        ? [{ type: "ApprovalExpired", data: { at: command.now } }]
        : [];
    case "Abandon":
      return isOpen(statusAt(state, command.now))
        ? [{ type: "ApprovalWithdrawn", data: { at: command.now, reason: command.reason } }]
        : [];
    case "Consume":
      return consume(command, state);
    default:
      return command satisfies never;
  }
}

/** The same hold again is the one there is; its time began when it was first asked. */
function hold({ held }: CommandOf<"Hold">, state: ApprovalState): readonly ApprovalEvent[] {
  if (state.status === "absent") return [{ type: "ApprovalRequested", data: held }];
  const { enforcerId, sessionId, digest } = state.held;
  if (held.enforcerId === enforcerId && held.sessionId === sessionId && held.digest === digest) return [];
  throw new Refused("conflict", "this approval is for another command");
}

function vote({ by, approve, reason, now }: CommandOf<"Decide">, state: RequestedApproval): readonly ApprovalEvent[] {
  const { held, votes } = state;
  if (!mayDecide(by, held.approvers)) {
    const scoped = held.approvers === "" ? "" : `, or approver:${held.approvers}`;
    throw new Refused("forbidden", `deciding on this needs the role admin or approver${scoped}`);
  }
  if (isRequester(by, held.requester)) {
    throw new Refused("forbidden", `${by.name || by.id} asked for it, or had it asked for: someone else must decide`);
  }
  const mine = votes.findLast((earlier) => samePerson(earlier.by, by));
  const status = statusAt(state, now);
  if (mine && mine.approve === approve && (isOpen(status) || status === "rejected")) return [];
  if (status !== "pending") throw new Refused("gone", goneAs(status, state));

  const cast: Vote = { by: { id: by.id, name: by.name, roles: [...by.roles] }, approve, reason, at: now };
  const event = { type: "VoteCast", data: cast } as const;
  if (!approve) return [event, { type: "ApprovalRejected", data: { at: now, reason } }];
  return approvals([...votes, cast]) < held.quorum ? [event] : [event, { type: "ApprovalGranted", data: { at: now } }];
}

const GONE = {
  approved: "it is approved already",
  rejected: "it is rejected already",
  expired: "it has expired: the command must be run again, which asks anew",
  withdrawn: "it was withdrawn",
  consumed: "it was approved, and its command has run",
};

const goneAs = (status: keyof typeof GONE, { because }: RequestedApproval) =>
  status === "withdrawn" && because !== "" ? `${GONE[status]}: ${because}` : GONE[status];

/** How many people approve. */
function approvals(votes: readonly Vote[]): number {
  const people: Actor[] = [];
  for (const { by, approve } of votes) {
    if (approve && !people.some((person) => samePerson(person, by))) people.push(by);
  }
  return people.length;
}

/** Also of what was let through and did not run: a cancel may meet the answer on its way, and only its enforcer knows. */
function withdraw({ enforcerId, reason, now }: CommandOf<"Withdraw">, { status, held }: RequestedApproval) {
  if (held.enforcerId !== enforcerId) throw new Refused("forbidden", "another enforcer holds this command");
  if (!isOpen(status) && status !== "consumed") return [];
  return [{ type: "ApprovalWithdrawn", data: { at: now, reason } } as const];
}

/** The one place where an approval lets its command through. */
function consume(command: CommandOf<"Consume">, state: RequestedApproval): readonly ApprovalEvent[] {
  const { enforcerId, sessionId, digest, now } = command;
  const { held } = state;
  // Another enforcer learns nothing of it, nor that it exists.
  if (enforcerId !== held.enforcerId) throw new Refused("not_found", NO_SUCH);
  if (sessionId !== held.sessionId) throw notGranted("it was approved for another session");
  if (digest !== held.digest) throw notGranted("this is not the command that was approved");
  const status = statusAt(state, now);
  if (status !== "approved") throw notGranted(status === "pending" ? "it is not decided yet" : NOT_GRANTED[status]);
  return [{ type: "ApprovalConsumed", data: { at: now } }];
}

const NOT_GRANTED = {
  rejected: "it was rejected",
  expired: "it has expired",
  withdrawn: "it was withdrawn",
  consumed: "it has been used already",
};

const notGranted = (message: string) => new Refused("gone", message, { why: "not_granted" });

/** Why a command was not let through, where that is what the error says. */
export const notGrantedReason = (error: unknown): string | null =>
  error instanceof Refused && error.details.why === "not_granted" ? error.message : null;
