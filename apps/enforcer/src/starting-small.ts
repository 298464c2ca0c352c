import { setFlagsFromString } from "node:v8";

/** V8's own (flag-definitions.h). */
const GROWTH = 2;

/**
 * Keeps the heap's young generation as small as it begins (1 MiB) while the process starts: what starting makes is mostly
 * modules, which stay; yet V8 takes them for a reason to make room, 16 MiB that an idle process would hold for good. Behind
 * the start it grows with the work as ever.
 */
export async function startingSmall<T>(start: () => Promise<T>): Promise<T> {
  growsBy(1);
  try {
    return await start();
  } finally {
    growsBy(GROWTH);
  }
}

const growsBy = (factor: number): void => setFlagsFromString(`--semi-space-growth-factor=${factor}`);
