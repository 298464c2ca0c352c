import { performance } from "node:perf_hooks";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { commandDigest, type Hold, type Refusal, type ResourcePart, type SessionFacts, type Verdict } from "#commands";
import type { edgeV1 } from "#contracts";
import { approvalV1 } from "#contracts";
import type { Conversation, Ended, Gate, Protocol } from "#protocols";
import type { Durability } from "#spool";
import type { Clock } from "../clock.js";
import { Channel } from "../connection/channel.js";
import type { UpstreamConnection, Upstreams } from "../connection/upstreams.js";
import type { HeldCommand, HoldDesk, HoldEnd } from "../holds/hold-desk.js";
import type { Log } from "../log.js";
import { after } from "../pipeline/after.js";
import { type Cleared, type EndCause, Pipeline, type PipelineSession } from "../pipeline/pipeline.js";
import type { Turn } from "../pipeline/turn.js";
import type { PolicyInForce, PolicyKeeper } from "../policy/policy-keeper.js";
import { commandFacts, isShownWhole, shownParameters } from "../recorder/command-facts.js";
import { DiskOrder } from "../recorder/disk-order.js";
import type { Recorder } from "../recorder/recorder.js";
import type { Semantics, SessionSemantics, Terms, Understood } from "../semantics/semantics.js";
import type { ProvedClient } from "./login.js";
import { refusal } from "./refusals.js";

/** What all sessions of a node share. */
export interface SessionServices {
  readonly policy: PolicyKeeper;
  readonly upstreams: Upstreams;
  readonly holds: HoldDesk;
  readonly recorder: Recorder;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SessionParts {
  readonly protocol: Protocol;
  readonly semantics: Semantics;
  readonly resource: ResourcePart;
  readonly client: ProvedClient;
  readonly upstream: UpstreamConnection;
  /** What tells the client that it is in. */
  readonly welcome: Uint8Array;
  readonly lease: edgeV1.Lease;
  readonly facts: SessionFacts;
  readonly ended: () => void;
}

/** Largest message that is buffered whole: a statement, or the parameters of one. What is streamed has no limit. */
const MESSAGE_LIMIT = 64 << 20;

/** One client connection under a lease, from its welcome to its end. */
export class Session implements PipelineSession {
  readonly #conversation: Conversation;
  readonly #client: Channel;
  readonly #server: Channel;
  readonly #pipeline: Pipeline;
  readonly #semantics: SessionSemantics;
  readonly #diskOrder = new DiskOrder();
  /** By what the command at the gate was decided: of a session there is one at a time. */
  #decidedBy: PolicyInForce | null = null;
  /** The approval of the command at the gate, where it came to nothing because the policy changed. */
  #outdated: { readonly gate: Gate; readonly approvalId: string } | null = null;
  #commands = 0;
  #over = false;
  #stopExpiry = () => {};

