import fc from "fast-check";

/**
 * How long and from where a run goes on, as `npm run fuzz` says it; nothing of it is set in `npm test`.
 *
 * - COUNTERFOIL_FUZZ_SECONDS: for each target
 * - COUNTERFOIL_FUZZ_ONLY: how the names of the targets that run begin
 * - COUNTERFOIL_FUZZ_SEED, COUNTERFOIL_FUZZ_PATH: as a failure printed them, to see it again
 */
const { COUNTERFOIL_FUZZ_SECONDS, COUNTERFOIL_FUZZ_ONLY, COUNTERFOIL_FUZZ_SEED, COUNTERFOIL_FUZZ_PATH } = process.env;
const ms = Number(COUNTERFOIL_FUZZ_SECONDS ?? 0) * 1000;
const only = COUNTERFOIL_FUZZ_ONLY ?? "";
const path = COUNTERFOIL_FUZZ_PATH ?? "";
/** The same in every `npm test`, so that what fails there fails again. */
const seed = Number(COUNTERFOIL_FUZZ_SEED ?? 1);

const FOREVER = 2 ** 31 - 1;
/** A case that has not ended by then hangs: it is told as a failure, with what hung. */
const HANGS_MS = 120_000;

/**
 * A fuzz target, as a test of this file: `npm test` holds the property against its first `cases`, `npm run fuzz` against
 * as many as its time allows. Only a case can fail; a run that is cut short has found nothing.
 *
 * @param name lower case with dashes, unlike any other target's.
 * @param claim what holds, as a test says it.
 */
export function target<Ts>(name: string, claim: string, cases: number, property: fc.IRawProperty<Ts>): void {
  const define = name.startsWith(only) ? test : test.skip;
  define(
    `${name}: ${claim}`,
    async () => {
      const began = performance.now();
      const details: fc.RunDetails<Ts> = await fc.check(property as fc.IRawProperty<Ts, true>, {
        seed,
        numRuns: ms > 0 ? FOREVER : cases,
        timeout: HANGS_MS,
        ...(ms > 0 && { interruptAfterTimeLimit: ms, markInterruptAsFailure: false }),
        ...(path && { path, endOnFailure: true }),
      });
      const seconds = (performance.now() - began) / 1000;
      const rate = Math.round(details.numRuns / seconds);
      process.stderr.write(`fuzz ${name}: ${details.numRuns} cases, ${rate} a second, seed ${seed}\n`);
      if (details.failed) throw new Error(told(name, details), { cause: details.errorInstance });
    },
    // What is found at the last moment is still made smaller.
    ms * 2 + HANGS_MS * 3,
  );
}

const told = <Ts>(name: string, { counterexample, counterexamplePath, numRuns, numShrinks }: fc.RunDetails<Ts>) =>
  [
    `case ${numRuns} fails; ${numShrinks} times made smaller it is`,
    fc.stringify(counterexample),
    `again: npm run fuzz -- --only ${name} --seed ${seed} --path ${counterexamplePath}`,
  ].join("\n");
