import { type MaskPlan, NOTHING_MASKED, type Refusal } from "#commands";
import { maskBy } from "../../../../test/masks.js";
import type { CommandLimit, Conversation, ConversationOptions, Gate, Outcome } from "../protocol.js";
import { postgres } from "./protocol.js";
import { back, errorFields, frames, front, taken, valuesOf } from "./wire.fixture.js";

export const DENIED: Refusal = { code: "denied", message: "policy prod forbids it", hint: "ask" };

/** Shows the length of what it hides. */
const MASK = maskBy((value) => Buffer.from(`<${value.length}>`), ["secret"]);
const NULLED = maskBy(() => null);

export const masking = (...columns: string[]): MaskPlan => ({
  columns: (described) => described.map(({ name }) => (columns.includes(name) ? MASK : null)),
  bulk: null,
  scrubTexts: false,
});

/** Hides all there is. */
export const HIDING: MaskPlan = {
  columns: (described) => described.map(() => NULLED),
  bulk: [{ mask: NULLED, oid: 25 }],
  scrubTexts: true,
};

/** A conversation driven as the pipeline drives it; what came out since last asked. */
export class Driven {
  readonly conversation: Conversation;
  readonly gates: Gate[] = [];
  readonly outcomes = new Map<number, Outcome>();
  readonly faults: Refusal[] = [];
  ended = false;
  /** How often the server was to be asked to cancel what runs. */
  stops = 0;
  limit: CommandLimit | null = null;
  /** Null holds the gate until `settle`. */
  decide: (gate: Gate) => Refusal | MaskPlan | null = () => NOTHING_MASKED;
  #held: Gate | null = null;
  #toServer: Uint8Array[] = [];
  #toClient: Uint8Array[] = [];

  constructor(options: Partial<ConversationOptions> = {}) {
    this.conversation = postgres.conversation({ messageLimit: 1 << 20, parameters: new Map(), ...options });
  }

  /** What goes upstream because of these messages of the client. */
  client(...messages: Uint8Array[]): Buffer {
    for (const bytes of messages) this.conversation.pushClient(bytes);
    this.#pump();
    return this.upstream();
  }

  /** What goes to the client because of these messages of the server. */
  server(...messages: Uint8Array[]): Buffer {
    for (const bytes of messages) this.conversation.pushServer(bytes);
    for (let step = this.conversation.nextServer(); step; step = this.conversation.nextServer()) {
      if (step.kind === "outcome") this.outcomes.set(step.gate.ordinal, step.outcome);
      else if (step.kind === "ask") this.#toServer.push(step.bytes);
      else if (step.kind === "stop") this.stops++;
      else this.#toClient.push(step.bytes);
      if (step.kind === "fault") this.faults.push(step.refusal);
    }
    this.#pump();
    return this.downstream();
  }

  settle(decided: Refusal | MaskPlan): void {
    const gate = this.#held as Gate;
    this.#held = null;
    this.#settle(gate, decided);
    this.#pump();
  }

  upstream(): Buffer {
    return Buffer.concat(this.#toServer.splice(0));
  }

  downstream(): Buffer {
    return Buffer.concat(this.#toClient.splice(0));
  }

  #settle(gate: Gate, decided: Refusal | MaskPlan): void {
    if (!("code" in decided)) {
      this.#toServer.push(this.conversation.allow(gate, decided, this.limit));
      return;
    }
    const { toServer, toClient } = this.conversation.deny(gate, decided);
    this.#toServer.push(toServer);
    this.#toClient.push(toClient);
  }

  #pump(): void {
    for (let step = this.conversation.nextClient(); step; step = this.conversation.nextClient()) {
      if (step.kind === "outcome") this.outcomes.set(step.gate.ordinal, step.outcome);
      else if (step.kind === "gate") {
        this.gates.push(step.gate);
        const decided = this.decide(step.gate);
        if (decided) this.#settle(step.gate, decided);
        else this.#held = step.gate;
      } else if (step.kind === "reply" || step.kind === "fault") this.#toClient.push(step.bytes);
      else this.#toServer.push(step.bytes);
      if (step.kind === "fault") this.faults.push(step.refusal);
      if (step.kind === "end") this.ended = true;
    }
  }
}

/** What the gates asked about, in their order: `run SELECT 1`. */
export const asked = (driven: Driven) => driven.gates.map(({ stage, text }) => `${stage} ${text}`);

/** Runs a statement as drivers do, and the answer to it. */
export const run = (statement: string, portal = "") => [front.bind(portal, statement), front.execute(portal)];
export const ran = (tag = "SELECT 0") => [back.bindComplete(), back.complete(tag)];

/** What goes to the server in a refused statement's place. */
export const POISON = /counterfoil: refused/;
/** Codes of the errors in what a client gets. */
export const errors = (bytes: Uint8Array) =>
  taken(bytes)
    .filter(({ type }) => type === "E")
    .map(({ body }) => errorFields(body).C);

/** The rows in it. */
export const rowsOf = (bytes: Uint8Array) =>
  frames(bytes)
    .filter((frame) => frame[0] === 0x44)
    .map((frame) => valuesOf(frame).map((value) => value?.toString() ?? null));
