import { hashKey, keyIdFor, keyIdOf, makeKeyText, sameHash } from "./key-text.js";

const id = keyIdFor("5f0c8c2e-0000-4000-8000-000000000001");

test("a key's text has its id, and another secret each time", () => {
  const [one, two] = [makeKeyText(id), makeKeyText(id)];
  expect(one).toMatch(/^cfk_[0-9a-f]{16}_[0-9a-f]{56}$/);
  expect(one).not.toBe(two);
  expect(keyIdOf(one)).toBe(id);
});

test("any one character changed, added or lost makes it no key", () => {
  const text = makeKeyText(id);
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === "0" ? "1" : "0";
    expect(keyIdOf(text.slice(0, at) + other + text.slice(at + 1))).toBeNull();
    expect(keyIdOf(text.slice(0, at) + text.slice(at + 1))).toBeNull();
  }
  for (const wrong of ["", "cfk_", `${text}0`, `${text}\n`, ` ${text}`, text.toUpperCase()]) {
    expect(keyIdOf(wrong)).toBeNull();
  }
});

test("hashes are compared whole", () => {
  const hash = hashKey("a");
  expect(sameHash(hash, hashKey("a"))).toBe(true);
  expect(sameHash(hash, hashKey("b"))).toBe(false);
  expect(sameHash(hash, hash.slice(1))).toBe(false);
});
