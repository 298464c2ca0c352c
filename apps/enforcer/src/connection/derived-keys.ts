import { createHash, pbkdf2Sync } from "node:crypto";
import type { DeriveKey } from "#protocols";

/** Far more than a node has credentials; a resource that changes its salt each time pushes nothing else out for long. */
const REMEMBERED = 256;

/**
 * PBKDF2, whose answers are remembered: a resource asks for the same key at every login, and it takes some milliseconds of
 * the event loop to derive (RFC 5802, section 5.1, lets clients keep it). Only in memory, as the passwords are.
 */
export function createDeriveKey(): DeriveKey {
  const known = new Map<string, Uint8Array>();
  return (password, salt, iterations) => {
    const of = createHash("sha256")
      .update(`${iterations}\0`)
      .update(salt)
      .update("\0")
      .update(password)
      .digest("base64");
    let key = known.get(of);
    if (!key) {
      key = pbkdf2Sync(password, salt, iterations, 32, "sha256");
      if (known.size >= REMEMBERED) known.delete(known.keys().next().value!);
      known.set(of, key);
    }
    return key;
  };
}
