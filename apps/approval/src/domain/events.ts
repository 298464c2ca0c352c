import type { DomainEvent } from "#event-store";

/** Who asked; as `#commands` has it. */
export interface Principal {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly run: string;
  readonly onBehalfOf: readonly string[];
}

/** Who decides. */
export interface Actor {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
}

/** One exact command that waits at an enforcer. */
export interface HeldCommand {
  readonly enforcerId: string;
  readonly sessionId: string;
  readonly requester: Principal;
  readonly resource: string;
  readonly statement: string;
  /** As shown to the approver. */
  readonly parameters: readonly string[];
  /** SHA-256 of the exact command, hexadecimal. */
  readonly digest: string;
  readonly policyEpoch: number;
  readonly policies: readonly string[];
  /** The group that may decide; empty means any approver. */
  readonly approvers: string;
  readonly quorum: number;
  readonly reason: string;
  /** The approval in whose place it is asked for, since the policy changed meanwhile; absent: none. */
  readonly replaces?: string;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
  readonly expiresAt: number;
}

export interface Vote {
  readonly by: Actor;
  readonly approve: boolean;
  readonly reason: string;
  readonly at: number;
}

export type ApprovalEvent =
  | DomainEvent<"ApprovalRequested", HeldCommand>
  | DomainEvent<"VoteCast", Vote>
  | DomainEvent<"ApprovalGranted", { readonly at: number }>
  | DomainEvent<"ApprovalRejected", { readonly at: number; readonly reason: string }>
  | DomainEvent<"ApprovalExpired", { readonly at: number }>
  | DomainEvent<"ApprovalWithdrawn", { readonly at: number; readonly reason: string }>
  | DomainEvent<"ApprovalConsumed", { readonly at: number }>;