  constructor(
    private readonly services: SessionServices,
    private readonly parts: SessionParts,
  ) {
    const { protocol, semantics, client, upstream, resource } = parts;
    this.#conversation = protocol.conversation({
      messageLimit: MESSAGE_LIMIT,
      parameters: upstream.ready.parameters,
      scrubNotifications: () => hasLabels(services.policy.current, resource.name),
    });
    this.#client = new Channel(client.socket);
    this.#server = new Channel(upstream.socket);
    this.#semantics = semantics.open({
      resource,
      settings: client.hello.settings,
      conversation: this.#conversation,
    });
    this.#pipeline = new Pipeline(this.#conversation, this.#client, this.#server, this, services.turn);
  }

  get id(): string {
    return this.parts.lease.sessionId;
  }

  get tokenId(): string {
    return this.parts.lease.tokenId;
  }

  /** When its token ends, in milliseconds since 1970. */
  get #ends(): number {
    const { expiresAt } = this.parts.lease;
    return expiresAt ? timestampDate(expiresAt).getTime() : 0;
  }

  /** Records that it begins, welcomes the client and lets both sides talk. @throws where it cannot be recorded */
  async start(): Promise<void> {
    const { lease, client, resource, facts, upstream, protocol, welcome } = this.parts;
    const { recorder, clock } = this.services;
    const sequence = recorder.record(this.id, "sessionStarted", {
      principal: lease.principal!,
      resource: resource.name,
      protocol: protocol.name,
      tokenId: this.tokenId,
      clientAddress: facts.clientAddress,
      clientApplication: client.hello.application,
      tls: client.encrypted,
    });
    await recorder.durable(sequence, "disk");
    if (this.#over) return;
    this.#stopExpiry = clock.after(this.#ends - clock.now(), () => this.end("expired", "", refusal.expired()));

    this.#client.write(welcome);
    this.#client.flush();
    const early = [client.login.surplus(), ...client.inbox.detach()];
    this.#client.open({
      data: (chunk) => this.#pipeline.fromClient(chunk),
      drained: () => this.#pipeline.pump(),
      closed: () => this.end("client", "the client closed the connection", null),
    });
    this.#server.open({
      data: (chunk) => this.#pipeline.fromServer(chunk),
      drained: () => this.#pipeline.pump(),
      closed: () => this.end("upstream", "the resource closed the connection", refusal.upstreamGone(resource.name)),
    });
    if (upstream.ready.rest.length > 0) this.#pipeline.fromServer(upstream.ready.rest);
    for (const chunk of early) if (chunk.length > 0) this.#pipeline.fromClient(chunk);
  }

  /** The client's cancel request: it withdraws what is held, or stops what runs. */
  cancel(): void {
    if (!this.#pipeline.withdraw("The requester cancelled it.")) void this.#cancelUpstream();
  }

  policyChanged(policy: PolicyInForce): void {
    const { resource, facts } = this.parts;
    const present = policy.bundle.resources.some(({ name }) => name === resource.name);
    const verdict = policy.decider.connect(facts, this.services.clock.now());
    if (!present) this.end("revoked", "the resource was removed", refusal.revoked("the resource was removed"));
    else if (verdict.kind === "deny") this.end("revoked", verdict.reason, refusal.revoked(verdict.reason));
    else this.#pipeline.policyChanged();
  }

  end(cause: EndCause, message: string, told: Refusal | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopExpiry();
    if (cause === "fault") this.services.log.warn({ session: this.id, message }, "session ended by a fault");
    // In order only where the client itself said so: else nothing written and not yet sent may leave any more.
    const inOrder = cause === "client";
    let recorded = false;
    try {
      this.#pipeline.stop(inOrder);
      recorded = true;
      for (const each of this.#conversation.unfinished()) this.#recordUnfinished(each, cause);
      this.services.recorder.record(this.id, "sessionEnded", {
        cause,
        message,
        commands: BigInt(this.#commands),
        bytesIn: BigInt(this.#client.bytesIn),
        bytesOut: BigInt(this.#client.bytesOut),
      });
    } catch (error) {
      this.services.log.error({ session: this.id, error: String(error) }, "the session's end could not be recorded");
    }
    if (cause !== "upstream") void this.#cancelUpstream();
    if (told) this.#client.write(this.#conversation.goodbye(told));
    this.#client.end();
    this.#semantics.close();
    if (inOrder && recorded) this.#server.end();
    else this.#server.socket.destroy();
    this.parts.ended();
  }

  // ---- what the flow asks ------------------------------------------------------------------------------------------

  understand(gate: Gate): Understood | Promise<Understood> {
    return this.#semantics.understand(gate);
  }

  understandAgain(gate: Gate, before: Understood): Promise<Understood | null> {
    return this.#semantics.understandAgain(gate, before);
  }

  decide(understood: Understood): Verdict | Promise<Verdict> {
    const { policy, clock } = this.services;
    const by = policy.current!;
    this.#decidedBy = by;
    return after(by.decider.decideInTurns(understood, this.parts.facts, clock.now()), (verdict) =>
      // Another policy came into force meanwhile.
      by === policy.current ? verdict : this.decide(understood),
    );
  }

  terms(understood: Understood, verdict: Verdict): Terms {
    return this.#semantics.terms(understood, verdict, this.#decidedBy!.bundle);
  }

  async stopRunning(): Promise<void> {
    await this.#cancelUpstream();
  }

  refresh(): Promise<void> {
    return this.#semantics.refresh();
  }

  unaskable(gate: Gate): Refusal | null {
    return isShownWhole(gate) ? null : refusal.tooLargeToShow();
  }

  hold(gate: Gate, understood: Understood, verdict: Hold): HeldCommand {
    const { facts, resource } = this.parts;
    const command = commandFacts(gate, understood, verdict);
    const { standsFor } = understood;
    // What is approved is what runs, by whatever name it is called.
    const spelled = (text: string) => (standsFor === undefined ? text : `${text}\n/* where ${standsFor} */`);
    const digest = commandDigest({
      statement: spelled(gate.text),
      parameters: gate.parameters,
      principal: facts.principal.id,
      resource: resource.name,
      session: this.id,
      policyEpoch: verdict.epoch,
    });
    const replaces = this.#outdated?.gate === gate ? this.#outdated.approvalId : "";
    const held = this.services.holds.hold(
      {
        session: this.id,
        principal: facts.principal,
        resource: resource.name,
        statement: spelled(command.statement),
        parameters: shownParameters(gate.parameters),
        digest,
        sessionEnds: this.#ends,
        replaces,
      },
      verdict,
    );
    this.services.recorder.record(this.id, "commandHeld", {
      command,
      approvalId: held.approvalId,
      reason: verdict.reason,
      replaces,
    });
    // Once the approval exists: whoever reads the notice may decide at once.
    void held.asked.then((asked) => {
      if (!asked) return;
      this.#client.write(this.#conversation.notice(...waitingNotice(held.approvalId, replaces, verdict)));
      this.#client.flush();
    });
    return held;
  }

  recordStarted(gate: Gate, { understood, verdict, terms, approvalId }: Cleared): number {
    this.#commands++;
    gate.startedAt = performance.now();
    const { labelsMasked } = terms;
    return this.services.recorder.commandStarted(this.id, { gate, understood, verdict, approvalId, labelsMasked });
  }

  recordRefused(gate: Gate, understood: Understood, verdict: Verdict | null, told: Refusal, approvalId: string): void {
    if (gate.stage === "run") this.#commands++;
    this.#semantics.refused(gate);
    this.services.recorder.record(this.id, "commandRefused", {
      command: commandFacts(gate, understood, verdict),
      code: told.code,
      reason: told.message,
      approvalId,
    });
  }

  recordHoldEnded(gate: Gate, held: HeldCommand, end: HoldEnd): number {
    const ending =
      end.kind === "granted"
        ? { status: approvalV1.ApprovalStatus.CONSUMED, by: end.by, reason: "" }
        : end.kind === "refused"
          ? end
          : { status: approvalV1.ApprovalStatus.WITHDRAWN, by: [], reason: "the policy has changed meanwhile" };
    this.#outdated = end.kind === "policy-changed" ? { gate, approvalId: held.approvalId } : null;
    return this.services.recorder.record(this.id, "holdEnded", {
      ordinal: BigInt(gate.ordinal),
      approvalId: held.approvalId,
      status: ending.status,
      by: ending.by as never,
      reason: ending.reason,
    });
  }

  recordEnded(ended: Ended): void {
    this.#semantics.over(ended);
    const { gate, outcome } = ended;
    const durationUs = Math.round((performance.now() - gate.startedAt) * 1000);
    this.services.recorder.commandEnded(this.id, gate.ordinal, outcome, durationUs);
  }

  toDiskFirst(gate: Gate, { terms, approvalId }: Cleared, sequence: number): number {
    // What has been shown, nothing takes back: it is not revocable where reading needs the disk.
    const mayWait = approvalId === "" && this.parts.resource.reads === "os";
    const needs = !(mayWait && terms.reads);
    return this.#diskOrder.first(sequence, needs, mayWait && this.#semantics.revocable(gate, terms));
  }

  left(): void {
    const sequence = this.#diskOrder.ahead();
    // Should it fail, whoever has to wait for it is told.
    if (sequence > 0) this.durable(sequence, "disk")?.catch(() => {});
  }

  durable(sequence: number, durability: Durability): Promise<void> | undefined {
    return this.services.recorder.durable(sequence, durability);
  }

  sent(gate: Gate, understood: Understood, terms: Terms): void {
    if (gate.stage === "run") this.#semantics.sent(gate, understood, terms);
  }

  settled(): void {
    this.#semantics.settled();
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  #recordUnfinished(unfinished: Ended, cause: EndCause): void {
    const { outcome } = unfinished;
    const error = outcome.error ?? { code: "", message: `the session ended first (${cause})` };
    this.recordEnded({ ...unfinished, outcome: { ...outcome, error } });
  }

  /** Never rejects. */
  async #cancelUpstream(): Promise<void> {
    if (!this.#conversation.busy) return;
    const { resource, protocol, upstream } = this.parts;
    try {
      await this.services.upstreams.cancel(resource, protocol, upstream);
    } catch (error) {
      this.services.log.warn({ session: this.id, error: String(error) }, "the resource could not be asked to cancel");
    }
  }
}

function hasLabels(policy: PolicyInForce | null, resource: string): boolean {
  return policy?.bundle.labels.some(({ columns }) => columns.some((column) => column.resource === resource)) ?? true;
}

function waitingNotice(
  approvalId: string,
  replaces: string,
  { approvers, quorum, reason }: Hold,
): [string, string, string] {
  const group = approvers || "the approvers";
  const who = quorum > 1 ? `${quorum} of ${group}` : `One of ${group}`;
  const instead = replaces === "" ? "" : `, no longer for ${replaces}: the policy has changed`;
  return [
    `This command waits for approval ${approvalId}${instead}.`,
    reason,
    `${who} can decide it: counterfoil approvals approve ${approvalId} (or reject). Cancel (Ctrl-C) withdraws it.`,
  ];
}
