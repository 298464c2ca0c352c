import type { Transform } from "./bundle.js";

/** What is decided about a command. */
export type Verdict = Allow | Hold | Deny;

interface Decided {
  /** The policies that decided, as `document` or `document#2`. */
  readonly policies: readonly string[];
  readonly epoch: number;
  /** What the command does with values of labels that are masked, as far as it was decided. */
  readonly uses: readonly LabelUse[];
}

/** How many rows a command may give or change. */
export interface RowLimit {
  readonly rows: number;
  /** The policy that says so. */
  readonly policy: string;
  /** The actions of the command that are limited, each once. */
  readonly actions: readonly string[];
}

export interface Allow extends Decided {
  readonly kind: "allow";
  readonly rowLimit: RowLimit | null;
  /** Labels this principal may not see on this resource: whatever carries one is masked. */
  readonly masked: readonly MaskedLabel[];
}

export interface Hold extends Decided {
  readonly kind: "hold";
  readonly rowLimit: RowLimit | null;
  readonly masked: readonly MaskedLabel[];
  /** The group that may decide; empty means any approver. */
  readonly approvers: string;
  readonly quorum: number;
  readonly ttlSeconds: number;
  readonly reason: string;
}

export interface Deny extends Decided {
  readonly kind: "deny";
  /** Why, in a sentence; names the policy where one forbade it. */
  readonly reason: string;
  /** What a person can do about it. */
  readonly advice: string;
}

/** A use of a labelled value, and whether policy permits it. */
export interface LabelUse {
  readonly action: "filter" | "order" | "copy";
  readonly label: string;
  /** `schema.table.column`; `*` where it could be any. */
  readonly column: string;
  /** How, of `filter` and `order`; empty of `copy`. */
  readonly use: string;
  /** Where to, of `copy`; empty otherwise. */
  readonly target: string;
  readonly permitted: boolean;
}

export interface MaskedLabel {
  readonly label: string;
  readonly transform: Transform;
}

/** A refusal as the enforcer knows it; each protocol says it in its own words. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  /** Set where `message` is the resource's own: what stands with it there. */
  readonly native?: Pick<NativeError, "code" | "position">;
}

/** How the resource itself answers a command that cannot succeed there: it is refused here in the same words. */
export interface NativeError {
  /** The resource's own code, such as an SQLSTATE. */
  readonly code: string;
  readonly message: string;
  /** Where in the command's text: characters, from 1. */
  readonly position?: number;
}

export type RefusalCode =
  /** The login was not proved. */
  | "unauthenticated"
  /** A policy, or the lack of one, denies it. */
  | "denied"
  /** The command could not be understood. */
  | "not_understood"
  | "approval_rejected"
  | "approval_expired"
  | "approval_withdrawn"
  /** Try again later: the control plane, the upstream or the spool is not available. */
  | "unavailable"
  /** The session has been ended by the control plane. */
  | "revoked"
  /** The lease ran out. */
  | "lease_ended"
  /** Not what the protocol says. */
  | "malformed"
  | "too_large"
  /** The protocol has it, the enforcer does not carry it. */
  | "unsupported";
