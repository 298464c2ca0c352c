import { randomUUID } from "node:crypto";
import type { Hold, Principal, RefusalCode } from "#commands";
import { approvalV1, edgeV1 } from "#contracts";
import type { Clock } from "../clock.js";
import { type ControlPlane, ControlPlaneAway, ControlPlaneRefused } from "../control/control-plane.js";

const { ApprovalStatus } = approvalV1;

/** How a hold ends. Only `granted` lets the command go, and the control plane gives that once. */
export type HoldEnd =
  | { readonly kind: "granted"; readonly by: readonly Approver[] }
  | {
      readonly kind: "refused";
      readonly status: approvalV1.ApprovalStatus;
      readonly code: RefusalCode;
      readonly reason: string;
      readonly by: readonly Approver[];
    }
  /** The policy is another one now, and the approval is bound to the one before: decide again. */
  | { readonly kind: "policy-changed" };

interface Approver {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
}

export interface HeldCommand {
  readonly approvalId: string;
  /** Whether the command still waits once the control plane has answered the request. Never rejects. */
  readonly asked: Promise<boolean>;
  /** Never rejects. */
  readonly ended: Promise<HoldEnd>;
  /** The command waits no longer; nothing where it does not wait any more. */
  withdraw(reason: string): void;
  /** The command will not leave: it is withdrawn, also where it has been let through. */
  giveBack(reason: string): void;
  policyChanged(): void;
}

/** What is shown to the approver, and what the decision is bound to. */
export interface HoldSubject {
  readonly session: string;
  readonly principal: Principal;
  readonly resource: string;
  readonly statement: string;
  readonly parameters: readonly string[];
  readonly digest: Uint8Array;
  /** Milliseconds since 1970: its session ends then, and what it waits for with it. */
  readonly sessionEnds: number;
  /** The approval in whose place this one is asked for, since the policy has changed; empty: none. */
  readonly replaces: string;
}

export const withdrawn = (reason: string): HoldEnd => ({
  kind: "refused",
  status: ApprovalStatus.WITHDRAWN,
  code: "approval_withdrawn",
  reason,
  by: [],
});

/** A decision whose push was lost is found within this, and a withdrawal that nobody heard said again. */
const POLL_MS = 3_000;
const UNDECIDED = "Nobody decided in time. Send the command again to ask anew.";
const LOST = "It was approved, but the answer was lost on its way. Send the command again to ask anew.";

/** The commands of this node that wait for a person. */
export class HoldDesk {
  readonly #waiting = new Map<string, Held>();

  constructor(
    private readonly control: Pick<ControlPlane, "call">,
    private readonly clock: Clock,
  ) {}

  hold(subject: HoldSubject, verdict: Hold): HeldCommand {
    const held = new Held(this.control, this.clock, subject, verdict, () => this.#waiting.delete(held.approvalId));
    this.#waiting.set(held.approvalId, held);
    return held;
  }

  /** The control plane has pushed a decision. */
  decided(push: edgeV1.ApprovalDecided): void {
    this.#waiting.get(push.approvalId)?.decided(push);
  }

  get size(): number {
    return this.#waiting.size;
  }
}

class Held implements HeldCommand {
  readonly approvalId = randomUUID();
  readonly asked: Promise<boolean>;
  readonly ended: Promise<HoldEnd>;
  #finish!: (end: HoldEnd) => void;
  #over = false;
  #consuming = false;
  /** The control plane may have let the command through, and its answer is not here. */
  #unanswered = false;
  #granted = false;
  /** By our clock: what nobody has used by then is of no use to anybody. */
  #until = 0;
  #stopExpiry = () => {};
  #stopPoll = () => {};

  constructor(
    private readonly control: Pick<ControlPlane, "call">,
    private readonly clock: Clock,
    private readonly subject: HoldSubject,
    private readonly verdict: Hold,
    private readonly left: () => void,
  ) {
    this.ended = new Promise((resolve) => (this.#finish = resolve));
    this.asked = this.#ask().then(() => !this.#over);
  }

  async #ask(): Promise<void> {
    const { subject, verdict, approvalId } = this;
    const sessionSeconds = Math.max(1, Math.ceil((subject.sessionEnds - this.clock.now()) / 1000));
    const ttlSeconds = Math.min(verdict.ttlSeconds, sessionSeconds);
    this.#until = this.clock.now() + ttlSeconds * 1000;
    try {
      const { expiresAt } = await this.control.call(edgeV1.EdgeApprovals.method.hold, {
        approvalId,
        sessionId: subject.session,
        principal: {
          ...subject.principal,
          groups: [...subject.principal.groups],
          onBehalfOf: [...subject.principal.onBehalfOf],
        },
        resource: subject.resource,
        statement: subject.statement,
        parameters: [...subject.parameters],
        digest: subject.digest,
        policyEpoch: BigInt(verdict.epoch),
        policies: [...verdict.policies],
        approvers: verdict.approvers,
        quorum: verdict.quorum,
        ttlSeconds,
        reason: verdict.reason,
        replaces: subject.replaces,
      });
      if (this.#over) return;
      // Our own clock may differ from the control plane's: neither may make the wait longer than what was asked.
      const ttl = ttlSeconds * 1000;
      const theirs = expiresAt ? Number(expiresAt.seconds) * 1000 + expiresAt.nanos / 1e6 - this.clock.now() : ttl;
      this.#stopExpiry = this.clock.after(Math.min(ttl, theirs), () => {
        if (this.#unanswered) this.#tellWithdrawn(UNDECIDED);
        this.#expired();
      });
      this.#pollLater();
    } catch (error) {
      const why =
        error instanceof ControlPlaneRefused ? error.message : "the control plane does not answer; try again later";
      this.#refused(
        ApprovalStatus.APPROVAL_STATUS_UNSPECIFIED,
        "unavailable",
        `No approval could be asked for: ${why}`,
      );
    }
  }

