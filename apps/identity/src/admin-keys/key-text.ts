import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

/** `cfk_<id>_<secret><checksum>`, hex: 64 bits of id, 192 of secret, CRC-32 of what comes before it. */
const FORM = /^cfk_([0-9a-f]{16})_([0-9a-f]{48})([0-9a-f]{8})$/;

/** Makes the text of the key with this id, a new secret in it. */
export function makeKeyText(id: string): string {
  const start = `cfk_${id}_${randomBytes(24).toString("hex")}`;
  return start + checksum(start);
}

/** The id in a key's text, or null where the text is none: mistyped, cut off, something else. */
export function keyIdOf(text: string): string | null {
  const found = FORM.exec(text);
  return found && checksum(text.slice(0, -8)) === found[3] ? (found[1] ?? null) : null;
}

/** The same command makes the key with the same id. */
export const keyIdFor = (commandId: string): string =>
  createHash("sha256").update(`admin-key/${commandId}`).digest("hex").slice(0, 16);

/** Plain SHA-256, hex: 192 random bits need no slow hash. */
export const hashKey = (text: string): string => createHash("sha256").update(text).digest("hex");

export const sameHash = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

const checksum = (text: string) => crc32(text).toString(16).padStart(8, "0");
