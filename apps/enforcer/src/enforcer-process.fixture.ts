import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Enforcing } from "./enforced-shop.fixture.js";
import type { EnforcerConfig } from "./enforcer.config.js";
import type { World } from "./enforcer.fixture.js";

/** An enforcer as users run it: the built program in a process of its own. */
export interface EnforcerProcess {
  readonly child: ChildProcess;
  /** Of its first listener. */
  readonly port: number;
}

/** What `npm test` has built. */
const PROGRAM = resolve("dist/apps/enforcer/src/main.js");
const started = new Set<ChildProcess>();

/** Writes the configuration of a node of its own, changed as a test wants it; gives the file. */
export async function writeConfig(world: World, change: Record<string, unknown> = {}): Promise<string> {
  const { followParent: _, worker: __, ...config } = await world.config();
  const path = join(world.folder, `${config.id}.json`);
  writeFileSync(path, JSON.stringify({ ...config, ...change }));
  return path;
}

/** Resolves when it is ready. @throws what it said before it ended */
export async function startProcess(configFile: string, env: NodeJS.ProcessEnv = {}): Promise<EnforcerProcess> {
  const child = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, NODE_OPTIONS: "", COUNTERFOIL_ENFORCER_CONFIG: configFile, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  started.add(child);
  let out = "";
  let err = "";
  child.stderr.on("data", (chunk) => (err += chunk));
  const port = await new Promise<number>((found, failed) => {
    child.stdout.on("data", (chunk) => {
      out += chunk;
      const ready = /^ready (\d+)/m.exec(out);
      if (ready) found(Number(ready[1]));
    });
    child.once("close", (code) => failed(new Error(`it ended with ${code}: ${err}`)));
  });
  return { child, port };
}

/** A node of so many processes as an `EnforcedShop` has it: what it says of itself is what it has recorded. */
export async function startNode(world: World, change: Partial<EnforcerConfig>): Promise<Enforcing> {
  const { control } = world;
  const node = await startProcess(await writeConfig(world, change));
  await control.recorded("spoolOpened", change.workers);
  const count = (kind: string) => control.records.filter(({ fact }) => fact.case === kind).length;
  return {
    ports: [node.port],
    get sessions() {
      return count("sessionStarted") - count("sessionEnded");
    },
    unshipped: 0,
    drain: () => stopProcess(node, "SIGTERM"),
  };
}

/** Sends the signal and waits for the end; gives the exit code, null where it was killed or had ended before. */
export async function stopProcess({ child }: EnforcerProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, "exit");
  if (!child.kill(signal)) return null;
  const [code] = await ended;
  return code;
}

/** Whatever of them still runs; for `afterEach` or `afterAll`. */
export function killProcesses(): void {
  for (const child of started) child.kill("SIGKILL");
  started.clear();
}

/** The ids of the processes it has started. */
export function childrenOf({ child: { pid } }: EnforcerProcess): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ").filter(Boolean).map(Number);
}

/** The most memory it has had at once (VmHWM, proc(5)), in bytes. */
export function peakMemory({ child }: EnforcerProcess): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}
