// Processes the bench starts and measures. All end with it, in the opposite order.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";

const started = [];
/** USER_HZ of Linux, whatever the kernel's own clock (proc_pid_stat(5)). */
const TICKS_A_SECOND = 100;

/** Starts a program; resolves with its process once it has said `ready`. @throws with what it said where it ends first */
export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  started.push(child);
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (chunk) => {
      said = (said + chunk).slice(-4096);
      if (/^ready/m.test(said)) resolve(child);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("close", () => reject(new Error(`${program} ${args.join(" ")} ended before it was ready: ${said}`)));
  });
}

export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGTERM");
  await ended;
}

export async function stopAll() {
  for (const child of started.splice(0).reverse()) await stop(child);
}

/** Seconds of CPU, user and system, that a process and its workers have used so far; all of its threads count. */
export function cpuSeconds(pid) {
  return family(pid).reduce((sum, each) => {
    const [utime, stime] = afterName(each).slice(11, 13).map(Number);
    return sum + (utime + stime) / TICKS_A_SECOND;
  }, 0);
}

/**
 * From now on a process, with its threads and what it will start, has these cores only.
 * @throws where there is no taskset (util-linux), or no such core
 */
export function useCores(pid, first, last) {
  const { status, stderr, error } = spawnSync("taskset", ["-a", "-p", "-c", `${first}-${last}`, String(pid)]);
  if (status !== 0)
    throw new Error(`cores ${first} to ${last} can't be given to a process: ${error?.message ?? stderr}`);
}

/** KiB of a process's own and shared memory that are in RAM. */
export function residentKib(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}

export function descriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      return new Promise((resolve) => {
        const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
      });
    }),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

/** A process and the children it has now. */
export function family(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return [pid, ...(children ? children.split(" ").flatMap((child) => family(Number(child))) : [])];
}

/** The fields of proc_pid_stat(5) behind the program's name, which may hold anything. */
function afterName(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
