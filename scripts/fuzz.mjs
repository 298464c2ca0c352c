// `npm run fuzz -- [--minutes N] [--shared] [--only NAME] [--seed S] [--path P]`: every fuzz target, or those whose names
// begin with NAME, for N minutes each, in turns. With --shared the N minutes are for each group of targets
// (test/fuzz/groups.ts), and two run at a time. What fails is printed as small as it could be made, with the command that
// shows it again.
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./install.mjs";

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    shared: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    path: { type: "string", default: "" },
  },
});
const seconds = Number(options.minutes) * 60;
if (!(seconds > 0) || !Number.isInteger(Number(options.seed))) {
  console.error("--minutes must be a number above 0, --seed a whole number");
  process.exit(2);
}
console.log(`… fuzzing from seed ${options.seed}`);
const { status } = spawnSync(
  process.execPath,
  [join(root, "scripts", "test.mjs"), `--maxWorkers=${options.shared ? 2 : 1}`, "--testPathPatterns=\\.fuzz\\."],
  {
    stdio: "inherit",
    env: {
      ...process.env,
      COUNTERFOIL_FUZZ_SECONDS: String(seconds),
      COUNTERFOIL_FUZZ_SHARED: options.shared ? "1" : "",
      COUNTERFOIL_FUZZ_ONLY: options.only,
      COUNTERFOIL_FUZZ_SEED: options.seed,
      COUNTERFOIL_FUZZ_PATH: options.path,
    },
  },
);
process.exit(status ?? 1);
