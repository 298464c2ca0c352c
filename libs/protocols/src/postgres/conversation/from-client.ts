import { type ByteReader, FrameAssembler, MalformedBytes, TooLarge } from "#bytes";
import { NOTHING_MASKED, type Refusal } from "#commands";
import type { ClientStep, CommandLimit, OutcomeStep, Prepared } from "../../protocol.js";
import { CLIENT, MessageTypes } from "../codes.js";
import { fetchText, parameterOf, RunningCommand, readable } from "../commands.js";
import {
  decodeBind,
  decodeEmpty,
  decodeExecute,
  decodeFunctionCall,
  decodeParse,
  decodeQuery,
  decodeTarget,
  MESSAGE_FORMAT,
  nameOfKey,
} from "../decoder.js";
import { goodbyeResponse } from "../denial.js";
import { describePortal, flush } from "../encoder.js";
import { Alone } from "./alone.js";
import { queryAnswer } from "./answers.js";
import { NOT_IN_COPY } from "./copy-in.js";
import { type Asked, Gates, type Pass } from "./gates.js";
import { inParts, refuse, refuseAllowed, tooLarge } from "./refusals.js";
import type { SessionState } from "./state.js";
import { boundPortal, cursorPortal, type Portal, type Statement } from "./statements.js";
import { WayIn } from "./way-in.js";

const NOTHING = new Uint8Array(0);
const FLUSH = flush();
/** A client that sends on and on without reading waits here, not in memory. */
const MOST_UNANSWERED = 10_000;
/** And so does one whose messages are large. Bytes. */
const MOST_KEPT_UNANSWERED = 16 << 20;

/** The client's messages: what passes, what asks first, what waits. */
export class FromClient {
  readonly #state: SessionState;
  readonly #frames: FrameAssembler;
  readonly #in: WayIn;
  readonly #alone: Alone;
  readonly gates: Gates;
  #over = false;

