import { emptyRoot, nodeHash } from "./merkle-hash.js";

/**
 * What is enough of a Merkle tree to append to it and to know its root: the roots of its perfect subtrees, the largest
 * (leftmost) first, one for each bit set in `size`.
 */
export interface Frontier {
  readonly size: number;
  readonly roots: readonly Buffer[];
}

export const emptyFrontier: Frontier = { size: 0, roots: [] };

/** Appends one leaf hash: O(1) on average, O(log size) at most. */
export const append = (frontier: Frontier, leaf: Buffer): Frontier => appendAll(frontier, [leaf]);

/** Appends leaf hashes in their order. */
export function appendAll({ size, roots }: Frontier, leaves: readonly Buffer[]): Frontier {
  const grown = [...roots];
  let leavesBefore = size;
  for (const leaf of leaves) {
    let carried = leaf;
    for (let rest = leavesBefore; rest % 2 === 1; rest = (rest - 1) / 2) carried = nodeHash(grown.pop()!, carried);
    grown.push(carried);
    leavesBefore++;
  }
  return { size: leavesBefore, roots: grown };
}

/** RFC 9162 section 2.1.1: the Merkle Tree Hash. */
export function rootOf({ roots }: Frontier): Buffer {
  if (roots.length === 0) return emptyRoot();
  return roots.reduceRight((right, left) => nodeHash(left, right));
}

/** For storage: the roots one after another, 32 bytes each. */
export const encodeFrontier = ({ roots }: Frontier): Buffer => Buffer.concat(roots);

/** @throws RangeError where the bytes are no frontier of a tree of this size */
export function decodeFrontier(size: number, bytes: Uint8Array): Frontier {
  const expected = [...size.toString(2)].filter((bit) => bit === "1").length;
  if (!Number.isSafeInteger(size) || size < 0 || bytes.length !== expected * 32) {
    throw new RangeError(`${bytes.length} bytes are no frontier of a tree of ${size} leaves`);
  }
  const roots = Array.from({ length: expected }, (_, n) => Buffer.from(bytes.subarray(n * 32, n * 32 + 32)));
  return { size, roots };
}
