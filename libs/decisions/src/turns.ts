/** Work that stops after each question to the policy engine. */
export type Steps<T> = Generator<void, T>;

/** A question takes some milliseconds where the engine is cold. */
const STEPS_A_TURN = 8;

export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Few steps at once; behind them, everything else that waits for the thread has its turn again and again. */
export function inTurns<T>(steps: Steps<T>): T | Promise<T> {
  const done = turn(steps);
  return done ? done.value : rest(steps);
}

async function rest<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    await new Promise((next) => setImmediate(next));
    const done = turn(steps);
    if (done) return done.value;
  }
}

function turn<T>(steps: Steps<T>): { readonly value: T } | null {
  for (let i = 0; i < STEPS_A_TURN; i++) {
    const step = steps.next();
    if (step.done) return step;
  }
  return null;
}
