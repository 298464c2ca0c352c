import { generateKeyPairSync } from "node:crypto";
import { type Grant, signGrant, verifyGrant } from "./grant.js";
import { secretHash, secretMatches } from "./secret-hash.js";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const grant: Grant = {
  tokenId: "A",
  principal: {
    id: "ci|build-7",
    issuer: "ci",
    subject: "build-7",
    name: "build 7",
    groups: ["a", "b"],
    run: "7",
    onBehalfOf: ["ada"],
  },
  resource: "shop",
  protocol: "postgres",
  scope: ["sql:read"],
  mode: "burst",
  uses: 4,
  windowSeconds: 30,
  mintedAt: 1,
  expiresAt: 2,
};

describe("a grant's signature", () => {
  const signature = signGrant(grant, privateKey);

  it("holds for the very grant", () => {
    expect(verifyGrant(structuredClone(grant), signature, publicKey)).toBe(true);
  });

  it.each<[string, Partial<Grant>]>([
    ["token", { tokenId: "B" }],
    ["resource", { resource: "bank" }],
    ["protocol", { protocol: "mysql" }],
    ["scope", { scope: [] }],
    ["mode", { mode: "run" }],
    ["uses", { uses: 5 }],
    ["window", { windowSeconds: 31 }],
    ["beginning", { mintedAt: 0 }],
    ["end", { expiresAt: 3 }],
    ["groups", { principal: { ...grant.principal, groups: ["a", "b", "admins"] } }],
    ["groups' borders", { principal: { ...grant.principal, groups: ['a","b'] } }],
    ["run", { principal: { ...grant.principal, run: "8" } }],
    ["chain", { principal: { ...grant.principal, onBehalfOf: [] } }],
    ["principal", { principal: { ...grant.principal, id: "ci|other" } }],
  ])("does not hold for another %s", (_, change) => {
    expect(verifyGrant({ ...grant, ...change }, signature, publicKey)).toBe(false);
  });

  it("does not hold under another key, nor cut short", () => {
    expect(verifyGrant(grant, signature, generateKeyPairSync("ed25519").publicKey)).toBe(false);
    expect(verifyGrant(grant, signature.subarray(1), publicKey)).toBe(false);
  });
});

describe("a secret's hash", () => {
  const pepper = new Uint8Array(32).fill(7);
  const hash = secretHash("A", "secret", pepper);

  it("matches the same secret of the same token under the same pepper only", () => {
    expect(secretMatches("A", "secret", pepper, hash)).toBe(true);
    expect(secretMatches("A", "secrets", pepper, hash)).toBe(false);
    expect(secretMatches("B", "secret", pepper, hash)).toBe(false);
    expect(secretMatches("A", "secret", new Uint8Array(32).fill(8), hash)).toBe(false);
    expect(secretMatches("A", "secret", pepper, hash.subarray(1))).toBe(false);
  });

  it("refuses a short pepper", () => {
    expect(() => secretHash("A", "secret", new Uint8Array(16))).toThrow(RangeError);
  });
});
