import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
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
 * Locks are numbered symbolic links that point to nothing: their target names the holder, so that they are there whole or
 * not at all, and need no space on a full disk. Whoever finds no lock of a live process claims the next number, which makes
 * exactly one claimant of it succeed; a claimant that then finds another live one's steps back.
 * @throws SpoolLocked if a live process of this machine has it.
 */
export function lockFolder(folder: string): () => void {
  for (;;) {
    const found = locks(folder);
    refuseHeld(folder, found);
    const number = (found.at(-1) ?? 0) + 1;
    const mine = lockPath(folder, number);
    if (!claim(mine)) continue;
    const others = locks(folder).filter((other) => other !== number);
    try {
      refuseHeld(folder, others);
    } catch (error) {
      rmSync(mine, { force: true });
      throw error;
    }
    for (const other of others) rmSync(lockPath(folder, other), { force: true, recursive: true });
    return () => rmSync(mine, { force: true });
  }
}

function refuseHeld(folder: string, numbers: readonly number[]): void {
  for (const number of numbers) {
    const path = lockPath(folder, number);
    const holder = readHolder(path);
    if (holder && isAlive(holder)) throw new SpoolLocked(folder, holder.pid, path);
  }
}

function claim(path: string): boolean {
  try {
    symlinkSync(`${process.pid}:${bornAt(process.pid)}`, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

const lockPath = (folder: string, number: number) => join(folder, `lock.${number}`);

/** Ascending. A number that JavaScript could not count on from is nobody's. */
function locks(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^lock\.[1-9]\d{0,14}$/.test(name))
    .map((name) => Number(name.slice("lock.".length)))
    .sort((a, b) => a - b);
}

/** Null where the lock is gone meanwhile, or names no process. */
function readHolder(path: string): Holder | null {
  try {
    const [, pid, born = ""] = /^(\d+):(.*)$/.exec(readlinkSync(path)) ?? [];
    return asHolder({ pid: Number(pid), born });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EINVAL") return readFormerHolder(path);
    if (code === "ENOENT") return null;
    throw error;
  }
}

/** As the version before wrote it: a file. */
function readFormerHolder(path: string): Holder | null {
  try {
    return asHolder(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof SyntaxError || code === "ENOENT" || code === "EISDIR") return null;
    throw error;
  }
}

/** Zero and negative ids are kill(2)'s names for many processes, and always live. */
function asHolder(written: unknown): Holder | null {
  const { pid, born } = (written ?? {}) as { pid?: unknown; born?: unknown };
  if (!Number.isInteger(pid) || (pid as number) < 1 || (pid as number) >= 2 ** 31) return null;
  return { pid: pid as number, born: typeof born === "string" ? born : "" };
}

/** A process that cannot be looked at is taken for the holder: two writers are worse than a refusal. */
function isAlive({ pid, born }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const living = bornAt(pid);
  return living !== ENDED && (living === "" || living === born);
}

/** It is dead, though who began it has not asked after it yet. */
const ENDED = "ended";

/** Fields 3 and 22 of proc_pid_stat(5), the state and the start time, with the machine's boot id. */
function bornAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (/[ZXx]/.test(fields[0]!)) return ENDED;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()}/${fields[19]}`;
  } catch {
    // Where there is no /proc.
    const { stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { env: { ...process.env, LC_ALL: "C" } });
    return stdout?.toString().trim() ?? "";
  }
}
