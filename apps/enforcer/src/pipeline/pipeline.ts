/**
 * THE flow of every session, in an order that is a promise:
 *
 *   1. frame       bytes to whole messages (the conversation), so that nothing later sees half of one
 *   2. understand  what the command does, before anything is asked about it
 *   3. decide      locally; what is not understood is denied
 *   4. hold        a person decides; the client waits, and so does everything behind it
 *   5. record      the intent is in the spool before the command leaves, and on disk before what it does can last:
 *                  what cannot be recorded does not run
 *   6. forward     to the resource
 *   7. mask        everything that comes back, inside the conversation, by the plan made here
 *   8. record      the outcome
 *
 * A command seen before passes 2 to 6 at once. What a turn of the event loop brought leaves at its end, in one piece.
 */
import type { Hold, Refusal, Verdict } from "#commands";
import type { ClientStep, Conversation, Ended, Gate, ServerStep } from "#protocols";
import { SpoolFull, SpoolUnwritable } from "#spool";
import type { Channel } from "../connection/channel.js";
import type { HoldEnd } from "../holds/hold-desk.js";
import type { Terms, Understood } from "../semantics/semantics.js";
import { refusal } from "../session/refusals.js";
import { after } from "./after.js";
import { Approval, type HoldingSession } from "./approval.js";
import type { Leaving, Turn } from "./turn.js";

/** What the flow asks of the session around it. */
export interface PipelineSession extends HoldingSession {
  understand(gate: Gate): Understood | Promise<Understood>;
  /** What is understood next is by the resource as it is now, also where it was changed past us. */
  refresh(): Promise<void>;
  /** Behind a wait; null where it no longer does what it did before. */
  understandAgain(gate: Gate, before: Understood): Promise<Understood | null>;
  decide(understood: Understood): Verdict | Promise<Verdict>;
  /** What the verdict comes to, by what is known now. */
  terms(understood: Understood, verdict: Verdict): Terms;
  /** Asks the resource to cancel what runs; resolves when it has been asked, or could not be. */
  stopRunning(): Promise<void>;
  /** Why nobody can be asked about the command; null where one can. */
  unaskable(gate: Gate): Refusal | null;
  /** Gives the record's sequence, to make durable. Like those below it @throws where it cannot be recorded. */
  recordStarted(gate: Gate, cleared: Cleared): number;
  recordRefused(
    gate: Gate,
    understood: Understood,
    verdict: Verdict | null,
    refused: Refusal,
    approvalId: string,
  ): void;
  recordEnded(ended: Ended): void;
  /** Up to which record the disk must have all before the command leaves; 0: none. @param sequence its own record */
  toDiskFirst(gate: Gate, cleared: Cleared, sequence: number): number;
  /** The command is on its way, with what it does to the session. */
  sent(gate: Gate, understood: Understood, terms: Terms): void;
  /** What the turn brought is on its way. @throws where it is known that nothing can be recorded any more */
  left(): void;
  /** The server's answers so far have been dealt with. */
  settled(): void;
  /** The session is over, and why; what the client is told, if anything. */
  end(cause: EndCause, message: string, told: Refusal | null): void;
}

export type EndCause = "client" | "upstream" | "revoked" | "ended" | "lease" | "expired" | "fault" | "shutdown";

/** What a client may send behind a command that waits a moment, for a record say, before it is no longer read. */
const WAITING_WINDOW = 256 * 1024;
/** And behind one that waits for a person: there it is read on, since its going must be noticed, and then let go. */
const HELD_WINDOW = 16 * 1024 * 1024;
/** What is dealt with for one client before it is the others' turn. */
const ROUND = 256;
const GONE = "The session has ended.";

/** A command that may go: what lets it, and what is hidden of its answer. */
export interface Cleared {
  readonly understood: Understood;
  readonly verdict: Verdict;
  readonly terms: Terms;
  /** Empty where nobody was asked. */
  readonly approvalId: string;
}

export class Pipeline implements Leaving {
  readonly #approval: Approval;
  /** A gate is being dealt with: nothing behind it moves. */
  #waiting = false;
  #bytesInBeforeWait = 0;
  /** The server is being asked to cancel what runs. */
  #stopping = false;
  #over = false;
  /** Counts policies. */
  #policies = 0;
  /** The last record of this turn, which must be written before the turn's bytes leave. */
  #unwritten = 0;
  #leaving = false;
  /** There is more to deal with, once the others have had their turn. */
  #next: NodeJS.Immediate | null = null;

  constructor(
    private readonly conversation: Conversation,
    private readonly client: Channel,
    private readonly server: Channel,
    private readonly session: PipelineSession,
    private readonly turn: Turn,
  ) {
    this.#approval = new Approval(session);
  }

  fromClient(chunk: Uint8Array): void {
    this.conversation.pushClient(chunk);
    this.pump();
  }

