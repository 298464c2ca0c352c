import type { Actor, ApprovalEvent, HeldCommand, Vote } from "./events.js";

export type ApprovalStatus = "pending" | "approved" | "rejected" | "expired" | "withdrawn" | "consumed";

export type ApprovalState =
  | { readonly status: "absent" }
  | {
      readonly status: ApprovalStatus;
      readonly held: HeldCommand;
      /** In the order they were cast; a person's later vote stands beside the earlier one. */
      readonly votes: readonly Vote[];
      /** What the end says beside its status: why it was rejected or withdrawn. */
      readonly because: string;
    };
export type RequestedApproval = Exclude<ApprovalState, { status: "absent" }>;

export const initialState = (): ApprovalState => ({ status: "absent" });

export function evolve(state: ApprovalState, event: ApprovalEvent): ApprovalState {
  if (event.type === "ApprovalRequested") return { status: "pending", held: event.data, votes: [], because: "" };
  if (state.status === "absent") return state;
  switch (event.type) {
    case "VoteCast":
      return { ...state, votes: [...state.votes, event.data] };
    case "ApprovalGranted":
      return { ...state, status: "approved" };
    case "ApprovalRejected":
      return { ...state, status: "rejected", because: event.data.reason };
    case "ApprovalExpired":
      return { ...state, status: "expired" };
    case "ApprovalWithdrawn":
      return { ...state, status: "withdrawn", because: event.data.reason };
    case "ApprovalConsumed":
      return { ...state, status: "consumed" };
    default:
      return event satisfies never;
  }
}

/** Those whose votes made the decision. */
export function decidedBy({ status, votes }: RequestedApproval): readonly Actor[] {
  if (status === "pending" || status === "expired" || status === "withdrawn") return [];
  return votes.filter(({ approve }) => approve === (status !== "rejected")).map(({ by }) => by);
}

/** Whether its command may still run. */
export const isOpen = (status: ApprovalStatus): boolean => status === "pending" || status === "approved";

/** What it is by the clock: a sweep may be late. */
export const statusAt = ({ status, held }: RequestedApproval, now: number): ApprovalStatus =>
  isOpen(status) && now >= held.expiresAt ? "expired" : status;
