import type { Way } from "./ways.js";

/** Does the work on every way and sees that it comes to the same. Gives what it comes to. */
export async function sameEachWay<T>(ways: readonly Way[], work: (way: Way) => Promise<T>): Promise<T> {
  const [direct, ...through] = await Promise.all(ways.map(work));
  for (const other of through) expect(other).toEqual(direct);
  return direct!;
}
