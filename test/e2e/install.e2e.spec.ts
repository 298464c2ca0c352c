import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { eventually, Running } from "./installation.js";

// `npm start` where packages are missing: several at once, and one that is interrupted. The project is an empty one, and
// its npm one that works for as long as the file `hold` is there.

const NPM = `#!/bin/sh -e
echo begun >> log
mkdir node_modules/half
while [ -e hold ]; do sleep 0.02; done
rmdir node_modules/half
mkdir node_modules/whole
echo done >> log
`;
const INSTALL = `
import { installPackages } from "./scripts/install.mjs";
installPackages(console.log);
console.log("installed");`;

let project: string;
let runs: Running[];
const at = (...names: string[]) => join(project, ...names);
const log = () => (existsSync(at("log")) ? readFileSync(at("log"), "utf8").trim().split("\n") : []);
const packages = () => readdirSync(at("node_modules")).filter((name) => !name.startsWith("."));
const locks = () => readdirSync(at("node_modules")).filter((name) => name.startsWith(".counterfoil-installing"));

beforeEach(() => {
  runs = [];
  project = mkdtempSync(join(tmpdir(), "counterfoil-install-"));
  mkdirSync(at("scripts"));
  mkdirSync(at("bin"));
  copyFileSync(resolve("scripts/install.mjs"), at("scripts/install.mjs"));
  for (const name of ["package.json", "package-lock.json"]) writeFileSync(at(name), "{}");
  writeFileSync(at("bin/npm"), NPM, { mode: 0o755 });
  writeFileSync(at("hold"), "");
});
afterEach(async () => {
  for (const { child } of runs) signal(child.pid!, "SIGKILL");
  await Promise.all(runs.map(({ finished }) => finished));
  rmSync(project, { recursive: true, force: true });
});

/** In a process group of its own, as a terminal starts it. */
function install(): Running {
  const run = new Running(
    spawn(process.execPath, ["--input-type=module", "-e", INSTALL], {
      cwd: project,
      env: { PATH: `${at("bin")}:${process.env.PATH}` },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    }),
  );
  runs.push(run);
  return run;
}

/** To it and what it has started, as Ctrl-C is; nothing where they have ended. */
function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Its npm is at work. */
async function underWay(): Promise<Running> {
  const run = install();
  const before = log().length;
  await eventually(async () => log().length > before);
  return run;
}

test("who comes meanwhile waits, and finds it done", async () => {
  const first = await underWay();
  const others = [install(), install()];
  for (const other of others) await other.says(/waiting for another install/);
  rmSync(at("hold"));
  for (const run of [first, ...others]) {
    const { code, stdout } = await run.finished;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/installed\n$/)]);
  }
  expect(log()).toEqual(["begun", "done"]);
  expect([packages(), locks()]).toEqual([["whole"], []]);
  expect((await install().finished).stdout).toBe("installed\n");
}, 30_000);

test.each(["SIGINT", "SIGKILL"] as const)(
  "what %s interrupted is begun anew, by one of those who wait",
  async (name) => {
    const first = await underWay();
    const others = [install(), install()];
    for (const other of others) await other.says(/waiting for another install/);
    signal(first.child.pid!, name);
    const { code, stderr } = await first.finished;
    expect(code).not.toBe(0);
    if (name === "SIGINT") expect(stderr).toContain("npm install did not finish");
    await eventually(async () => log().length === 2);
    rmSync(at("hold"));
    for (const other of others) expect(await other.finished).toMatchObject({ code: 0 });
    expect(log()).toEqual(["begun", "begun", "done"]);
    expect([packages(), locks()]).toEqual([["whole"], []]);
  },
);
