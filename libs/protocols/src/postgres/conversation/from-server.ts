import { type ByteReader, FrameAssembler, MalformedBytes, TooLarge } from "#bytes";
import { NOTHING_MASKED, type Refusal } from "#commands";
import type { ServerStep } from "../../protocol.js";
import { MessageTypes, SERVER } from "../codes.js";
import {
  decodeCommandComplete,
  decodeFields,
  decodeNotification,
  decodeParameterStatus,
  decodeReadyForQuery,
  decodeRowDescription,
  isFatal,
  MESSAGE_FORMAT,
} from "../decoder.js";
import { goodbyeResponse } from "../denial.js";
import { errorResponse, noticeResponse, notificationResponse } from "../encoder.js";
import type { Fields } from "../messages.js";
import { scrubbed } from "../rewrite/texts.js";
import { type Answer, type FlowingAnswer, flowing, type OwnAnswer, type ProbeAnswer, unexpected } from "./answers.js";
import { NOT_IN_COPY } from "./copy-in.js";
import { DataOut } from "./data-out.js";
import { endsOwn, limitError, ownAnswer, pastLimit } from "./limits.js";
import type { SessionState } from "./state.js";
import { lookOf } from "./statements.js";
import { WayOut } from "./way-out.js";

/** What a server may send at any time. */
const ASIDE = new MessageTypes([SERVER.NoticeResponse, SERVER.NotificationResponse, SERVER.ParameterStatus]);

/** What says how a simple query or a call went, before ReadyForQuery ends it. */
const TELLS = new MessageTypes([
  SERVER.CommandComplete,
  SERVER.EmptyQueryResponse,
  SERVER.ErrorResponse,
  SERVER.FunctionCallResponse,
]);

/** The server's messages: what passes, what is rewritten, what is swallowed, and what each says of the commands sent. */
export class FromServer {
  readonly #state: SessionState;
  readonly #frames: FrameAssembler;
  readonly #out: WayOut;
  readonly #data: DataOut;
  #over = false;

  constructor(state: SessionState) {
    this.#state = state;
    this.#frames = new FrameAssembler(MESSAGE_FORMAT, state.options.messageLimit);
    this.#out = new WayOut(this.#frames);
    this.#data = new DataOut(this.#frames, this.#out, state.options.messageLimit);
  }

