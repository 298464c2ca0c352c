import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpoolLocked } from "./errors.js";
import { lockFolder } from "./lock.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spool-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const locks = () => readdirSync(folder).filter((name) => name.startsWith("lock"));
/** This process, as a lock names it. */
const self = () => {
  const unlock = lockFolder(folder);
  const named = readlinkSync(join(folder, locks()[0]!));
  unlock();
  return named;
};
const former = (holder: unknown) => writeFileSync(join(folder, "lock.9"), JSON.stringify(holder));
const born = () => self().slice(self().indexOf(":") + 1);

describe("the lock", () => {
  it("lets one in, says who has it and what to do, and is given back", () => {
    const unlock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(SpoolLocked);
    expect(() => lockFolder(folder)).toThrow(
      `in use by process ${process.pid}: give each enforcer a folder of its own; if that process is none, delete ${join(folder, "lock.1")}`,
    );
    unlock();
    lockFolder(folder)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("lets one of many in", async () => {
    const script = `
      import { lockFolder } from "./dist/libs/spool/src/lock.js";
      process.stdout.write("ready");
      process.stdin.once("data", () => {
        try { lockFolder(process.argv[1]); process.stdout.write("in"); } catch (error) { process.stdout.write(error.name); }
      }).once("end", () => process.exit());`;
    symlinkSync("2147483646:dead", join(folder, "lock.3"));
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ["--input-type=module", "-e", script, folder], { stdio: ["pipe", "pipe", "inherit"] }),
    );
    try {
      await Promise.all(children.map(({ stdout }) => once(stdout, "data")));
      const said = children.map(({ stdout }) => once(stdout, "data"));
      for (const { stdin } of children) stdin.write("go");
      const answers = (await Promise.all(said)).map(String);
      expect(answers.filter((answer) => answer === "in").length).toBeLessThanOrEqual(1);
      expect(answers.filter((answer) => answer === "SpoolLocked").length).toBeGreaterThanOrEqual(3);
    } finally {
      for (const { stdin } of children) stdin.end();
      await Promise.all(children.map((child) => once(child, "exit")));
    }
    lockFolder(folder)();
  });

  it.each([
    ["of no process", { pid: 0, born: "" }],
    ["of a group of processes", { pid: -process.pid, born: "" }],
    ["of all processes", { pid: -1, born: "" }],
    ["that has no process", {}],
    ["that has something else", { pid: "1", born: "" }],
    ["of half a process", { pid: 1.5, born: "" }],
    ["of a process that is no longer", { pid: 2 ** 31 - 2, born: "" }],
    ["of another process with the id of this one", { pid: process.pid, born: "another boot/12" }],
    ["that does not say which process with the id of this one", { pid: process.pid, born: "" }],
    ["that is null", null],
    ["that is a number", 7],
  ])("is taken over from one %s", (_, holder) => {
    former(holder);
    lockFolder(folder)();
    expect(locks()).toEqual([]);
  });

  it.each(["", "{", "garbage\0"])("is taken over from a file that holds %j", (text) => {
    writeFileSync(join(folder, "lock.2"), text);
    lockFolder(folder)();
    expect(locks()).toEqual([]);
  });

  it.each(["0:", "-1:", ":", "elsewhere", "99999999999999999999:x"])("is taken over from a link to %j", (target) => {
    symlinkSync(target, join(folder, "lock.2"));
    lockFolder(folder)();
    expect(locks()).toEqual([]);
  });

  it("is taken over from a folder, and from a number beyond counting", () => {
    mkdirSync(join(folder, "lock.2"));
    writeFileSync(join(folder, "lock.99999999999999999999"), "");
    lockFolder(folder)();
    expect(locks()).toEqual(["lock.99999999999999999999"]);
  });

  it("is kept from who has an older number, and from the version before", () => {
    const holder = { pid: process.pid, born: born() };
    former(holder);
    expect(() => lockFolder(folder)).toThrow(SpoolLocked);
    writeFileSync(join(folder, "lock.12"), "");
    expect(() => lockFolder(folder)).toThrow(SpoolLocked);
  });

  it("is taken over from a process that ended, though its parent has not asked after it", async () => {
    // What `exec` puts in the shell's place never waits for the shell's child.
    const parent = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 600"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const [said] = await once(parent.stdout!, "data");
      const pid = Number(said);
      const stat = () => readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
      while (stat()[0] !== "Z") await new Promise(setImmediate);
      const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
      symlinkSync(`${pid}:${boot}/${stat()[19]}`, join(folder, "lock.1"));
      lockFolder(folder)();
    } finally {
      parent.kill("SIGKILL");
      await once(parent, "exit");
    }
  });
});
