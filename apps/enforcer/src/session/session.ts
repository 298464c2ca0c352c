import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  commandDigest,
  type Hold,
  type MaskPlan,
  type Refusal,
  type ResourcePart,
  type SessionFacts,
  SQL_ACTIONS,
  type Verdict,
} from "#commands";
import type { edgeV1 } from "#contracts";
import { approvalV1 } from "#contracts";
import type { Conversation, Gate, Outcome, Protocol } from "#protocols";
import type { Durability } from "#spool";
import type { Understander } from "#sql";
import type { ResourceCatalogs, ResourceNames } from "../catalog/resource-catalogs.js";
import type { Clock } from "../clock.js";
import { Channel } from "../connection/channel.js";
import { cancelUpstream, type UpstreamConnection } from "../connection/upstream.js";
import type { HeldCommand, HoldDesk, HoldEnd } from "../holds/hold-desk.js";
import type { Log } from "../log.js";
import { MaskPlanner } from "../masks/mask-planner.js";
import { type EndCause, Pipeline, type PipelineSession } from "../pipeline/pipeline.js";
import type { PolicyInForce, PolicyKeeper } from "../policy/policy-keeper.js";
import { commandFacts, shownParameters } from "../recorder/command-facts.js";
import type { Recorder } from "../recorder/recorder.js";
import { Interpreter, type Understood } from "./interpreter.js";
import type { ProvedClient } from "./login.js";
import { refusal } from "./refusals.js";
import { parseSearchPath } from "./search-path.js";
import { SessionNames } from "./session-names.js";

/** What all sessions of a node share. */
export interface SessionServices {
  readonly policy: PolicyKeeper;
  readonly catalogs: ResourceCatalogs;
  readonly understander: Understander;
  readonly holds: HoldDesk;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the `hash` transform. */
  readonly hashKey: Uint8Array;
}

export interface SessionParts {
  readonly protocol: Protocol;
  readonly resource: ResourcePart;
  readonly client: ProvedClient;
  readonly upstream: UpstreamConnection;
  readonly lease: edgeV1.Lease;
  readonly facts: SessionFacts;
  readonly ended: () => void;
}

/** Largest message that is buffered whole: a statement, or the parameters of one. What is streamed has no limit. */
const MESSAGE_LIMIT = 64 << 20;
const PLAIN_READS: ReadonlySet<string> = new Set([...SQL_ACTIONS["sql:read"], ...SQL_ACTIONS["sql:session"]]);

/** One client connection under a lease, from its welcome to its end. */
export class Session implements PipelineSession {
  readonly #conversation: Conversation;
  readonly #client: Channel;
  readonly #server: Channel;
  readonly #pipeline: Pipeline;
  readonly #names = new SessionNames(() => this.#conversation);
  readonly #interpreter: Interpreter;
  readonly #startedAt = new Map<number, bigint>();
  readonly #startPath: readonly string[] | null;
  #planner: { readonly of: readonly unknown[]; readonly planner: MaskPlanner } | null = null;
  #namesOf: readonly [ResourceNames, ResourceNames] | null = null;
  #catalogChanged = false;
  #renewing: Promise<ResourceNames> | null = null;
  #commands = 0;
  #over = false;
  #stopExpiry = () => {};