  push(chunk: Uint8Array): void {
    if (!this.#over) this.#frames.push(chunk);
  }

  /** Part of a message has gone to the client, and the rest has not come. */
  get midway(): boolean {
    return this.#frames.midway;
  }

  /** What the client can be sent now of a message of our own; it follows by itself where it has to wait. */
  say(message: Uint8Array): Uint8Array {
    return this.#out.say(message);
  }

  next(): ServerStep | null {
    for (;;) {
      const step = this.#out.next();
      if (step) return step;
      if (this.#state.outcomes.length > 0) return this.#state.outcomes.shift() as ServerStep;
      if (this.#over) return null;
      try {
        if (!this.#read()) return null;
      } catch (error) {
        if (error instanceof MalformedBytes) this.#fault("malformed", `the resource: ${error.message}`);
        else if (error instanceof TooLarge) this.#fault("too_large", `the resource: ${error.message}`);
        else throw error;
      }
    }
  }

  /** Reads what is here, up to a piece that is worth sending. False where nothing came of it. */
  #read(): boolean {
    for (;;) {
      const type = this.#frames.next();
      this.#out.sayWhatWaits();
      if (type < 0 || !this.#message(type) || this.#out.full) break;
    }
    this.#out.emit();
    return this.#out.due || this.#state.outcomes.length > 0;
  }

  /** Deals with the next message. False where the rest of it is missing. */
  #message(type: number): boolean {
    const { answers } = this.#state;
    const { head } = answers;
    if (TELLS.has(type)) answers.spoken = true;
    if (head?.kind === "probe" && !ASIDE.has(type)) return this.#probed(type, head);
    if (type === SERVER.ReadyForQuery && !answers.spoken && head?.kind !== "sync") return this.#readyAgain();
    if (head !== undefined && head.kind === "own" && !ASIDE.has(type)) return this.#own(type, head);
    if (type === SERVER.DataRow) return this.#data.row(head);
    if (type === SERVER.CopyData) return this.#data.copyData(head);
    const frame = this.#frames.read();
    if (!frame) return false;
    switch (type) {
      case SERVER.ErrorResponse:
        return this.#error(frame, head);
      case SERVER.NoticeResponse:
        return this.#notice(frame);
      case SERVER.NotificationResponse:
        return this.#notification(frame);
      case SERVER.ParameterStatus: {
        const { name, value } = decodeParameterStatus(frame);
        this.#state.parameter(name, value);
        return this.#out.pass();
      }
      case SERVER.ReadyForQuery:
        return this.#readyForQuery(frame, head);
      case SERVER.CommandComplete:
      case SERVER.EmptyQueryResponse:
        return this.#complete(type === SERVER.CommandComplete ? decodeCommandComplete(frame) : "", head);
      case SERVER.RowDescription:
      case SERVER.NoData:
      case SERVER.ParameterDescription:
        return this.#description(frame, type, head);
      case SERVER.CopyInResponse:
        return this.#copyIn(head);
      case SERVER.CopyOutResponse:
        return this.#data.copyOut(frame, head);
      case SERVER.CopyBothResponse:
        this.#fault("unsupported", "COPY in both directions belongs to replication, which is not carried");
        return false;
      case SERVER.CopyDone:
        return this.#data.copyDone(head);
      case SERVER.ParseComplete:
        if (head?.kind !== "parse") throw unexpected("ParseComplete");
        this.#state.statements.settle(head.change);
        return this.#answered();
      case SERVER.BindComplete:
        if (head?.kind !== "bind") throw unexpected("BindComplete");
        this.#state.portals.settle(head.change);
        this.#state.stopped(head.portal.command);
        // The unnamed portal has gone to make room.
        if (head.change.before) this.#state.finish(head.change.before.command);
        return this.#answered();
      case SERVER.CloseComplete:
        if (head?.kind !== "close") throw unexpected("CloseComplete");
        if (head.statement) this.#state.statements.settle(head.statement);
        if (head.portal) this.#state.portals.settle(head.portal);
        if (head.portal?.before) this.#state.finish(head.portal.before.command);
        return this.#answered();
      case SERVER.PortalSuspended:
        if (head?.kind !== "execute") throw unexpected("PortalSuspended");
        if (head.command.struck) return this.#limitReached(head);
        head.command.suspend();
        this.#state.stopped(head.command);
        if (this.#state.limited === head.command) this.#state.limited = null;
        if (head.portal.cursor) this.#state.finish(head.command);
        return this.#answered();
      case SERVER.FunctionCallResponse:
        if (head?.kind !== "call") throw unexpected("FunctionCallResponse");
        this.#state.stopped(head.command);
        return this.#data.functionResult(head);
      default:
        throw unexpected("a message of this type");
    }
  }

  // ---- what comes before data ---------------------------------------------------------------------------------------

  #copyIn(head: Answer | undefined): boolean {
    if (!flowing(head)) throw unexpected("CopyResponse");
    const state = this.#state;
    head.copy = { direction: "in", masker: null };
    state.beginCopy(head.kind === "execute");
    // It waits for data, and the client's next is something else, which may wait for it.
    if (state.asking && state.copyIn.reads && !state.copyIn.meetsOther) {
      this.#fault("malformed", NOT_IN_COPY);
      return false;
    }
    return this.#out.pass();
  }

  #description(frame: ByteReader, type: number, head: Answer | undefined): boolean {
    if (type === SERVER.ParameterDescription) {
      if (head?.kind !== "describe") throw unexpected("ParameterDescription");
      return this.#out.pass();
    }
    if (head?.kind === "query" && type === SERVER.RowDescription) return this.#data.described(frame, head);
    if (head?.kind !== "describe") throw unexpected("a description");
    const { of } = head;
    // What is not masked needs no description; should a changed policy mask it, it is asked for again.
    if (of && "bind" in of && of.command.plan === NOTHING_MASKED) of.asked = false;
    else if (of && type === SERVER.NoData) of.columns = null;
    else if (of) of.columns = "bind" in of ? lookOf(of.statement, frame) : decodeRowDescription(frame);
    if (!head.own) return this.#answered();
    this.#state.answers.shift();
    return this.#out.swallow();
  }

  // ---- ends --------------------------------------------------------------------------------------------------------

  #complete(tag: string, head: Answer | undefined): boolean {
    if (!flowing(head)) throw unexpected("CommandComplete");
    const state = this.#state;
    const { command } = head;
    if (head.copy?.direction === "in") state.copyIn.end();
    state.copyIn.doubtful = 0;
    head.copy = null;
    if (command.past(tag)) return this.#limitReached(head);
    command.complete(tag);
    state.confirmEffect(command, tag);
    state.completed(command, tag);
    if (head.kind === "query") {
      head.masks = undefined;
      if (!head.enclosed) return this.#out.pass();
      head.completion = Buffer.from(this.#whole);
      return this.#out.swallow();
    }
    head.portal.atEnd = true;
    state.undoEffects(command);
    state.finish(command);
    return this.#answered();
  }

  #readyForQuery(frame: ByteReader, head: Answer | undefined): boolean {
    const state = this.#state;
    const status = decodeReadyForQuery(frame);
    if (head?.kind === "query" && endsOwn(this.#state, head, status)) return this.#out.swallow();
    state.status = status;
    if (head?.kind === "query" || head?.kind === "call") {
      state.undoEffects(head.command);
      state.finish(head.command);
    } else if (head?.kind !== "sync" && !(head?.kind === "refusal" && head.simple)) throw unexpected("ReadyForQuery");
    state.answers.shift();
    state.endSegment(head.segment);
    return this.#out.pass();
  }

  /**
   * It ends nothing that is due: COPY failed before the server had read a Sync that it would have ignored. What was sent
   * behind the data has no answer yet, as the server deals with one after the other.
   */
  #readyAgain(): boolean {
    const state = this.#state;
    const frame = this.#frames.read();
    if (!frame) return false;
    if (state.copyIn.doubtful === 0) throw unexpected("ReadyForQuery");
    state.status = decodeReadyForQuery(frame);
    state.copyIn.doubtful--;
    state.skipping = false;
    if (state.answers.empty) this.#batchOver();
    return this.#out.pass();
  }

  #batchOver(): void {
    const state = this.#state;
    state.unsynced = false;
    state.endSegment(state.segment++);
  }

  /** Of the ReadyForQuery that come before its end one is the probe's own, and all are alike. */
  #probed(type: number, head: ProbeAnswer): boolean {
    const state = this.#state;
    const frame = this.#frames.read();
    if (!frame) return false;
    switch (type) {
      case SERVER.ErrorResponse: {
        const fields = decodeFields(frame);
        if (!isFatal(fields)) throw unexpected("an error");
        return this.#text(fields, errorResponse);
      }
      case SERVER.ReadyForQuery:
        state.status = decodeReadyForQuery(frame);
        return ++head.readies === 1 ? this.#out.swallow() : this.#out.pass();
      case SERVER.CloseComplete:
        if (head.readies === 0) throw unexpected("CloseComplete");
        state.answers.shift();
        state.skipping = !state.copyIn.probed(head);
        if (!state.skipping) this.#batchOver();
        return this.#out.swallow();
      default:
        throw unexpected("a message of this type");
    }
  }

