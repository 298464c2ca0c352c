import {
  encodeBool,
  encodeBytea,
  encodeDate,
  encodeFloat,
  encodeInt,
  encodeJson,
  encodeNumeric,
  encodeText,
  encodeTimestamp,
  encodeUuid,
  utf8,
} from "./encode.js";
import type { Encoded, Family, PgType } from "./pg-type.js";

/** What stands for a text that is hidden whole. ASCII, so it is right in every client encoding. */
const REDACTED = "[redacted]";

const NOTHING = new Uint8Array(0);
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const zeros = (length: number) => new Uint8Array(length);

function writable(encode: (literal: string) => Encoded | null, neutral: string, family: Family = "other"): PgType {
  return { family, neutral: encode(neutral), encode };
}
/** A type whose only masked value is its neutral one. */
const only = (text: string, binary: Uint8Array): PgType => ({
  family: "other",
  neutral: { text: utf8(text), binary },
  encode: null,
});

/** A type of which nothing is known, or that has no safe value: composites, ranges, enums, extensions' types. */
const UNKNOWN: PgType = { family: "other", neutral: null, encode: null };

/** By OID (pg_type.dat). Domains need no entry: the server describes them by their base type. */
const SCALARS = new Map<number, PgType>([
  [16, writable(encodeBool, "false")], // bool
  [17, writable(encodeBytea, "\\x", "bytea")],
  [18, writable((literal) => (/^[ -~]$/.test(literal) ? encodeText(literal) : null), "*", "letter")], // "char"
  [19, { ...writable(encodeText, REDACTED, "text"), maxBytes: 63 }], // name
  [20, writable(encodeInt(8), "0", "int8")],
  [21, writable(encodeInt(2), "0")],
  [23, writable(encodeInt(4), "0")],
  [25, writable(encodeText, REDACTED, "text")],
  [26, only("0", zeros(4))], // oid
  [114, writable(encodeJson(NOTHING), "null", "json")],
  [142, only(REDACTED, utf8(REDACTED))], // xml
  [650, only("0.0.0.0/32", hex("02 20 01 04 00000000"))], // cidr
  [700, writable(encodeFloat(4), "0")],
  [701, writable(encodeFloat(8), "0")],
  [705, writable(encodeText, REDACTED, "text")], // unknown: an untyped literal
  [774, only("00:00:00:00:00:00:00:00", zeros(8))], // macaddr8
  [790, only("0", zeros(8))], // money: no currency sign, that depends on lc_monetary
  [829, only("00:00:00:00:00:00", zeros(6))], // macaddr
  [869, only("0.0.0.0", hex("02 20 00 04 00000000"))], // inet
  [1042, writable(encodeText, REDACTED, "padded")], // char(n)
  [1043, writable(encodeText, REDACTED, "text")], // varchar
  [1082, writable(encodeDate, "1970-01-01")],
  [1083, only("00:00:00", zeros(8))], // time
  [1114, writable(encodeTimestamp(""), "1970-01-01")],
  [1184, writable(encodeTimestamp("+00"), "1970-01-01")],
  [1186, only("00:00:00", zeros(16))], // interval
  [1266, only("00:00:00+00", zeros(12))], // timetz
  [1700, writable(encodeNumeric, "0")],
  [2275, writable(encodeText, REDACTED, "text")], // cstring
  [2950, writable(encodeUuid, "00000000-0000-0000-0000-000000000000", "uuid")],
  [3802, writable(encodeJson(Uint8Array.of(1)), "null", "json")], // jsonb
]);

/** Array types, each with its element's OID. */
const ARRAYS: readonly (readonly [array: number, element: number])[] = [
  [143, 142],
  [199, 114],
  [651, 650],
  [775, 774],
  [791, 790],
  [1000, 16],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1040, 829],
  [1041, 869],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [1185, 1184],
  [1187, 1186],
  [1231, 1700],
  [1263, 2275],
  [1270, 1266],
  [2951, 2950],
  [3807, 3802],
];

/** array_send of an empty array: no dimensions, no nulls, the element's type. */
function emptyArrayOf(element: number): PgType {
  const binary = Buffer.alloc(12);
  binary.writeUInt32BE(element, 8);
  return only("{}", binary);
}

const TYPES = new Map([...SCALARS, ...ARRAYS.map(([array, element]) => [array, emptyArrayOf(element)] as const)]);

export const typeOf = (oid: number): PgType => TYPES.get(oid) ?? UNKNOWN;

/** Every OID that is known, for tests. */
export const KNOWN_OIDS: readonly number[] = [...TYPES.keys()];
