import { randomUUID } from "node:crypto";
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SpoolLocked } from "./errors.js";

interface Holder {
  readonly pid: number;
  /** Tells this process from a later one with the same id; empty where the system does not say. */
  readonly born: string;
}

/**
 * Takes the folder for this process; returns what gives it back.
 *
 * Locks are numbered files. Whoever finds the newest one's process dead claims the next number with link(2), which
 * makes exactly one claimant succeed; a claimant that finds a newer number than its own steps back.
 * @throws SpoolLocked if a live process of this machine has it.
 */
export function lockFolder(folder: string): () => void {
  for (;;) {
    const newest = numbers(folder).at(-1) ?? 0;
    const holder = newest ? readHolder(join(folder, `lock.${newest}`)) : null;
    if (holder && isAlive(holder)) throw new SpoolLocked(folder, holder.pid);
    const mine = join(folder, `lock.${newest + 1}`);
    if (!claim(folder, mine)) continue;
    if (numbers(folder).at(-1) !== newest + 1) {
      rmSync(mine, { force: true });
      continue;
    }
    for (const number of numbers(folder)) {
      if (number <= newest) rmSync(join(folder, `lock.${number}`), { force: true });
    }
    return () => rmSync(mine, { force: true });
  }
}

function claim(folder: string, path: string): boolean {
  const draft = join(folder, `draft.${randomUUID()}`);
  const me: Holder = { pid: process.pid, born: bornAt(process.pid) };
  writeFileSync(draft, JSON.stringify(me), { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function numbers(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^lock\.\d+$/.test(name))
    .map((name) => Number(name.slice("lock.".length)))
    .sort((a, b) => a - b);
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch {
    return null;
  }
}

function isAlive({ pid, born }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return bornAt(pid) === born;
}

/** Field 22 of proc_pid_stat(5), the start time, with the machine's boot id. */
function bornAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot}/${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return "";
  }
}
