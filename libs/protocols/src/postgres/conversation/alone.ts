import { STATUS } from "../codes.js";
import type { RunningCommand } from "../commands.js";
import { queryAnswer } from "./answers.js";
import { sendOwn } from "./limits.js";
import type { SessionState } from "./state.js";

/**
 * A simple query with a limit goes when everything before it has been answered, so that it is known whether a
 * transaction is open. Where none is, what it changes is enclosed in one, and that is committed once its rows have been
 * counted.
 */
export class Alone {
  readonly #state: SessionState;
  #waiting: { readonly command: RunningCommand; readonly frame: Uint8Array } | null = null;

  constructor(state: SessionState) {
    this.#state = state;
  }

  /** One is kept, and has not gone. */
  get waits(): boolean {
    return this.#waiting !== null;
  }

  /** @param frame the query's message */
  keep(command: RunningCommand, frame: Uint8Array): void {
    this.#state.limited = command;
    this.#state.holding = true;
    this.#waiting = { command, frame };
  }

  /** Sends the one that is kept, now that everything has been answered. */
  send(): void {
    if (!this.#waiting) return;
    const { command, frame } = this.#waiting;
    this.#waiting = null;
    const state = this.#state;
    state.holding = false;
    if (state.skipping) {
      state.notRun(command);
      return;
    }
    const segment = state.segment++;
    state.runs++;
    state.unsynced = false;
    if (command.limit?.changes && state.status === STATUS.idle) {
      state.holding = true;
      sendOwn(state, { kind: "own", command, segment, does: "begin", frame });
    } else {
      state.due.push(frame);
      state.answers.push(queryAnswer(command, segment));
    }
  }
}
