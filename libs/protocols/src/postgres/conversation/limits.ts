import type { CommandLimit } from "../../protocol.js";
import { SERVER, STATUS } from "../codes.js";
import type { RunningCommand } from "../commands.js";
import { decodeFields, decodeReadyForQuery, isFatal } from "../decoder.js";
import { POISON_PARSE, POISON_QUERY, refusalResponse, sqlState } from "../denial.js";
import { errorResponse, query } from "../encoder.js";
import { scrubbed } from "../rewrite/texts.js";
import { type FlowingAnswer, type OwnAnswer, type QueryAnswer, queryAnswer, unexpected } from "./answers.js";
import type { SessionState } from "./state.js";

/**
 * A command with a limit goes alone (`Alone`), so when it ends nothing behind it has run. What it changed is then
 * still in a transaction: the extended protocol's own up to Sync, the client's, or, around a simple query outside of one,
 * the conversation's. Past the limit that transaction fails; else it goes on, or is committed. Each function says what
 * the client is shown in place of the server's message; null is nothing.
 */

const OWN: Readonly<Record<OwnAnswer["does"], Uint8Array>> = {
  begin: query("BEGIN"),
  commit: query("COMMIT"),
  rollback: query("ROLLBACK"),
  abort: POISON_QUERY,
};

/** Sends a statement of the conversation's own. */
export function sendOwn(state: SessionState, answer: OwnAnswer): void {
  state.answers.push(answer);
  state.due.push(OWN[answer.does]);
}

/** Notes that a command failed by its limit: the error that says so. */
export function limitError(command: RunningCommand): Uint8Array {
  const { refusal } = command.limit as CommandLimit;
  command.error = { code: sqlState(refusal), message: refusal.message };
  return refusalResponse(refusal, "ERROR");
}

/** It has come to its end, past its limit: in place of its completion it fails. */
export function pastLimit(state: SessionState, head: FlowingAnswer): Uint8Array | null {
  const { command } = head;
  command.struck = true;
  state.undoEffects(command);
  const error = limitError(command);
  if (head.kind === "query") return error;
  state.answers.shift();
  state.answers.push({ kind: "refusal", error, simple: false, segment: state.segment });
  state.due.push(POISON_PARSE);
  state.finish(command);
  state.skipping = true;
  return null;
}

/** A query is over: whether the conversation still has to end its own transaction, or to abort the client's. */
export function endsOwn(state: SessionState, head: QueryAnswer, status: number): boolean {
  const { command, segment, enclosed, completion } = head;
  if (status === STATUS.idle || !(enclosed || (command.struck && status === STATUS.transaction))) return false;
  const done = completion !== null && status === STATUS.transaction;
  state.answers.shift();
  sendOwn(state, {
    kind: "own",
    command,
    segment,
    does: !enclosed ? "abort" : done ? "commit" : "rollback",
    frame: completion,
  });
  return true;
}

/** The server's answer to a statement of the conversation's own. */
export function ownAnswer(state: SessionState, head: OwnAnswer, type: number, frame: Uint8Array): Uint8Array | null {
  const { command, does } = head;
  switch (type) {
    case SERVER.CommandComplete:
      return does === "commit" ? head.frame : null;
    case SERVER.ErrorResponse: {
      const fields = decodeFields(frame);
      // The client has been told already why it comes to this.
      if (!isFatal(fields) && (does === "abort" || does === "rollback")) return null;
      const told = state.scrubbing ? scrubbed(fields) : fields;
      command.error ??= { code: told.get("C") ?? "", message: told.get("M") ?? "" };
      return errorResponse(told);
    }
    case SERVER.ReadyForQuery:
      return ownReady(state, head, frame);
    default:
      throw unexpected("a message of this type");
  }
}

function ownReady(state: SessionState, head: OwnAnswer, frame: Uint8Array): Uint8Array | null {
  const { command, segment, does } = head;
  const status = decodeReadyForQuery(frame);
  state.answers.shift();
  if (does === "begin" && status === STATUS.transaction) {
    state.holding = false;
    state.answers.push(queryAnswer(command, segment, true));
    state.due.push(head.frame as Uint8Array);
    return null;
  }
  if (status !== (does === "abort" ? STATUS.failed : STATUS.idle)) {
    // A cancel of the client's met it: once more.
    sendOwn(state, { ...head, does: does === "abort" ? "abort" : "rollback", frame: null });
    return null;
  }
  state.holding = false;
  state.status = status;
  state.undoEffects(command);
  state.finish(command);
  state.endSegment(segment);
  return frame;
}