  // ---- texts -------------------------------------------------------------------------------------------------------

  #error(frame: ByteReader, head: Answer | undefined): boolean {
    const state = this.#state;
    const fields = decodeFields(frame);
    const command = head && "command" in head ? head.command : head?.kind === "bind" ? head.portal.command : null;
    if (command) {
      const told = state.scrubbing ? scrubbed(fields) : fields;
      command.error = { code: told.get("C") ?? "", message: told.get("M") ?? "" };
    }
    if (isFatal(fields)) return this.#text(fields, errorResponse);
    if (head?.kind === "refusal") {
      this.#out.replace(head.error);
      if (!head.simple) state.skipToSync();
      return true;
    }
    if (flowing(head) && head.copy?.direction === "in") state.copyIn.fail(head.kind === "execute");
    else state.copyIn.doubtful = 0;
    if (flowing(head) && head.command.struck) this.#out.replace(limitError(head.command));
    else this.#text(fields, errorResponse);
    if (head?.kind === "query" || head?.kind === "call") state.undoEffects(head.command);
    else if (head && head.kind !== "sync") state.skipToSync();
    return true;
  }

  #notice(frame: ByteReader): boolean {
    return this.#text(decodeFields(frame), noticeResponse);
  }

  /** An error's or a notice's text, scrubbed where it could quote what the transaction's commands may not show. */
  #text(fields: Fields, encode: (fields: Fields) => Buffer): boolean {
    if (!this.#state.scrubbing) return this.#out.pass();
    return this.#out.replace(encode(scrubbed(fields)));
  }

  #notification(frame: ByteReader): boolean {
    const { pid, channel } = decodeNotification(frame);
    if (!this.#state.options.scrubNotifications?.() && !this.#state.scrubbing) return this.#out.pass();
    return this.#out.replace(notificationResponse(pid, channel, ""));
  }

  // ---- limits ------------------------------------------------------------------------------------------------------

  #limitReached(head: FlowingAnswer): boolean {
    const shown = pastLimit(this.#state, head);
    return shown ? this.#out.replace(shown) : this.#out.swallow();
  }

  /** The conversation's own statements: the client sees only how they end. */
  #own(type: number, head: OwnAnswer): boolean {
    const frame = this.#frames.whole();
    if (!frame) return false;
    const shown = ownAnswer(this.#state, head, type, frame);
    return shown ? this.#out.replace(shown) : this.#out.swallow();
  }

  // ---- ends of answers ---------------------------------------------------------------------------------------------

  /** The answer is complete, and passes. */
  #answered(): boolean {
    this.#state.answers.shift();
    return this.#out.pass();
  }

  /** The message at hand, which is all here. */
  get #whole(): Uint8Array {
    return this.#frames.whole() as Uint8Array;
  }

  #fault(code: "malformed" | "too_large" | "unsupported", message: string): void {
    this.#over = true;
    const refusal: Refusal = { code, message };
    this.#out.emit({ kind: "fault", bytes: goodbyeResponse(refusal), refusal });
  }
}
