import { emptyRoot, nodeHash } from "./merkle-hash.js";

/** Gives the hash of the perfect subtree of leaves `start` to `start + width - 1`, width a power of two. */
export type Subtree = (start: number, width: number) => Promise<Buffer> | Buffer;

/** A `Subtree` over leaf hashes at hand. */
export function subtreeOf(leaves: readonly Buffer[]): Subtree {
  const hash = (start: number, width: number): Buffer =>
    width === 1 ? leaves[start]! : nodeHash(hash(start, width / 2), hash(start + width / 2, width / 2));
  return hash;
}

/** The Merkle Tree Hash of leaves `start` to `end - 1` (RFC 9162 section 2.1.1). */
export async function treeHash(subtree: Subtree, start: number, end: number): Promise<Buffer> {
  const width = end - start;
  if (width === 0) return emptyRoot();
  const split = largestPowerBelow(width);
  if (split * 2 === width || width === 1) return subtree(start, width);
  return nodeHash(await subtree(start, split), await treeHash(subtree, start + split, end));
}

/** RFC 9162 section 2.1.3.1: that leaf `index` (from 0) is in the tree of `size` leaves. The lowest sibling first. */
export async function inclusionProof(subtree: Subtree, index: number, size: number): Promise<Buffer[]> {
  if (!(index >= 0 && index < size)) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const path = async (start: number, end: number): Promise<Buffer[]> => {
    if (end - start === 1) return [];
    const middle = start + largestPowerBelow(end - start);
    return index < middle
      ? [...(await path(start, middle)), await treeHash(subtree, middle, end)]
      : [...(await path(middle, end)), await treeHash(subtree, start, middle)];
  };
  return path(0, size);
}

/** RFC 9162 section 2.1.4.1: that the tree of `first` leaves is the beginning of the tree of `second` leaves. */
export async function consistencyProof(subtree: Subtree, first: number, second: number): Promise<Buffer[]> {
  if (!(first >= 1 && first <= second)) throw new RangeError(`no tree of ${first} leaves begins one of ${second}`);
  const path = async (m: number, start: number, end: number, whole: boolean): Promise<Buffer[]> => {
    if (m === end - start) return whole ? [] : [await treeHash(subtree, start, end)];
    const split = largestPowerBelow(end - start);
    return m <= split
      ? [...(await path(m, start, start + split, whole)), await treeHash(subtree, start + split, end)]
      : [...(await path(m - split, start + split, end, false)), await treeHash(subtree, start, start + split)];
  };
  return path(first, 0, second, true);
}

/** RFC 9162 section 2.1.3.2. */
export function verifyInclusion(
  proof: readonly Uint8Array[],
  index: number,
  size: number,
  leaf: Uint8Array,
  root: Uint8Array,
): boolean {
  if (!(index >= 0 && index < size)) return false;
  let fn = index;
  let sn = size - 1;
  let hash: Buffer = Buffer.from(leaf);
  for (const sibling of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash);
      for (; fn % 2 === 0 && fn !== 0; sn = half(sn)) fn = half(fn);
    } else {
      hash = nodeHash(hash, sibling);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && hash.equals(root);
}

/** RFC 9162 section 2.1.4.2. */
export function verifyConsistency(
  proof: readonly Uint8Array[],
  first: number,
  second: number,
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
): boolean {
  if (!(first >= 1 && first <= second)) return false;
  if (first === second) return proof.length === 0 && Buffer.compare(firstRoot, secondRoot) === 0;
  const path = isPowerOfTwo(first) ? [firstRoot, ...proof] : [...proof];
  const [start, ...rest] = path;
  if (!start) return false;
  let fn = first - 1;
  let sn = second - 1;
  for (; fn % 2 === 1; sn = half(sn)) fn = half(fn);
  let fr: Buffer = Buffer.from(start);
  let sr: Buffer = Buffer.from(start);
  for (const sibling of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(sibling, fr);
      sr = nodeHash(sibling, sr);
      for (; fn % 2 === 0 && fn !== 0; sn = half(sn)) fn = half(fn);
    } else {
      sr = nodeHash(sr, sibling);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && fr.equals(firstRoot) && sr.equals(secondRoot);
}

/** Not `>>`: an index may pass 2^31. */
const half = (n: number) => Math.floor(n / 2);

/** The largest power of two below n; n itself is above 1, or the answer is 1. */
function largestPowerBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

function isPowerOfTwo(n: number): boolean {
  while (n % 2 === 0) n /= 2;
  return n === 1;
}
