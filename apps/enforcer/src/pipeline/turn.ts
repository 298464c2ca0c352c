import type { BusyPoll } from "./busy-poll.js";

/** What leaves at the end of a turn of the event loop. */
export interface Leaving {
  leave(): void;
}

/**
 * Gathers what the sessions wrote in one turn of the event loop and lets it leave at its end: so the records of all of
 * them are one write, and what each sends is one more.
 */
export class Turn {
  #leaving: Leaving[] = [];

  constructor(private readonly busyPoll: BusyPoll) {}

  /** Once a turn for each. */
  add(leaving: Leaving): void {
    if (this.#leaving.push(leaving) !== 1) return;
    this.busyPoll.came();
    setImmediate(this.#end);
  }

  readonly #end = () => {
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const each of leaving) each.leave();
    this.busyPoll.left();
  };
}
