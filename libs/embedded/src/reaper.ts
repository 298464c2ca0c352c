import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * A parent that is killed can't stop its servers. So one small detached process holds a pipe from it; when the pipe
 * ends, whichever way the parent died, it ends what was registered: SIGINT, and SIGKILL after 5 s.
 *
 * A pid is remembered with its start time, so that a later process of the same number is left alone.
 */
const REAPER = String.raw`
const { readFileSync } = require("node:fs");
const born = (pid) => {
  try { return readFileSync("/proc/" + pid + "/stat", "utf8").split(") ").pop().split(" ")[19]; } catch { return ""; }
};
const children = new Map();
const send = (signal) => {
  let alive = 0;
  for (const [pid, start] of children) {
    if (born(pid) !== start) continue;
    try { process.kill(pid, signal); alive++; } catch {}
  }
  return alive;
};
let text = "";
process.stdin.setEncoding("utf8").on("data", (chunk) => {
  const lines = (text + chunk).split("\n");
  text = lines.pop();
  for (const line of lines) {
    const [verb, pid, start] = line.split(" ");
    if (verb === "adopt") children.set(Number(pid), start);
    else children.delete(Number(pid));
  }
});
process.stdin.on("end", () => {
  const deadline = Date.now() + 5000;
  send("SIGINT");
  setInterval(() => {
    if (send(0) === 0) process.exit();
    if (Date.now() > deadline) { send("SIGKILL"); process.exit(); }
  }, 50);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
`;

let reaper: ChildProcess | undefined;

/** Makes sure that `child` does not outlive this process, even where this process is killed. */
export function adopt(child: ChildProcess): void {
  const pid = child.pid;
  if (pid === undefined) return;
  if (!reaper || reaper.exitCode !== null || reaper.signalCode !== null) reaper = startReaper();
  const { stdin } = reaper;
  stdin?.write(`adopt ${pid} ${startTimeOf(pid)}\n`);
  child.once("exit", () => stdin?.write(`release ${pid}\n`));
}

function startReaper(): ChildProcess {
  const started = spawn(process.execPath, ["-e", REAPER], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    cwd: "/",
    env: {},
  });
  started.on("error", () => {});
  started.stdin?.on("error", () => {});
  // Neither the process nor its pipe keeps this one from ending.
  started.unref();
  (started.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return started;
}

/** proc(5): the 22nd field of stat, in clock ticks since boot; empty where there is no /proc. */
function startTimeOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop()?.split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
