import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE_MS = 15_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Resolves when the process is gone, whoever ended it. */
export function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done({ code: child.exitCode, signal: child.signalCode });
    else child.once("exit", (code, signal) => done({ code, signal }));
  });
}

/** Sends the signals one after the other, 15 s apart, until the process is gone. */
export async function endChild(child: ChildProcess, signals: readonly NodeJS.Signals[]): Promise<void> {
  const gone = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  for (const signal of signals) {
    if (gone()) return;
    child.ref();
    const exit = exitOf(child);
    child.kill(signal);
    const patience = new AbortController();
    await Promise.race([exit, sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
  }
}

/** The end of what a server logged. */
export const tail = (text: string): string => text.trim().split("\n").slice(-15).join("\n");