  fromServer(chunk: Uint8Array): void {
    this.conversation.pushServer(chunk);
    this.#guarded(() => {
      for (let step = this.conversation.nextServer(); step && !this.#over; step = this.conversation.nextServer()) {
        this.#answer(step);
      }
      if (!this.#over) this.session.settled();
    });
    this.pump();
  }

  pump(): void {
    this.#guarded(() => this.#pump());
  }

  /** Moves what can move; it leaves at the end of the turn. */
  #pump(): void {
    for (
      let left = ROUND;
      !this.#waiting && !this.#stopping && !this.#over && !this.server.clogged && !this.client.clogged;
      left--
    ) {
      if (left === 0) {
        this.#next ??= setImmediate(() => {
          this.#next = null;
          this.pump();
        });
        break;
      }
      const step = this.conversation.nextClient();
      if (!step) break;
      this.#request(step);
    }
    if (this.#over || this.#leaving) return;
    this.#leaving = true;
    this.turn.add(this);
  }

  leave(): void {
    this.#leaving = false;
    this.#guarded(() => {
      if (!this.#over) this.#leave();
    });
  }

  /** The client asked to cancel: a held command is withdrawn. False where none is held. */
  withdraw(reason: string): boolean {
    return this.#approval.withdraw(reason);
  }

  policyChanged(): void {
    this.#policies++;
    this.conversation.invalidate();
    this.#approval.policyChanged();
  }

  /**
   * Nothing more passes; what has passed is recorded. An approval whose command has not left is given back.
   * @param leaves whether what has passed in this turn still leaves
   * @throws SpoolUnwritable where it is not recorded: then it must not leave.
   */
  stop(leaves: boolean): void {
    this.#over = true;
    try {
      this.#write();
      if (leaves) this.#approval.left();
    } finally {
      this.#approval.giveBack(GONE);
    }
  }

  #request(step: ClientStep): void {
    switch (step.kind) {
      case "forward":
        this.server.write(step.bytes);
        break;
      case "reply":
        this.client.write(step.bytes);
        break;
      case "gate":
        this.#gate(step.gate);
        break;
      case "outcome":
        this.session.recordEnded(step);
        break;
      case "end":
        this.server.write(step.bytes);
        this.session.end("client", "", null);
        break;
      case "fault":
        this.client.write(step.bytes);
        this.session.end("fault", step.refusal.message, null);
        break;
      default:
        step satisfies never;
    }
  }

  #answer(step: ServerStep): void {
    switch (step.kind) {
      case "forward":
        this.client.write(step.bytes);
        break;
      case "ask":
        this.server.write(step.bytes);
        break;
      case "stop":
        this.#stop();
        break;
      case "outcome":
        this.session.recordEnded(step);
        break;
      case "fault":
        this.client.write(step.bytes);
        this.session.end("fault", step.refusal.message, null);
        break;
      default:
        step satisfies never;
    }
  }

  /** What runs has gone past its limit. A cancel that is on its way could meet anything sent behind it. */
  #stop(): void {
    this.#stopping = true;
    void this.session.stopRunning().then(() => {
      this.#stopping = false;
      if (!this.#over) this.pump();
    });
  }

  #gate(gate: Gate): void {
    const passed = this.#pass(gate);
    if (!(passed instanceof Promise)) return;
    this.#waiting = true;
    this.#bytesInBeforeWait = this.client.bytesIn;
    passed
      .then(() => {
        this.#waiting = false;
        this.pump();
      })
      .catch((error) => this.#failed(error));
  }

  #pass(gate: Gate): void | Promise<void> {
    const understood = this.session.understand(gate);
    if (understood instanceof Promise) return understood.then((it) => this.#understood(gate, it));
    return this.#understood(gate, understood);
  }

  #understood(gate: Gate, understood: Understood): void | Promise<void> {
    const cleared = this.#clear(gate, understood);
    if (cleared instanceof Promise) return cleared.then((it) => this.#cleared(gate, it));
    return this.#cleared(gate, cleared);
  }

  #cleared(gate: Gate, cleared: Cleared | null): void | Promise<void> {
    if (!cleared || this.#over) return;
    const recorded = this.#record(gate, cleared);
    if (!recorded) return this.#send(gate, cleared);
    const policies = this.#policies;
    const { understood, verdict } = cleared;
    return recorded.then(() => {
      // What is known may be another by now.
      this.#send(gate, { ...cleared, terms: this.session.terms(understood, verdict) });
      // It went by a policy that is no more: what it binds asks again before it runs.
      if (policies !== this.#policies) this.conversation.invalidate();
    });
  }

  #send(gate: Gate, { understood, terms }: Cleared): void {
    if (this.#over) return;
    this.session.sent(gate, understood, terms);
    this.server.write(this.conversation.allow(gate, terms.plan, terms.limit));
    this.#approval.sent();
  }

  /** Decides, and holds where the verdict says so. Null: it was refused. */
  #clear(gate: Gate, understood: Understood, fresh = false): Cleared | null | Promise<Cleared | null> {
    if (gate.refusal) return this.#refuse(gate, understood, null, gate.refusal);
    if (understood.problems.length > 0) return this.#refuse(gate, understood, null, refusal.notUnderstood(understood));
    return after(this.session.decide(understood), (verdict) => this.#decided(gate, understood, verdict, fresh));
  }

  #decided(
    gate: Gate,
    understood: Understood,
    verdict: Verdict,
    fresh: boolean,
  ): Cleared | null | Promise<Cleared | null> {
    if (this.#over) return null;
    if (verdict.kind === "deny") return this.#refuse(gate, understood, verdict, refusal.denied(verdict));
    const terms = this.session.terms(understood, verdict);
    if (terms.unlimitable) return this.#refuse(gate, understood, verdict, terms.unlimitable);
    if (verdict.kind === "allow" || gate.stage === "prepare") return { understood, verdict, terms, approvalId: "" };
    const unaskable = this.session.unaskable(gate);
    if (unaskable) return this.#refuse(gate, understood, verdict, unaskable);
    if (!fresh) return this.#clearAfresh(gate);
    return this.#approval
      .ask(gate, understood, verdict)
      .then(({ approvalId, end }) => this.#answered(gate, understood, verdict, approvalId, end));
  }

  /** Who is asked is told what it does now: what it is held against once it is granted. */
  async #clearAfresh(gate: Gate): Promise<Cleared | null> {
    await this.session.refresh();
    if (this.#over) return null;
    return this.#clear(gate, await this.session.understand(gate), true);
  }

  /** Behind a wait what it does is asked anew: others may have changed what its names stand for, or the policy is another. */
  #answered(gate: Gate, asked: Understood, verdict: Hold, approvalId: string, end: HoldEnd) {
    if (this.#over) return null;
    if (end.kind === "policy-changed") return after(this.session.understand(gate), (now) => this.#clear(gate, now));
    if (end.kind === "granted") {
      const again = this.session.understandAgain(gate, asked);
      return again.then((now) => this.#granted(gate, asked, now, verdict, approvalId));
    }
    return this.#refuse(gate, asked, verdict, refusal.notApproved(end, approvalId), approvalId);
  }

  /** What was approved is what it did when it was asked about. */
  #granted(gate: Gate, asked: Understood, now: Understood | null, verdict: Hold, approvalId: string): Cleared | null {
    if (this.#over) return null;
    if (now) return { understood: now, verdict, terms: this.session.terms(now, verdict), approvalId };
    const told = refusal.changedWhileHeld(approvalId);
    this.#approval.giveBack(told.message);
    return this.#refuse(gate, asked, verdict, told, approvalId);
  }

  #refuse(gate: Gate, understood: Understood, verdict: Verdict | null, told: Refusal, approvalId = ""): null {
    this.session.recordRefused(gate, understood, verdict, told, approvalId);
    const { toServer, toClient } = this.conversation.deny(gate, told);
    this.server.write(toServer);
    this.client.write(toClient);
    return null;
  }

  /** The disk is waited for here; the rest is one write for all of the turn, made before any byte leaves. */
  #record(gate: Gate, cleared: Cleared): Promise<void> | undefined {
    if (gate.stage === "prepare") return undefined;
    const sequence = this.session.recordStarted(gate, cleared);
    this.#unwritten = sequence;
    const first = this.session.toDiskFirst(gate, cleared, sequence);
    return first > 0 ? this.session.durable(first, "disk") : undefined;
  }

  /** Sends what was written, and sets the pace of both sides by the slower. */
  #leave(): void {
    this.#write();
    this.#approval.left();
    this.server.flush();
    this.client.flush();
    this.session.left();
    this.server.reading(!this.client.clogged);
    this.client.reading(!this.server.clogged && !this.client.clogged && !this.#next && !this.#crowded());
    const behind = this.client.bytesIn - this.#bytesInBeforeWait;
    if (this.#approval.waiting && behind > HELD_WINDOW) {
      this.session.end("fault", "too much was sent behind a held command", refusal.tooMuchBehind());
    }
  }

  #write(): void {
    const sequence = this.#unwritten;
    this.#unwritten = 0;
    if (sequence > 0) this.session.durable(sequence, "os");
  }

  /** While a command waits, the client is still listened to; but not without end. */
  #crowded(): boolean {
    return this.#waiting && !this.#approval.waiting && this.client.bytesIn - this.#bytesInBeforeWait > WAITING_WINDOW;
  }

  /** Whatever goes wrong, in recording most of all, ends this session and nothing else. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const notRecorded = error instanceof SpoolFull || error instanceof SpoolUnwritable;
    this.session.end("fault", String(error), notRecorded ? refusal.notRecorded() : refusal.failed());
  }
}
