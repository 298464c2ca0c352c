/** Time as an argument, so that leases and holds are tested without waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `act` once after `ms`; the answer takes it back. Never keeps the process alive. */
  after(ms: number, act: () => void): () => void;
}

/** setTimeout takes 31 bits; a longer wait is made of several. */
const LONGEST = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  after(ms, act) {
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      timer = setTimeout(() => (left > LONGEST ? wait(left - LONGEST) : act()), Math.max(0, Math.min(left, LONGEST)));
      timer.unref();
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};
