import type { Clock } from "./clock.js";

/** A clock that a test turns by hand. */
export class ManualClock implements Clock {
  #now = 1_700_000_000_000;
  #timers: { at: number; act: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, act: () => void): () => void {
    const timer = { at: this.#now + ms, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** Lets the time pass, with what is due in its order, and what that leads to. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#now = Math.max(this.#now, due.at);
      due.act();
    }
    this.#now = end;
    await settle();
  }

  get waiting(): number {
    return this.#timers.length;
  }
}

/** Everything that can go on without waiting for anything outside has gone on. */
export const settle = () => new Promise<void>((done) => setImmediate(done));
