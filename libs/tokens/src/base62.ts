const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Bytes as one big-endian number in base 62, padded with zeros to what that many bytes can need. */
export function base62(bytes: Uint8Array): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`);
  let text = "";
  while (rest > 0n) {
    text = DIGITS[Number(rest % 62n)] + text;
    rest /= 62n;
  }
  return text.padStart(base62Length(bytes.length), "0");
}

/** Characters that any `bytes` bytes fit in. */
export const base62Length = (bytes: number): number => Math.ceil((bytes * 8) / Math.log2(62));
