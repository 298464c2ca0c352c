import { createAccount, createOperator, createUser, fromSeed } from "@nats-io/nkeys";
import { NodeKeyPair } from "./node-key-pair.js";

const message = new TextEncoder().encode("what is signed");

test.each([
  ["an operator's", createOperator],
  ["an account's", createAccount],
  ["a user's", createUser],
])("of %s seed it is the library's own pair", (_whose, create) => {
  const library = create();
  const pair = new NodeKeyPair(library.getSeed());
  expect(pair.getPublicKey()).toBe(library.getPublicKey());
  expect(pair.getPrivateKey()).toEqual(library.getPrivateKey());
  expect(pair.getSeed()).toEqual(library.getSeed());
  // Ed25519 signs the same alike every time.
  expect(pair.sign(message)).toEqual(library.sign(message));
});

test("a cleared one signs nothing and tells nothing", () => {
  const pair = new NodeKeyPair(createUser().getSeed());
  pair.clear();
  for (const ask of [() => pair.getPublicKey(), () => pair.getPrivateKey(), () => pair.sign(message)])
    expect(ask).toThrow("cleared");
});

test.each([
  ["nothing", ""],
  ["a public key", createUser().getPublicKey()],
  ["a mistyped seed", new TextDecoder().decode(createUser().getSeed()).replace(/..$/, "AA")],
])("%s is no seed, as to the library", (_what, text) => {
  const seed = new TextEncoder().encode(text);
  expect(() => fromSeed(seed)).toThrow();
  expect(() => new NodeKeyPair(seed)).toThrow();
});
