import { createHmac, timingSafeEqual } from "node:crypto";

/** Least bytes of a pepper. */
export const PEPPER_BYTES = 32;

/**
 * What is kept of a token's password half: HMAC-SHA-256 under a key that is not in the database. The secret has 192 bits,
 * so no slow hash is needed.
 * @returns 32 bytes.
 */
export function secretHash(tokenId: string, password: string, pepper: Uint8Array): Uint8Array {
  if (pepper.length < PEPPER_BYTES) throw new RangeError(`the pepper must have at least ${PEPPER_BYTES} bytes`);
  return createHmac("sha256", pepper).update(`counterfoil token v1\0${tokenId}\0${password}`).digest();
}

/** In constant time. */
export function secretMatches(tokenId: string, password: string, pepper: Uint8Array, hash: Uint8Array): boolean {
  const own = secretHash(tokenId, password, pepper);
  return own.length === hash.length && timingSafeEqual(own, hash);
}
