/** Types of PostgreSQL's own (pg_type.dat) of which it is known what their values are. */
export type Family = "boolean" | "integer" | "number" | "text" | "time" | "interval" | "uuid" | "json" | "other";

const BOOLEAN = 16;
export const TEXT = 25;
export const DATE = 1082;
export const TIMESTAMP = 1114;
export const TIMESTAMPTZ = 1184;
export const NUMERIC = 1700;

const FAMILIES: readonly (readonly [Family, readonly number[]])[] = [
  // "char" has as few values that a list could hold them all.
  ["boolean", [BOOLEAN, 18]],
  ["integer", [20, 21, 23]],
  ["number", [700, 701, NUMERIC]],
  ["text", [TEXT, 1042, 1043, 19]],
  ["time", [DATE, TIMESTAMP, TIMESTAMPTZ]],
  ["interval", [1186]],
  ["uuid", [2950]],
  ["json", [114, 3802]],
];
const FAMILY = new Map(FAMILIES.flatMap(([family, oids]) => oids.map((oid) => [oid, family] as const)));
/** As the grammar and people write them. */
const OIDS: Readonly<Record<string, number>> = {
  bool: BOOLEAN,
  boolean: BOOLEAN,
  int2: 21,
  smallint: 21,
  int4: 23,
  int: 23,
  integer: 23,
  int8: 20,
  bigint: 20,
  float4: 700,
  float8: 701,
  numeric: NUMERIC,
  decimal: NUMERIC,
  text: TEXT,
  varchar: 1043,
  bpchar: 1042,
  date: DATE,
  timestamp: TIMESTAMP,
  timestamptz: TIMESTAMPTZ,
  interval: 1186,
  uuid: 2950,
  json: 114,
  jsonb: 3802,
};

export const familyOf = (oid: number): Family => FAMILY.get(oid) ?? "other";
export const typeNamed = (name: string): number => OIDS[name] ?? 0;

/** The greatest value, past the least by one. */
export const INTEGER_LIMITS = new Map([
  [21, 2 ** 15],
  [23, 2 ** 31],
  [20, 2 ** 63],
]);
