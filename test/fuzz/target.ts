import fc from "fast-check";
import { groupOf, type Target } from "./groups.js";

/**
 * How long and from where a run goes on, as `npm run fuzz` says it; nothing of it is set in `npm test`.
 *
 * - COUNTERFOIL_FUZZ_SECONDS: for each target
 * - COUNTERFOIL_FUZZ_SHARED: set where they are for each group of them
 * - COUNTERFOIL_FUZZ_ONLY: how the names of the targets that run begin
 * - COUNTERFOIL_FUZZ_SEED, COUNTERFOIL_FUZZ_PATH: as a failure of the target named by ONLY printed them, to see it again
 */
const { COUNTERFOIL_FUZZ_SECONDS, COUNTERFOIL_FUZZ_SHARED, COUNTERFOIL_FUZZ_ONLY } = process.env;
const { COUNTERFOIL_FUZZ_SEED, COUNTERFOIL_FUZZ_PATH } = process.env;
const seconds = Number(COUNTERFOIL_FUZZ_SECONDS ?? 0);
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
 * @param claim what holds, as a test says it.
 */
export function target<Ts>(name: Target, claim: string, cases: number, property: fc.IRawProperty<Ts>): void {
  const { group, share } = groupOf(name);
  const ms = seconds * 1000 * (COUNTERFOIL_FUZZ_SHARED ? share : 1);
  const runs = path ? name === only : name.startsWith(only);
  (runs ? test : test.skip)(
    `${name}: ${claim}`,
    async () => {
      const began = performance.now();
      let last: unknown;
      const run = property.run.bind(property);
      property.run = (values) => {
        const ended = run(values);
        last = ended;
        return ended;
      };
      const details: fc.RunDetails<Ts> = await fc.check(property as fc.IRawProperty<Ts, true>, {
        seed,
        numRuns: ms > 0 ? FOREVER : cases,
        timeout: HANGS_MS,
        ...(ms > 0 && { interruptAfterTimeLimit: ms, markInterruptAsFailure: false }),
        ...(path && { path, endOnFailure: true }),
      });
      // Where time cuts a case short, it still goes on, and would meddle with the next target's.
      await last;
      const took = (performance.now() - began) / 1000;
      const rate = `${took.toFixed(1)} s, ${Math.round(details.numRuns / took)} a second`;
      process.stderr.write(`fuzz ${group}, ${name}: ${details.numRuns} cases, ${rate}, seed ${seed}\n`);
      const cutShort = details.interrupted && details.counterexample === null;
      if (details.failed && !cutShort) throw new Error(told(name, details), { cause: details.errorInstance });
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