  constructor(state: SessionState) {
    this.#state = state;
    this.#frames = new FrameAssembler(MESSAGE_FORMAT, state.options.messageLimit);
    this.#in = new WayIn(this.#frames);
    this.#alone = new Alone(state);
    this.gates = new Gates(state, this.#frames);
  }

  push(chunk: Uint8Array): void {
    if (!this.#over) this.#frames.push(chunk);
  }

  next(): ClientStep | null {
    if (this.gates.waiting) return null;
    try {
      for (;;) {
        const { due, outcomes } = this.#state;
        if (due.length > 0) return { kind: "forward", bytes: due.shift() as Uint8Array };
        if (outcomes.length > 0) return outcomes.shift() as OutcomeStep;
        const step = this.#in.next();
        if (step?.kind === "gate") this.gates.givenOut();
        if (step) return step;
        if (this.#over) return null;
        if (this.#alone.waits) {
          if (this.#started() || this.#in.due) continue;
          return null;
        }
        const type = this.#frames.next();
        if (type >= 0 && this.#message(type)) continue;
        this.#in.emit();
        if (!this.#in.due) return null;
      }
    } catch (error) {
      if (error instanceof MalformedBytes) return this.#fault({ code: "malformed", message: error.message });
      if (error instanceof TooLarge) return this.#fault({ code: "too_large", message: error.message });
      throw error;
    }
  }

  // ---- one message -------------------------------------------------------------------------------------------------

  /** Deals with the next message. False where it has to wait: for its rest, or for an answer. */
  #message(type: number): boolean {
    const state = this.#state;
    if (state.skipping && type !== CLIENT.Sync && type !== CLIENT.Terminate) {
      if (state.copyIn.mayBeSkipped(type)) return this.#probe();
      this.#frames.drop();
      return true;
    }
    if (state.holding) return this.#wait();
    if (type === CLIENT.CopyData) {
      if (!state.copyIn.reads) state.copyIn.sendData();
      return this.#in.pass();
    }
    if (state.copyIn.holdsBack(type)) {
      // A Sync that the server ignores among the data has it give out no answers.
      state.unsynced = true;
      return this.#wait();
    }
    if (state.answers.length >= MOST_UNANSWERED) return this.#wait();
    if (state.unanswered >= MOST_KEPT_UNANSWERED && DECIDED.has(type)) {
      if (!state.answers.empty) return this.#wait();
      state.unanswered = 0;
    }
    if (state.limited && !state.copyIn.reads) return this.#wait();
    if (!KNOWN.has(type)) throw new MalformedBytes("a message of an unknown type");
    if (DECIDED.has(type) && this.#frames.size > state.options.messageLimit) return this.#refuseUnread(type);
    const frame = this.#frames.read();
    if (!frame) return false;
    switch (type) {
      case CLIENT.Query:
        return this.#query(frame);
      case CLIENT.Parse:
        return this.#parse(frame);
      case CLIENT.Bind:
        return this.#bind(frame);
      case CLIENT.Describe:
        return this.#describe(frame);
      case CLIENT.Execute:
        return this.#execute(frame);
      case CLIENT.Close:
        return this.#closeName(frame);
      case CLIENT.FunctionCall:
        return this.#functionCall(frame);
      case CLIENT.Sync:
        return this.#sync(frame);
      case CLIENT.Flush:
        decodeEmpty(frame);
        return this.#in.pass();
      case CLIENT.Terminate:
        return this.#terminate(frame);
      default: // CopyDone, CopyFail
        state.copyIn.sendEnd();
        state.flushed = false;
        return this.#in.pass();
    }
  }

  #query(frame: ByteReader): boolean {
    if (this.#namesUnsettled()) return this.#wait();
    const { text, refusal } = readable(decodeQuery(frame).text, this.#state.reading);
    return this.#ask({ stage: "run", text, several: true }, refusal, true, (gate, plan, effects, limit) => {
      const state = this.#state;
      const command = state.begin(new RunningCommand(gate, plan, effects, limit));
      state.applyEffects(command);
      if (limit) {
        this.#alone.keep(command, this.#frames.whole() as Uint8Array);
        return NOTHING;
      }
      state.sending();
      state.answers.push(queryAnswer(command, state.segment++));
      state.runs++;
      state.unsynced = false;
      return null;
    });
  }

  #parse(frame: ByteReader): boolean {
    const message = decodeParse(frame);
    const { text, refusal: unreadable } = readable(message.text, this.#state.reading);
    const refusal = unreadable ?? (message.name === "" ? undefined : this.#state.keepsTooMuch(text.length));
    const prepared: Prepared = { text };
    return this.#ask({ stage: "prepare", text, several: false, prepared }, refusal, false, () => {
      const state = this.#state;
      state.sending();
      const change = state.statements.change(message.name, { prepared, asked: false }, state.segment);
      state.answers.push({ kind: "parse", change });
      return null;
    });
  }

  #bind(frame: ByteReader): boolean {
    const bind = decodeBind(frame);
    const { statements, segment } = this.#state;
    if (this.#namesUnsettled() || statements.unsettledBefore(segment, (key) => key === bind.statement)) {
      return this.#wait();
    }
    const statement = statements.get(bind.statement);
    if (!statement) return this.#unknown(`prepared statement "${nameOfKey(bind.statement)}" does not exist`, "26000");
    const parameters = bind.values.map(parameterOf);
    const { prepared } = statement;
    const named: Asked = { stage: "run", text: prepared.text, several: false, parameters, prepared };
    const asked = bind.portal === "" ? named : { ...named, portal: nameOfKey(bind.portal) };
    const refusal = bind.portal === "" ? undefined : this.#state.keepsTooMuch(this.#frames.size);
    return this.#ask(asked, refusal, false, (gate, plan, effects, limit) => {
      const state = this.#state;
      state.sending();
      const command = state.begin(new RunningCommand(gate, plan, effects, limit));
      if (command.replacesPortals) state.runs++;
      const portal = boundPortal(statement, bind, command, state);
      const change = state.portals.change(bind.portal, portal, state.segment);
      this.#byName(portal);
      state.bound(portal);
      state.answers.push({ kind: "bind", change, portal });
      return null;
    });
  }

  #describe(frame: ByteReader): boolean {
    const { kind, name } = decodeTarget(frame);
    const state = this.#state;
    state.sending();
    const of: Statement | Portal | null =
      (kind === "statement" ? state.statements.get(name) : state.certainPortal(name)) ?? null;
    if (of) of.asked = true;
    state.answers.push({ kind: "describe", of, own: false });
    return this.#in.pass();
  }