  decided({ status, reason, by }: edgeV1.ApprovalDecided): void {
    if (status === ApprovalStatus.APPROVED) void this.#consume();
    else this.#endedAs(status, reason, by);
  }

  withdraw(reason: string): void {
    if (this.#over) return;
    this.#tellWithdrawn(reason);
    this.#end(withdrawn(reason));
  }

  giveBack(reason: string): void {
    if (this.#granted) this.#tellWithdrawn(reason);
    else this.withdraw(reason);
  }

  policyChanged(): void {
    if (this.#over) return;
    this.#tellWithdrawn("the policy has changed meanwhile");
    this.#end({ kind: "policy-changed" });
  }

  /** Takes the approved decision. A lost answer is not asked for twice with another outcome: the second answer is no. */
  async #consume(): Promise<void> {
    if (this.#over || this.#consuming) return;
    this.#consuming = this.#unanswered = true;
    const { approvalId, subject } = this;
    try {
      const { granted, reason, approvedBy, status } = await this.control.call(edgeV1.EdgeApprovals.method.consume, {
        approvalId,
        sessionId: subject.session,
        digest: subject.digest,
      });
      this.#unanswered = false;
      this.#granted = granted && !this.#over;
      if (granted) this.#end({ kind: "granted", by: approvedBy });
      else if (status === ApprovalStatus.CONSUMED) this.withdraw(LOST);
      else if (status !== ApprovalStatus.PENDING) this.#endedAs(status, reason, approvedBy);
    } catch {
      // The next poll asks again.
    } finally {
      this.#consuming = false;
    }
  }

  #pollLater(): void {
    this.#stopPoll = this.clock.after(POLL_MS, () => {
      void this.#consume().then(() => {
        if (!this.#over) this.#pollLater();
      });
    });
  }

  #endedAs(status: approvalV1.ApprovalStatus, reason: string, by: readonly Approver[]): void {
    if (status === ApprovalStatus.EXPIRED) this.#expired();
    else if (status === ApprovalStatus.WITHDRAWN) this.#end(withdrawn(reason || "The request was withdrawn."));
    else if (status === ApprovalStatus.REJECTED) this.#refused(status, "approval_rejected", rejected(reason, by), by);
    else this.#refused(status, "approval_rejected", reason || "The approval cannot be used.", by);
  }

  #expired(): void {
    this.#refused(ApprovalStatus.EXPIRED, "approval_expired", UNDECIDED);
  }

  #refused(status: approvalV1.ApprovalStatus, code: RefusalCode, reason: string, by: readonly Approver[] = []): void {
    this.#end({ kind: "refused", status, code, reason, by });
  }

  #end(end: HoldEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopExpiry();
    this.#stopPoll();
    this.left();
    this.#finish(end);
  }

  /** Also where it has been let through meanwhile: the command does not run, and the approval must not say that it has. */
  #tellWithdrawn(reason: string): void {
    const { control, clock, approvalId } = this;
    // What has been let through does not expire: it would stand as used for ever.
    const matters = () => this.#granted || clock.now() < this.#until;
    const tell = () =>
      control.call(edgeV1.EdgeApprovals.method.withdraw, { approvalId, reason }).catch((error) => {
        if (error instanceof ControlPlaneAway && matters()) clock.after(POLL_MS, tell);
      });
    // After the request is answered: a withdrawal that overtakes it would find nothing to withdraw.
    void this.asked.then(tell);
  }
}

function rejected(reason: string, by: readonly Approver[]): string {
  const who = by.length > 0 ? ` by ${by.map(({ name }) => name).join(", ")}` : "";
  return `This command was rejected${who}${reason ? `: ${reason}` : ", without a reason."}`;
}
