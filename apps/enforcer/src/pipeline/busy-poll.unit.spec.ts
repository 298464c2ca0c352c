import { BusyPoll, type PollClock } from "./busy-poll.js";

/** Time and the machine, turned by hand. What is to be called behind the next poll waits in `due`. */
class ManualPollClock implements PollClock {
  time = 0;
  waitedMs: number | null = 0;
  due: (() => void)[] = [];

  now(): number {
    return this.time;
  }

  waited(): number | null {
    return this.waitedMs;
  }

  again(act: () => void): void {
    this.due.push(act);
  }

  /** Polls for so long at most, a poll each 0.01 ms. @returns how many there were. */
  poll(ms: number): number {
    const end = this.time + ms;
    let polls = 0;
    while (this.due.length > 0 && this.time < end) {
      this.time += 0.01;
      polls++;
      for (const act of this.due.splice(0)) act();
    }
    this.time = Math.max(this.time, end);
    return polls;
  }
}

const LONGEST_MS = 0.2;

let clock: ManualPollClock;
let busyPoll: BusyPoll;

beforeEach(() => {
  clock = new ManualPollClock();
  busyPoll = new BusyPoll(LONGEST_MS, clock);
});

/** Something comes and its answer leaves, so often, the given time after the last. @returns the polls in between. */
function traffic(turns: number, everyMs: number, waitedPerMs = 0): number {
  let polls = 0;
  for (let turn = 0; turn < turns; turn++) {
    polls += clock.poll(everyMs);
    if (clock.waitedMs !== null) clock.waitedMs += everyMs * waitedPerMs;
    busyPoll.came();
    busyPoll.left();
  }
  return polls;
}

it("stays awake where what comes next comes at once", () => {
  traffic(2_500, 0.1);
  expect(traffic(100, 0.1)).toBeGreaterThan(900);
});

it("sleeps when nothing came within its moment", () => {
  traffic(2_500, 0.1);
  const polls = clock.poll(50);
  expect(polls).toBeGreaterThan(0);
  expect(polls).toBeLessThanOrEqual(LONGEST_MS / 0.01 + 1);
  expect(clock.due).toEqual([]);
});

it("does not poll where what comes takes longer than its moment", () => {
  expect(traffic(2_500, 0.3)).toBe(0);
});

it("does not poll where every other wait is long: a query a millisecond that is answered at once", () => {
  let polls = 0;
  for (let turn = 0; turn < 1_000; turn++) polls += traffic(1, 0.1) + traffic(1, 0.9);
  expect(polls).toBe(0);
});

it("leaves off when waits become long, and begins again when they are short", () => {
  traffic(2_500, 0.1);
  traffic(3, 1);
  expect(traffic(1_000, 1)).toBe(0);
  expect(traffic(2_500, 0.1)).toBeGreaterThan(5_000);
});

it("does not poll where others wait for the processor, and does once they are gone", () => {
  expect(traffic(5_000, 0.1, 0.2)).toBe(0);
  expect(traffic(5_000, 0.1)).toBeGreaterThan(20_000);
  traffic(2_500, 0.1, 0.2);
  expect(traffic(1_000, 0.1, 0.2)).toBe(0);
});

it("judges a window by what was waited in it, not in a pause before it", () => {
  traffic(2_500, 0.1);
  clock.poll(60_000);
  clock.waitedMs = 30_000;
  traffic(1_000, 0.1);
  expect(traffic(2_500, 0.1)).toBeGreaterThan(10_000);
});

it("does not poll where the system does not tell what the thread waited", () => {
  clock.waitedMs = null;
  expect(traffic(5_000, 0.1)).toBe(0);
});

it("never polls where it may stay awake for no time", () => {
  busyPoll = new BusyPoll(0, clock);
  expect(traffic(5_000, 0)).toBe(0);
});

it("keeps one poll going, however often something leaves meanwhile", () => {
  traffic(2_500, 0.1);
  for (let turn = 0; turn < 5; turn++) {
    busyPoll.came();
    busyPoll.left();
    expect(clock.due.length).toBe(1);
  }
});
