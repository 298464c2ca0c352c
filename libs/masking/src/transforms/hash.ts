import { createHmac } from "node:crypto";
import { type HideContext, numberProblem, type TransformDefinition, unknownOption } from "../transform.js";
import { utf8, uuidBytes, uuidText } from "../types/encode.js";

const DEFAULT_LENGTH = 16;

/**
 * HMAC-SHA-256 of the value under the given key, so that equal values stay equal (joins, GROUP BY, counting) in text and
 * in binary. Texts become hex digits, uuid a uuid, bigint a number JavaScript holds exactly, bytea 32 bytes, JSON a
 * string; narrower types would collide and get their neutral value.
 * Options: `length` of the hex text (8 to 64, default 16).
 */
export const hash: TransformDefinition = {
  whole: false,
  check: (options) => unknownOption(options, ["length"]) ?? numberProblem(options, "length", 8, 64),
  hide(context) {
    const hashed = hashOf(context);
    if (!hashed) return context.whole;
    return (source, from, to, out) => {
      out.bytes(hashed(source.subarray(from, to)));
      return true;
    };
  },
};

/** What stands for a value; null where the type has no room for it. */
function hashOf(context: HideContext): ((value: Uint8Array) => Uint8Array) | null {
  const { type, format, options } = context;
  const length = Math.min(Number(options.length ?? DEFAULT_LENGTH), type.maxBytes ?? 64);
  const digest = digestUnder(context);
  const hexOf = (value: Uint8Array) => digest(value).toString("hex").slice(0, length);
  switch (type.family) {
    case "text":
      return (value) => utf8(hexOf(value));
    case "padded":
      return (value) => fitted(hexOf(withoutPadding(value)), value);
    case "json":
      return format === "binary" && type.neutral?.binary[0] === 1
        ? (value) => Buffer.concat([JSONB_VERSION, utf8(`"${hexOf(value.subarray(1))}"`)])
        : (value) => utf8(`"${hexOf(value)}"`);
    case "bytea":
      return format === "binary" ? digest : (value) => utf8(`\\x${digest(byteaOf(value)).toString("hex")}`);
    case "uuid":
      return format === "binary"
        ? (value) => digest(exactly(16, value)).subarray(0, 16)
        : (value) => utf8(uuidText(digest(orThrow(uuidBytes(value))).subarray(0, 16)));
    case "int8":
      return format === "binary"
        ? (value) => int8(digest(exactly(8, value)))
        : (value) =>
            utf8(
              int8(digest(int8Of(value)))
                .readBigInt64BE()
                .toString(),
            );
    default:
      return null;
  }
}

const JSONB_VERSION = Uint8Array.of(1);

const digestUnder =
  ({ hashKey }: HideContext) =>
  (value: Uint8Array): Buffer =>
    createHmac("sha256", hashKey).update(value).digest();

/** The digest's first bits as a bigint from 0 to 2^53 - 1. */
function int8(digest: Buffer): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigInt64BE(digest.readBigUInt64BE() >> 11n);
  return value;
}

function int8Of(text: Uint8Array): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigInt64BE(BigInt(Buffer.from(text).toString("latin1")));
  return value;
}

/** bytea in hex output; the older escape output is not taken apart, its text is hashed as it stands. */
function byteaOf(text: Uint8Array): Uint8Array {
  const written = Buffer.from(text).toString("latin1");
  return written.startsWith("\\x") ? Buffer.from(written.slice(2), "hex") : text;
}

/** Trailing blanks of `char(n)` are no part of its value. */
function withoutPadding(value: Uint8Array): Uint8Array {
  let end = value.length;
  while (end > 0 && value[end - 1] === 0x20) end--;
  return value.subarray(0, end);
}

/** As wide as the column, in characters. */
function fitted(text: string, value: Uint8Array): Uint8Array {
  let width = 0;
  for (let i = 0; i < value.length; i++) if ((value[i]! & 0xc0) !== 0x80) width++;
  return utf8(text.slice(0, width).padEnd(width));
}

function exactly(length: number, value: Uint8Array): Uint8Array {
  if (value.length !== length) throw new RangeError("not a value of its type");
  return value;
}

function orThrow(value: Uint8Array | null): Uint8Array {
  if (!value) throw new RangeError("not a value of its type");
  return value;
}
