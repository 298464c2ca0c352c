import type { MaskPlan, Refusal } from "#commands";
import type { CommandLimit, Gate } from "../../protocol.js";
import { STATUS } from "../codes.js";
import { RunningCommand } from "../commands.js";
import { POISON_PARSE, POISON_QUERY, refusalResponse, sqlState } from "../denial.js";
import { readyForQuery } from "../encoder.js";
import type { SessionState } from "./state.js";

const NOTHING = new Uint8Array(0);

/**
 * Refuses a message: what goes to either side for it. Where the server has answers to give first, or stands in a
 * transaction, it is sent a poison in the message's place, and the error it answers with is replaced by ours.
 *
 * @param simple of the simple protocol, which ReadyForQuery ends
 * @param inPlace behind what was sent, whatever the state
 * @param code SQLSTATE; that of the refusal where there is none
 */
export function refuse(
  state: SessionState,
  simple: boolean,
  refusal: Refusal,
  inPlace: boolean,
  code?: string,
): { toServer: Uint8Array; toClient: Uint8Array } {
  if (state.skipping) return { toServer: NOTHING, toClient: NOTHING };
  const error = refusalResponse(refusal, "ERROR", code);
  const quiet = state.answers.empty && !state.unsynced && state.copyIn.doubtful === 0;
  if (simple && !inPlace && quiet && state.status !== STATUS.transaction) {
    return { toServer: NOTHING, toClient: Buffer.concat([error, readyForQuery(state.status)]) };
  }
  state.sending();
  state.answers.push({ kind: "refusal", error, simple, segment: state.segment });
  if (simple) {
    state.segment++;
    state.unsynced = false;
  } else {
    // The poison fails, or something before it has: either way the server skips what follows, so it is not sent.
    state.skipping = true;
  }
  return { toServer: simple ? POISON_QUERY : POISON_PARSE, toClient: NOTHING };
}

/** Refuses what was let through and cannot be carried: it has an outcome. @returns what goes to the server */
export function refuseAllowed(
  state: SessionState,
  gate: Gate,
  plan: MaskPlan,
  simple: boolean,
  refusal: Refusal,
): Uint8Array {
  if (gate.stage === "run") {
    state.notRun(new RunningCommand(gate, plan), { code: sqlState(refusal), message: refusal.message });
  }
  return refuse(state, simple, refusal, true).toServer;
}

/** Of a message larger than may be held to be looked at. */
export const tooLarge = (size: number, limit: number): Refusal => ({
  code: "too_large",
  message: `a statement with its parameters may have ${limit} bytes, not ${size}`,
  hint: "Send it in parts, or as COPY data, which has no limit.",
});

/** Of one more name than a session has room for. */
export const keptTooMuch = (limit: number): Refusal => ({
  code: "too_large",
  message: `prepared statements and portals that have names may have ${limit} bytes in a session, all in all`,
  hint: "Close those that are no longer needed (DEALLOCATE), or use the unnamed ones.",
});

/** Of an Execute for some of the rows, where those that are changed have a limit. */
export const inParts = ({ refusal }: CommandLimit): Refusal => ({
  ...refusal,
  message: `${refusal.message} What it changes is counted when it ends, so it cannot be run in parts.`,
  hint: "Ask for all of its rows at once.",
});
