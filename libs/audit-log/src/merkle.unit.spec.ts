import fc from "fast-check";
import { append, decodeFrontier, emptyFrontier, encodeFrontier, rootOf } from "./frontier.js";
import { leafHash } from "./merkle-hash.js";
import { consistencyProof, inclusionProof, subtreeOf, treeHash, verifyConsistency, verifyInclusion } from "./proofs.js";

/** The test tree of Certificate Transparency's reference implementation (transparency-dev/merkle, testonly). */
const INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map(
  (hex) => Buffer.from(hex, "hex"),
);
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const leaves = INPUTS.map(leafHash);
const hexes = (path: readonly Buffer[]) => path.map((hash) => hash.toString("hex"));
const frontierOf = (hashes: readonly Buffer[]) => hashes.reduce(append, emptyFrontier);

describe("the Merkle tree", () => {
  it("has the empty string's hash as its root without leaves", () => {
    expect(rootOf(emptyFrontier).toString("hex")).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
  });

  it.each(ROOTS.map((root, n) => [n + 1, root] as const))(
    "of the known %i leaves has the known root",
    async (n, root) => {
      expect(rootOf(frontierOf(leaves.slice(0, n))).toString("hex")).toBe(root);
      expect((await treeHash(subtreeOf(leaves), 0, n)).toString("hex")).toBe(root);
    },
  );

  it.each([
    [0, 1, []],
    [
      0,
      8,
      [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
      ],
    ],
    [
      5,
      8,
      [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      ],
    ],
    [2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]],
    [
      1,
      5,
      [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      ],
    ],
  ])("gives the known inclusion proof of leaf %i in %i", async (index, size, expected) => {
    const proof = await inclusionProof(subtreeOf(leaves), index, size);
    expect(hexes(proof)).toEqual(expected);
    expect(verifyInclusion(proof, index, size, leaves[index]!, Buffer.from(ROOTS[size - 1]!, "hex"))).toBe(true);
  });

  it.each([
    [1, 1, []],
    [
      1,
      8,
      [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
      ],
    ],
    [
      6,
      8,
      [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      ],
    ],
    [
      2,
      5,
      [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      ],
    ],
  ])("gives the known consistency proof from %i to %i", async (first, second, expected) => {
    const proof = await consistencyProof(subtreeOf(leaves), first, second);
    expect(hexes(proof)).toEqual(expected);
    const roots = [first, second].map((n) => Buffer.from(ROOTS[n - 1]!, "hex")) as [Buffer, Buffer];
    expect(verifyConsistency(proof, first, second, ...roots)).toBe(true);
  });

  const tree = fc.integer({ min: 1, max: 70 }).map((n) => Array.from({ length: n }, (_, i) => leafHash(Buffer.of(i))));

  it("of any size: the frontier agrees with the definition, and survives storage", async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (hashes) => {
        const frontier = frontierOf(hashes);
        expect(rootOf(frontier)).toEqual(await treeHash(subtreeOf(hashes), 0, hashes.length));
        expect(decodeFrontier(frontier.size, encodeFrontier(frontier))).toEqual(frontier);
      }),
    );
  });

  it("of any size: proofs hold, and no altered one does", async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.nat(), fc.nat(), fc.nat(), async (hashes, a, b, c) => {
        const size = hashes.length;
        const index = a % size;
        const first = 1 + (b % size);
        const root = rootOf(frontierOf(hashes));
        const firstRoot = rootOf(frontierOf(hashes.slice(0, first)));
        const inclusion = await inclusionProof(subtreeOf(hashes), index, size);
        const consistency = await consistencyProof(subtreeOf(hashes), first, size);
        expect(verifyInclusion(inclusion, index, size, hashes[index]!, root)).toBe(true);
        expect(verifyConsistency(consistency, first, size, firstRoot, root)).toBe(true);

        const altered = (path: readonly Buffer[]) =>
          path.map((hash, n) =>
            n === c % path.length ? Buffer.from(hash.map((byte, i) => byte ^ (i === 0 ? 1 : 0))) : hash,
          );
        expect(verifyInclusion(inclusion, index, size, leafHash(Buffer.from("other")), root)).toBe(false);
        expect(verifyInclusion([...inclusion, root], index, size, hashes[index]!, root)).toBe(false);
        if (size > 1) {
          expect(verifyInclusion(altered(inclusion), index, size, hashes[index]!, root)).toBe(false);
          expect(verifyInclusion(inclusion, (index + 1) % size, size, hashes[index]!, root)).toBe(false);
        }
        if (first < size) {
          expect(verifyConsistency(altered(consistency), first, size, firstRoot, root)).toBe(false);
          expect(verifyConsistency(consistency, first, size, leafHash(Buffer.from("other")), root)).toBe(false);
        }
        expect(verifyConsistency([...consistency, root], first, size, firstRoot, root)).toBe(false);
      }),
    );
  });

  it("refuses what is no place in a tree, and what is no frontier", async () => {
    await expect(inclusionProof(subtreeOf(leaves), 8, 8)).rejects.toThrow(RangeError);
    await expect(consistencyProof(subtreeOf(leaves), 0, 8)).rejects.toThrow(RangeError);
    await expect(consistencyProof(subtreeOf(leaves), 9, 8)).rejects.toThrow(RangeError);
    expect(verifyInclusion([], 1, 1, leaves[0]!, leaves[0]!)).toBe(false);
    expect(verifyConsistency([], 0, 1, leaves[0]!, leaves[0]!)).toBe(false);
    expect(() => decodeFrontier(3, Buffer.alloc(32))).toThrow(RangeError);
    expect(() => decodeFrontier(-1, Buffer.alloc(32))).toThrow(RangeError);
  });
});
