import type { FrameAssembler } from "#bytes";
import type { MaskPlan, Refusal } from "#commands";
import type { ClientStep, CommandLimit, Gate } from "../../protocol.js";
import { type Effect, misread, RunningCommand } from "../commands.js";
import { refuse, refuseAllowed } from "./refusals.js";
import type { SessionState } from "./state.js";

const NOTHING = new Uint8Array(0);
const NO_PARAMETERS: Gate["parameters"] = [];
/** Of most commands; never added to. */
const NO_EFFECTS: Effect[] = [];

/** What a message asks. */
export type Asked = Pick<Gate, "stage" | "text" | "several"> &
  Partial<Pick<Gate, "parameters" | "functionOid" | "portal" | "prepared" | "again">>;

/** Sends the message: what goes upstream in its place; null where it goes as it came. */
export type Pass = (
  gate: Gate,
  plan: MaskPlan,
  effects: readonly Effect[],
  limit: CommandLimit | null,
) => Uint8Array | null;

/** A gate that waits for its decision, and what to do once it passes. */
interface OpenGate {
  readonly gate: Gate;
  readonly simple: boolean;
  effects: Effect[];
  readonly pass: Pass;
}

/** Where the client's messages ask to pass: one at a time, which stays at hand until it is allowed or denied. */
export class Gates {
  readonly #state: SessionState;
  readonly #frames: FrameAssembler;
  /** Made, and not given out yet. */
  #asking: OpenGate | null = null;
  #open: OpenGate | null = null;

  constructor(state: SessionState, frames: FrameAssembler) {
    this.#state = state;
    this.#frames = frames;
  }

  /** Nothing moves before the one that was given out is decided. */
  get waiting(): boolean {
    return this.#open !== null;
  }

  /** @param simple ReadyForQuery ends what is refused; else the server skips to the next Sync. */
  ask(asked: Asked, refusal: Refusal | undefined, simple: boolean, pass: Pass): ClientStep {
    const { stage, text, several, parameters = NO_PARAMETERS, functionOid, portal, prepared, again } = asked;
    // One after the other, as spreading costs more than all else here.
    const gate: { -readonly [Name in keyof Gate]: Gate[Name] } = {
      stage,
      text,
      several,
      parameters,
      ordinal: stage === "run" ? ++this.#state.ordinal : 0,
      batch: this.#state.segment,
      meaning: undefined,
      startedAt: 0,
    };
    if (portal !== undefined) gate.portal = portal;
    if (prepared !== undefined) gate.prepared = prepared;
    if (again !== undefined) gate.again = again;
    if (functionOid !== undefined) gate.functionOid = functionOid;
    if (refusal) gate.refusal = refusal;
    this.#asking = { gate, simple, effects: NO_EFFECTS, pass };
    return { kind: "gate", gate };
  }

  /** The one that asks is decided from here on. */
  givenOut(): void {
    this.#open = this.#asking;
    this.#state.asking = true;
  }

  allow(gate: Gate, plan: MaskPlan, limit: CommandLimit | null): Uint8Array {
    const instead = this.#allowed(this.#close(gate), plan, limit);
    if (instead === null) {
      this.#frames.pass();
      return NOTHING;
    }
    this.#frames.drop();
    return instead;
  }

  #allowed({ gate, simple, effects, pass }: OpenGate, plan: MaskPlan, limit: CommandLimit | null): Uint8Array | null {
    // What ran before it may have changed how the server reads it.
    const misreads = gate.stage === "prepare" || gate.several ? misread(gate.text, this.#state.reading) : undefined;
    const refusal = gate.refusal ?? misreads;
    if (refusal) return refuseAllowed(this.#state, gate, plan, simple, refusal);
    if (this.#state.skipping) {
      // What came before it has failed meanwhile: the server would skip this too, so it is not sent.
      if (gate.stage === "run") this.#state.notRun(new RunningCommand(gate, plan));
      return NOTHING;
    }
    this.#state.flushed = false;
    this.#state.unanswered += this.#frames.size;
    return pass(gate, plan, effects, limit);
  }

  deny(gate: Gate, refusal: Refusal): { toServer: Uint8Array; toClient: Uint8Array } {
    const { simple } = this.#close(gate);
    this.#frames.drop();
    return refuse(this.#state, simple, gate.refusal ?? refusal, false);
  }

  effect(gate: Gate, effect: Effect): void {
    if (this.#open?.gate !== gate) throw new Error("this gate is not open");
    if (gate.stage !== "run") return;
    const refusal = effect.kind === "define" && this.#state.keepsTooMuch(effect.prepared.text.length);
    if (refusal) (gate as { refusal?: Refusal }).refusal ??= refusal;
    if (this.#open.effects === NO_EFFECTS) this.#open.effects = [];
    this.#open.effects.push(effect);
  }

  #close(gate: Gate): OpenGate {
    const open = this.#open;
    if (open?.gate !== gate) throw new Error("this gate is not open");
    this.#open = null;
    this.#state.asking = false;
    return open;
  }
}