  #execute(frame: ByteReader): boolean {
    const { portal: key, maxRows } = decodeExecute(frame);
    const state = this.#state;
    const known = state.portals.get(key);
    // Behind anything else that runs, the name may have become another's: an SQL CLOSE and DECLARE share it.
    if (!(known && state.isCertain(key, known)) && !state.answers.empty) return this.#wait();
    const renamed = known !== undefined && known.names !== null && known.names !== state.namesVersion;
    // One that is over is not gone on with: it was at its end, or the server skipped it.
    if (known && known.epoch === state.epoch && !renamed && !known.command.finished) {
      if (known.command.limit?.changes && maxRows > 0) return this.#inParts(known.command.limit);
      const before = this.#run(known, key);
      if (before) this.#in.insert(before);
      return this.#in.pass();
    }
    // From here on it is another command: the one before has its outcome first.
    if (known?.ran && !state.answers.empty) return this.#wait();
    const text = known ? known.statement.prepared.text : fetchText(key, maxRows);
    const parameters = known ? known.bind.values.map(parameterOf) : [];
    const asked: Asked = { stage: "run", text, several: false, parameters };
    return this.#ask(
      known ? { ...asked, again: known.command.gate } : asked,
      undefined,
      false,
      (gate, plan, effects, limit) => {
        if (limit?.changes && maxRows > 0) return refuseAllowed(state, gate, plan, false, inParts(limit));
        const command = state.begin(new RunningCommand(gate, plan, effects, limit));
        const portal = known ?? cursorPortal(text, command, state);
        if (known) {
          state.finish(known.command);
          // What its text does it has done.
          command.ran = known.atEnd;
          known.command = command;
          known.epoch = state.epoch;
          known.asked = known.columns !== undefined;
          known.masks = undefined;
          this.#byName(known);
        }
        const before = this.#run(portal, key);
        if (before) this.#in.insert(before);
        return null;
      },
    );
  }

  /**
   * Notes that a portal runs. Gives what asks for its description, which goes first: where its rows will be masked and
   * nobody has asked.
   */
  #run(portal: Portal, key: string): Uint8Array | null {
    const state = this.#state;
    state.sending();
    const { command } = portal;
    const describe = command.plan !== NOTHING_MASKED && !portal.asked && !portal.statement.asked;
    if (describe) {
      portal.asked = true;
      state.answers.push({ kind: "describe", of: portal, own: true });
    }
    state.applyEffects(command);
    if (command.limit) state.limited = command;
    state.answers.push({ kind: "execute", command, portal, copy: null });
    portal.runs = ++state.runs;
    portal.ran = true;
    return describe ? describePortal(key) : null;
  }

  /** Whether what waited to be sent alone could go. */
  #started(): boolean {
    if (this.#state.copyIn.reads) throw new MalformedBytes(NOT_IN_COPY);
    if (!this.#state.answers.empty) return this.#wait();
    this.#alone.send();
    return true;
  }

  /** What it changes in all is not known before it has run to its end. */
  #inParts(limit: CommandLimit): boolean {
    const { toServer } = refuse(this.#state, false, inParts(limit), true);
    this.#frames.drop();
    this.#in.insert(toServer);
    return true;
  }

  /** Should a name change before it runs, it asks again. */
  #byName(portal: Portal): void {
    const { effects } = portal.command;
    const byName = effects.length > 0 && effects.some(({ kind }) => kind === "by-name");
    portal.names = byName ? this.#state.namesVersion : null;
  }

  #closeName(frame: ByteReader): boolean {
    const { kind, name } = decodeTarget(frame);
    const state = this.#state;
    state.sending();
    const statement = kind === "statement" ? state.statements.change(name, undefined, state.segment) : null;
    const portal = kind === "portal" ? state.portals.change(name, undefined, state.segment) : null;
    state.answers.push({ kind: "close", statement, portal });
    return this.#in.pass();
  }

  #functionCall(frame: ByteReader): boolean {
    const { oid, values, resultFormat } = decodeFunctionCall(frame);
    const asked = {
      stage: "run" as const,
      text: "",
      several: false,
      parameters: values.map(parameterOf),
      functionOid: oid,
    };
    return this.#ask(asked, undefined, true, (gate, plan, effects) => {
      const state = this.#state;
      state.sending();
      const command = state.begin(new RunningCommand(gate, plan, effects));
      state.applyEffects(command);
      state.answers.push({ kind: "call", command, segment: state.segment++, format: resultFormat });
      state.runs++;
      state.unsynced = false;
      return null;
    });
  }

  #sync(frame: ByteReader): boolean {
    decodeEmpty(frame);
    const state = this.#state;
    if (state.copyIn.ignoresSync()) return this.#in.pass();
    state.answers.push({ kind: "sync", segment: state.segment++ });
    state.unsynced = false;
    state.skipping = false;
    return this.#in.pass();
  }

  #terminate(frame: ByteReader): boolean {
    decodeEmpty(frame);
    this.#over = true;
    return this.#in.end();
  }

  // ---- steps -------------------------------------------------------------------------------------------------------

  #ask(asked: Asked, refusal: Refusal | undefined, simple: boolean, pass: Pass): boolean {
    this.#in.emit(this.gates.ask(asked, refusal, simple, pass));
    return true;
  }

  /** The message has to wait for answers. Without a Sync the server may keep them back, so it is asked for them once. */
  #wait(): boolean {
    const state = this.#state;
    if (!state.flushed && state.unsynced) {
      state.flushed = true;
      this.#in.insert(FLUSH);
    }
    return false;
  }

  /** Whether the message is skipped has to be found out first. */
  #probe(): boolean {
    const probe = this.#state.copyIn.probe();
    if (probe) this.#in.insert(probe);
    return false;
  }

  /** Names of statements that SQL can use are being changed by what is not answered and may fail. */
  #namesUnsettled(): boolean {
    return this.#state.statements.unsettledBefore(this.#state.segment, (key) => key !== "");
  }

  // ---- refusals ----------------------------------------------------------------------------------------------------

  /** An error of the server's own kind, in its place: what is meant does not exist, so nothing can be decided. */
  #unknown(message: string, code: string): boolean {
    const { toServer } = refuse(this.#state, false, { code: "not_understood", message }, true, code);
    this.#frames.drop();
    this.#in.insert(toServer);
    return true;
  }

  /** Larger than may be held to be looked at: it is refused, and falls as it comes. */
  #refuseUnread(type: number): boolean {
    const { size } = this.#frames;
    const refusal = tooLarge(size, this.#state.options.messageLimit);
    const simple = type === CLIENT.Query || type === CLIENT.FunctionCall;
    const stage = type === CLIENT.Parse ? "prepare" : "run";
    return this.#ask({ stage, text: "", several: false }, refusal, simple, () => NOTHING);
  }

  #fault(refusal: Refusal): ClientStep {
    this.#over = true;
    return { kind: "fault", bytes: goodbyeResponse(refusal), refusal };
  }
}

const KNOWN = new MessageTypes(
  Object.values(CLIENT).filter((type) => type !== CLIENT.Password && type !== CLIENT.CopyData),
);

/** What asks to pass. */
const DECIDED = new MessageTypes([CLIENT.Query, CLIENT.Parse, CLIENT.Bind, CLIENT.FunctionCall]);
