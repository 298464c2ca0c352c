import { execFileSync } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const loader = pathToFileURL(`${root}test/typescript.mjs`).href;
const tested = new URL("starting-small.ts", import.meta.url).href;

/** In a process of its own, since it is of the whole process. */
const TAKEN = `
  import { getHeapSpaceStatistics } from "node:v8";
  import { startingSmall } from ${JSON.stringify(tested)};
  const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size / 2 ** 20;
  const work = async () => {
    for (let kept = [], i = 0; i < 1_000_000; i++) {
      kept.push({ of: [i] });
      if (kept.length > 50_000) kept = [];
    }
    return young();
  };
  const before = young();
  const starting = await startingSmall(work);
  const failing = await startingSmall(() => Promise.reject(new Error("it did not start"))).catch(young);
  process.stdout.write(JSON.stringify({ before, starting, failing, behind: await work() }));
`;

test("what starts makes no room in the young generation, what works behind it does", () => {
  const options = ["--no-warnings", "--import", loader, "--input-type=module", "--eval", TAKEN];
  const said = JSON.parse(execFileSync(process.execPath, options, { cwd: root, encoding: "utf8" }));
  // Of its two halves the second is not there before it is needed.
  expect(said.starting).toBeLessThanOrEqual(2 * said.before);
  expect(said.failing).toBeLessThanOrEqual(2 * said.before);
  expect(said.behind).toBeGreaterThan(2 * said.before);
});
