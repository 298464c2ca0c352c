import { readFileSync } from "node:fs";

/** Milliseconds between two looks at whether others wait for the processor that polling takes. */
const WINDOW_MS = 100;
/** Of a window that this thread waited for a processor, from which on others need it more. */
const CONTENDED = 0.05;
/** What a wait that would have paid gains, and one that would not costs: so polling pays where three of four do. */
const GAIN = 1;
const LOSS = 3;
const PAYS = 8;
const MOST = 16;

/** What polling goes by; given, so that a test turns it by hand. */
export interface PollClock {
  /** Monotonic milliseconds, to the microsecond. */
  now(): number;
  /** Milliseconds that this thread has been ready to run and had no processor; null where the system doesn't say. */
  waited(): number | null;
  /** Calls `act` behind the next poll for what has come. */
  again(act: () => void): void;
}

/**
 * Stays awake for a moment after something has left, as a server nearby answers sooner than a sleeping process is
 * woken, and caches are still warm. It polls only while that pays: what comes mostly comes within that moment, and
 * nothing else needs the processor. After KVM's halt polling (Linux, virt/kvm/halt-polling).
 */
export class BusyPoll {
  #pays = 0;
  #leftAt = Number.NEGATIVE_INFINITY;
  #polling = false;
  #free = false;
  #windowEnds = Number.NEGATIVE_INFINITY;
  #waited = 0;

  /** @param longest milliseconds that it stays awake; with 0 never */
  constructor(
    private readonly longest: number,
    private readonly clock: PollClock = systemPollClock,
  ) {}

  /** Something has come. */
  came(): void {
    if (this.longest === 0) return;
    const paid = this.clock.now() - this.#leftAt <= this.longest;
    this.#pays = paid ? Math.min(this.#pays + GAIN, MOST) : Math.max(this.#pays - LOSS, 0);
  }

  /** What it led to has left. */
  left(): void {
    if (this.longest === 0) return;
    const now = this.clock.now();
    this.#leftAt = now;
    if (this.#pays < PAYS) return;
    if (now >= this.#windowEnds) this.#look(now);
    if (!this.#free || this.#polling) return;
    this.#polling = true;
    this.clock.again(this.#poll);
  }

  readonly #poll = () => {
    this.#polling = this.#free && this.clock.now() - this.#leftAt < this.longest;
    if (this.#polling) this.clock.again(this.#poll);
  };

  /** A window is judged by itself: the first behind a pause says nothing yet. */
  #look(now: number): void {
    const waited = this.clock.waited();
    const judged = now < this.#windowEnds + WINDOW_MS;
    this.#free = judged && waited !== null && waited - this.#waited < CONTENDED * WINDOW_MS;
    this.#waited = waited ?? 0;
    this.#windowEnds = now + WINDOW_MS;
  }
}

const systemPollClock: PollClock = {
  now: () => performance.now(),
  waited() {
    try {
      // Nanoseconds on a processor, then waiting for one, then turns (Linux, scheduler/sched-stats).
      return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[1]) / 1e6;
    } catch {
      return null;
    }
  },
  again: setImmediate,
};
