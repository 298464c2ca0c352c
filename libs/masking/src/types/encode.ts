import type { Encoded } from "./pg-type.js";

/** Literals to values. Each gives null for what is none of its type; the binary form is that of the type's send function. */

export const utf8 = (text: string): Uint8Array => Buffer.from(text, "utf8");

const both = (text: string, binary: Uint8Array): Encoded => ({ text: utf8(text), binary });

export const encodeText = (literal: string): Encoded => both(literal, utf8(literal));

export const encodeInt =
  (bytes: 2 | 4 | 8) =>
  (literal: string): Encoded | null => {
    if (!/^-?\d{1,19}$/.test(literal)) return null;
    const value = BigInt(literal);
    if (BigInt.asIntN(bytes * 8, value) !== value) return null;
    const wide = Buffer.alloc(8);
    wide.writeBigInt64BE(value);
    return both(String(value), wide.subarray(8 - bytes));
  };

export const encodeFloat =
  (bytes: 4 | 8) =>
  (literal: string): Encoded | null => {
    if (!/^-?\d{1,30}(\.\d{1,30})?$/.test(literal)) return null;
    const binary = Buffer.alloc(bytes);
    const value = Number(literal);
    if (bytes === 8) binary.writeDoubleBE(value);
    else binary.writeFloatBE(value);
    return both(String(literal), binary);
  };

export const encodeBool = (literal: string): Encoded | null =>
  literal === "true" ? both("t", Uint8Array.of(1)) : literal === "false" ? both("f", Uint8Array.of(0)) : null;

export function encodeUuid(literal: string): Encoded | null {
  const bytes = uuidBytes(utf8(literal));
  return bytes && both(literal.toLowerCase(), bytes);
}

/** The 16 bytes of a UUID in its usual writing, or null. */
export function uuidBytes(text: Uint8Array): Uint8Array | null {
  const written = Buffer.from(text).toString("latin1");
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(written)) return null;
  return Buffer.from(written.replaceAll("-", ""), "hex");
}

export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Days and microseconds are counted from 2000-01-01 (src/include/datatype/timestamp.h). */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

export function encodeDate(literal: string): Encoded | null {
  const at = utcOf(literal);
  if (at === null) return null;
  const binary = Buffer.alloc(4);
  binary.writeInt32BE((at - POSTGRES_EPOCH_MS) / 86_400_000);
  return both(literal, binary);
}

/** A timestamp literal is a date: midnight, in UTC where the type has a zone. */
export const encodeTimestamp =
  (suffix: "" | "+00") =>
  (literal: string): Encoded | null => {
    const at = utcOf(literal);
    if (at === null) return null;
    const binary = Buffer.alloc(8);
    binary.writeBigInt64BE(BigInt(at - POSTGRES_EPOCH_MS) * 1000n);
    return both(`${literal} 00:00:00${suffix}`, binary);
  };

function utcOf(date: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || date.startsWith("0000")) return null;
  const at = Date.parse(`${date}T00:00:00Z`);
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== date ? null : at;
}

export function encodeJson(version: Uint8Array) {
  return (literal: string): Encoded | null => {
    try {
      JSON.parse(literal);
    } catch {
      return null;
    }
    // jsonb cannot hold NUL, nor half of a surrogate pair.
    if (/\\u(0000|d[89a-f])/i.test(literal)) return null;
    return both(literal, Buffer.concat([version, utf8(literal)]));
  };
}

export function encodeBytea(literal: string): Encoded | null {
  if (!/^\\x([0-9a-f]{2})*$/i.test(literal)) return null;
  return both(literal.toLowerCase(), Buffer.from(literal.slice(2), "hex"));
}

/** numeric_send: digits of base 10000, each 16 bits, behind their number, the first one's weight, sign and scale. */
export function encodeNumeric(literal: string): Encoded | null {
  const found = /^(-?)(\d{1,60})(?:\.(\d{1,60}))?$/.exec(literal);
  if (!found) return null;
  const whole = found[2]!.replace(/^0+/, "");
  const fraction = found[3] ?? "";
  const padded = whole.padStart(Math.ceil(whole.length / 4) * 4, "0");
  const digits = (padded + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, "0")).match(/.{4}/g) ?? [];
  let weight = padded.length / 4 - 1;
  while (digits[0] === "0000") {
    digits.shift();
    weight--;
  }
  while (digits.at(-1) === "0000") digits.pop();
  const zero = digits.length === 0;
  const binary = Buffer.alloc(8 + digits.length * 2);
  binary.writeInt16BE(digits.length, 0);
  binary.writeInt16BE(zero ? 0 : weight, 2);
  binary.writeUInt16BE(found[1] && !zero ? 0x4000 : 0, 4);
  binary.writeInt16BE(fraction.length, 6);
  for (const [index, digit] of digits.entries()) binary.writeInt16BE(Number(digit), 8 + index * 2);
  const text = `${zero ? "" : found[1]}${whole || "0"}${fraction && `.${fraction}`}`;
  return both(text, binary);
}
