/** Literals of every type that masks know, for fuzz targets. */
import fc from "fast-check";

/** With everything that COPY's formats, arrays and JSON have to escape. */
const letters = fc.constantFrom(
  ..."aZ09 ,;|.@\\\"'`{}[]<>&%_\t\n\r\b\v\f\u007f",
  "\\N",
  "\\.",
  "ż",
  "é",
  "\u0301",
  "漢",
  "😀",
);
const text = fc.oneof(
  fc.string({ unit: letters, maxLength: 24 }),
  fc.emailAddress(),
  fc.constantFrom("", "nil", "[redacted]"),
);
const digits = (least: number, most: number) => fc.integer({ min: least, max: most }).map(String);
const padded = (most: number) => fc.nat(most).map((n) => String(n).padStart(2, "0"));
const hex = (bytes: number, between: string) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((run) => [...run].map((n) => n.toString(16).padStart(2, "0")).join(between));
const date = fc
  .date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((day) => day.toISOString().slice(0, 10));
const time = fc
  .tuple(padded(23), padded(59), padded(59), fc.nat(999_999))
  .map(([h, m, s, us]) => `${h}:${m}:${s}.${us}`);
const double = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom("NaN", "Infinity", "-Infinity", "-0"),
);
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value).replaceAll("\\u0000", ""));
const address = fc.oneof(
  fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.${a}.${b}.0/24`),
  fc.nat(65_535).map((n) => `2001:db8:${n.toString(16)}::/64`),
);

const SCALARS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  bool: fc.constantFrom("true", "false"),
  bytea: fc.uint8Array({ maxLength: 20 }).map((run) => `\\x${Buffer.from(run).toString("hex")}`),
  char: fc.constantFrom(..."aZ9.,\"\\ '"),
  name: text.map((name) => name.slice(0, 15)),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  int2: digits(-32_768, 32_767),
  int4: digits(-(2 ** 31), 2 ** 31 - 1),
  text,
  oid: digits(0, 2 ** 32 - 1),
  json,
  xml: text.map((said) => `<a>${said.replace(/[&<>]/g, "").replace(/[^\t\n\r -\uffff]/gu, "")}</a>`),
  cidr: address,
  float4: fc.oneof(
    fc
      .float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e30), max: Math.fround(1e30) })
      .map((n) => (Math.abs(n) < 1e-30 ? "0" : String(n))),
    fc.constant("NaN"),
  ),
  float8: double.map((n) => (Math.abs(Number(n)) < 1e-300 ? "0" : n)),
  macaddr8: hex(8, ":"),
  money: fc.integer({ min: -99_999, max: 99_999 }).map((n) => (n / 100).toFixed(2)),
  macaddr: hex(6, ":"),
  inet: address,
  bpchar: text,
  varchar: text,
  date: fc.oneof(date, fc.constantFrom("infinity", "0044-03-15 BC")),
  time,
  timestamp: fc.oneof(
    fc.tuple(date, time).map(([day, at]) => `${day} ${at}`),
    fc.constant("-infinity"),
  ),
  timestamptz: fc.tuple(date, time).map(([day, at]) => `${day} ${at}+02`),
  interval: fc.tuple(fc.integer({ min: -999, max: 999 }), time).map(([days, at]) => `${days} days ${at}`),
  timetz: time.map((at) => `${at}+02`),
  numeric: fc.oneof(
    fc
      .tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.nat(99_999))
      .map(([whole, rest]) => `${whole}.${rest}`),
    fc.constantFrom("NaN", "0", "0.000", "-0.5"),
  ),
  uuid: fc.uuid(),
  jsonb: json,
};

const quoted = (element: string) => `"${element.replace(/["\\]/g, "\\$&")}"`;

/** @param type as `pg_type` names it; `_x` is the array of `x`. */
export function literalsOf(type: string): fc.Arbitrary<string> {
  const scalar = SCALARS[type.replace(/^_/, "")];
  if (!scalar) throw new Error(`there are no literals of ${type}: add some`);
  if (!type.startsWith("_")) return scalar;
  return fc
    .array(fc.option(scalar), { maxLength: 3 })
    .map((elements) => `{${elements.map((element) => (element === null ? "NULL" : quoted(element))).join(",")}}`);
}