  constructor(
    private readonly services: SessionServices,
    private readonly parts: SessionParts,
  ) {
    const { protocol, client, upstream, resource } = parts;
    this.#conversation = protocol.conversation({
      messageLimit: MESSAGE_LIMIT,
      parameters: upstream.ready.parameters,
      scrubNotifications: hasLabels(services.policy.current, resource.name),
    });
    this.#client = new Channel(client.socket);
    this.#server = new Channel(upstream.socket);
    this.#startPath = startPath(client.hello.settings);
    this.#interpreter = new Interpreter({
      understander: services.understander,
      names: this.#names,
      user: resource.credential.username,
      fresh: () => this.#freshNames(),
      miss: async () => this.#ours(await services.catalogs.refreshOnMiss(resource)),
      statementText: (name) => this.#conversation.statementText(name),
    });
    this.#pipeline = new Pipeline(this.#conversation, this.#client, this.#server, this);
  }

  get id(): string {
    return this.parts.lease.sessionId;
  }

  get tokenId(): string {
    return this.parts.lease.tokenId;
  }

  /** Records that it begins, welcomes the client and lets both sides talk. @throws where it cannot be recorded */
  async start(): Promise<void> {
    const { lease, client, resource, facts, upstream, protocol } = this.parts;
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
    const expiry = lease.expiresAt ? timestampDate(lease.expiresAt).getTime() : 0;
    this.#stopExpiry = clock.after(expiry - clock.now(), () => this.end("expired", "", refusal.expired()));

    this.#client.write(client.login.welcome(upstream.ready));
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
    if (!this.#pipeline.withdraw("The requester cancelled it.")) this.#cancelUpstream();
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
    try {
      this.#pipeline.stop();
      for (const { ordinal, outcome } of this.#conversation.unfinished())
        this.#recordUnfinished(ordinal, outcome, cause);
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
    if (cause !== "upstream") this.#cancelUpstream();
    if (told) this.#client.write(this.#conversation.goodbye(told));
    this.#client.end();
    // In order only where the client itself said so: else nothing written and not yet sent may leave any more.
    if (cause === "client") this.#server.end();
    else this.#server.socket.destroy();
    this.parts.ended();
  }

  // ---- what the flow asks ------------------------------------------------------------------------------------------

  understand(gate: Gate): Understood | Promise<Understood> {
    return this.#interpreter.understand(gate);
  }

  decide(understood: Understood): Verdict {
    return this.services.policy.current!.decider.decide(understood, this.parts.facts, this.services.clock.now());
  }

  uncovered(understood: Understood, verdict: Verdict): Refusal | null {
    const uncovered = this.#plannerFor(verdict).uncovered(understood);
    // Code that is not read by a policy may yet be by a person.
    if (!uncovered || (uncovered.target === null && verdict.kind === "hold")) return null;
    return refusal.uncovered(uncovered);
  }

  plan(understood: Understood, verdict: Verdict): MaskPlan {
    return this.#plannerFor(verdict).plan(understood);
  }

  hold(gate: Gate, understood: Understood, verdict: Hold): HeldCommand {
    const { facts, resource } = this.parts;
    const command = commandFacts(gate, understood, verdict);
    const digest = commandDigest({
      statement: gate.text,
      parameters: gate.parameters,
      principal: facts.principal.id,
      resource: resource.name,
      session: this.id,
      policyEpoch: verdict.epoch,
    });
    const held = this.services.holds.hold(
      {
        session: this.id,
        principal: facts.principal,
        resource: resource.name,
        statement: command.statement,
        parameters: shownParameters(gate.parameters),
        digest,
      },
      verdict,
    );
    this.services.recorder.record(this.id, "commandHeld", {
      command,
      approvalId: held.approvalId,
      reason: verdict.reason,
    });
    // Once the approval exists: whoever reads the notice may decide at once.
    void held.asked.then((asked) => {
      if (!asked) return;
      this.#client.write(this.#conversation.notice(...waitingNotice(held.approvalId, verdict)));
      this.#client.flush();
    });
    return held;
  }

  recordStarted(gate: Gate, understood: Understood, verdict: Verdict, approvalId: string): number {
    this.#commands++;
    this.#startedAt.set(gate.ordinal, process.hrtime.bigint());
    return this.services.recorder.record(this.id, "commandStarted", {
      command: commandFacts(gate, understood, verdict),
      approvalId,
      labelsMasked: [...this.#plannerFor(verdict).labelsOf(understood)],
    });
  }

  recordRefused(gate: Gate, understood: Understood, verdict: Verdict | null, told: Refusal, approvalId: string): void {
    if (gate.stage === "run") this.#commands++;
    this.#names.refused(gate.batch);
    this.services.recorder.record(this.id, "commandRefused", {
      command: commandFacts(gate, understood, verdict),
      code: told.code,
      reason: told.message,
      approvalId,
    });
  }

  recordHoldEnded(gate: Gate, held: HeldCommand, end: HoldEnd): void {
    const ending =
      end.kind === "granted"
        ? { status: approvalV1.ApprovalStatus.CONSUMED, by: end.by, reason: "" }
        : end.kind === "refused"
          ? end
          : { status: approvalV1.ApprovalStatus.WITHDRAWN, by: [], reason: "the policy has changed meanwhile" };
    this.services.recorder.record(this.id, "holdEnded", {
      ordinal: BigInt(gate.ordinal),
      approvalId: held.approvalId,
      status: ending.status,
      by: ending.by as never,
      reason: ending.reason,
    });
  }

  recordEnded(ordinal: number, outcome: Outcome): void {
    this.#names.over(ordinal, outcome.tag, outcome.error !== null);
    const startedAt = this.#startedAt.get(ordinal);
    if (startedAt === undefined) return;
    this.#startedAt.delete(ordinal);
    this.services.recorder.record(this.id, "commandEnded", {
      ordinal: BigInt(ordinal),
      rows: BigInt(outcome.rows),
      bytes: BigInt(outcome.bytes),
      valuesMasked: BigInt(outcome.valuesMasked),
      durationUs: (process.hrtime.bigint() - startedAt) / 1000n,
      tag: outcome.tag,
      errorCode: outcome.error?.code ?? "",
      errorMessage: outcome.error?.message ?? "",
    });
  }

  durability({ operations }: Understood, approvalId: string): Durability {
    const read = approvalId === "" && operations.every(({ action }) => PLAIN_READS.has(action));
    return read ? this.parts.resource.reads : "disk";
  }

  durable(sequence: number, durability: Durability): Promise<void> | undefined {
    return this.services.recorder.durable(sequence, durability);
  }

  sent(gate: Gate, { effects }: Understood): void {
    if (gate.stage === "prepare") return;
    for (const effect of effects) {
      if (effect.kind === "prepares") this.#conversation.defineStatement(gate, effect.name, effect.text);
      else if (effect.kind === "deallocates") this.#conversation.dropStatement(gate, effect.name);
      else if (effect.kind === "discards") this.#conversation.dropStatement(gate, null);
      else if (effect.kind === "changesCatalog") this.#catalogChanged = true;
    }
    this.#names.sent(gate.ordinal, gate.batch, effects);
  }

  settled(): void {
    const { transaction, busy } = this.#conversation;
    if (this.#catalogChanged && transaction === "idle" && !busy) {
      this.#catalogChanged = false;
      this.#renewNames();
    }
    this.#names.answered();
  }

  // ---- names and masks ---------------------------------------------------------------------------------------------

  #freshNames(): ResourceNames | Promise<ResourceNames> {
    if (this.#renewing) return this.#renewing;
    const known = this.services.catalogs.current(this.parts.resource);
    return known
      ? this.#ours(known)
      : this.services.catalogs.get(this.parts.resource).then((names) => this.#ours(names));
  }

  /** This session changed what the catalog says: what follows is understood by the new one. */
  #renewNames(): void {
    const { catalogs, log } = this.services;
    const { resource } = this.parts;
    const renewing = catalogs
      .refresh(resource)
      .catch((error) => {
        log.warn({ resource: resource.name, error: String(error) }, "the catalog could not be read again");
        this.#catalogChanged = true;
        return catalogs.get(resource);
      })
      .then((names) => this.#ours(names))
      .finally(() => {
        if (this.#renewing === renewing) this.#renewing = null;
      });
    this.#renewing = renewing;
    renewing.catch(() => {});
  }

  #ours(names: ResourceNames): ResourceNames {
    if (!this.#startPath) return names;
    if (this.#namesOf?.[0] !== names) {
      const searchPath = this.#startPath.map((name) =>
        name === "$user" ? this.parts.resource.credential.username : name,
      );
      this.#namesOf = [names, { ...names, searchPath }];
    }
    return this.#namesOf[1];
  }

  #plannerFor(verdict: Verdict): MaskPlanner {
    const { policy, catalogs, hashKey } = this.services;
    const { resource } = this.parts;
    const { bundle } = policy.current!;
    const masked = verdict.kind === "deny" ? [] : verdict.masked;
    const { catalog } = catalogs.current(resource)!;
    const of = [bundle, masked, catalog];
    if (!this.#planner || this.#planner.of.some((each, index) => each !== of[index])) {
      const miss = () => void catalogs.refreshOnMiss(resource).catch(() => {});
      this.#planner = { of, planner: new MaskPlanner(bundle, resource.name, masked, catalog, hashKey, miss) };
    }
    return this.#planner.planner;
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  #recordUnfinished(ordinal: number, outcome: Outcome, cause: EndCause): void {
    const error = outcome.error ?? { code: "", message: `the session ended first (${cause})` };
    this.recordEnded(ordinal, { ...outcome, error });
  }

  #cancelUpstream(): void {
    if (!this.#conversation.busy) return;
    const { resource, protocol, upstream } = this.parts;
    cancelUpstream(resource, protocol, upstream.ready.cancelKey).catch((error) => {
      this.services.log.warn({ session: this.id, error: String(error) }, "the resource could not be asked to cancel");
    });
  }
}

function hasLabels(policy: PolicyInForce | null, resource: string): boolean {
  return policy?.bundle.labels.some(({ columns }) => columns.some((column) => column.resource === resource)) ?? true;
}

function startPath(settings: ReadonlyMap<string, string>): readonly string[] | null {
  for (const [name, value] of settings) if (name.toLowerCase() === "search_path") return parseSearchPath(value);
  return null;
}

function waitingNotice(approvalId: string, { approvers, quorum, reason }: Hold): [string, string, string] {
  const group = approvers || "the approvers";
  const who = quorum > 1 ? `${quorum} of ${group}` : `One of ${group}`;
  return [
    `This command waits for approval ${approvalId}.`,
    reason,
    `${who} can decide it: counterfoil approvals approve ${approvalId} (or reject). Cancel (Ctrl-C) withdraws it.`,
  ];
}
