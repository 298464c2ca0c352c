import type { RoutineFacts } from "./catalog.js";
import { isScalar, isText } from "./scalar-types.js";
import type { Trace } from "./trace.js";

/**
 * Functions of PostgreSQL that give a value for every value: they do not fail, are NULL only where an argument is, give
 * one row, and how long their result is depends on no more than how long the argument is. Only through these may a
 * value pass that must not be asked about; what another one answers, or whether it fails, tells of the value.
 */

/** A call of one of them, with `count` arguments, none of them VARIADIC. */
interface Call {
  readonly count: number;
  /** Where the value stands among the arguments, from 0. */
  readonly position: number;
  readonly value: Trace;
}
type Takes = (call: Call) => boolean;

const alone: Takes = ({ count }) => count === 1;
const first: Takes = ({ position }) => position === 0;
const second: Takes = ({ count, position }) => position === 1 && count === 2;
const anywhere: Takes = () => true;
/** Of ranges and arrays, functions of these names ask something else. */
const ofText =
  (takes: Takes): Takes =>
  (call) =>
    takes(call) && isText(call.value);
/** Of arrays they make one array, if these have the same bounds. */
const ofScalars: Takes = ({ count, value }) => count === 1 && isScalar(value);
/** Names and values in turn; a name may not be NULL. */
const asValue: Takes = ({ position }) => position % 2 === 1;

const TOTAL: ReadonlyMap<string, Takes> = new Map([
  ...named(ofText(alone), "lower upper initcap casefold text varchar name"),
  ...named(ofText(first), "left right lpad rpad substr"),
  ...named(
    alone,
    `reverse length char_length character_length octet_length bit_length md5 sha224 sha256 sha384 sha512 ceil ceiling
    floor round trunc to_json to_jsonb row_to_json array_to_json jsonb_pretty pg_typeof`,
  ),
  ...named(first, "array_to_string encode"),
  ...named(anywhere, "concat concat_ws textcat json_build_array jsonb_build_array"),
  ...named(asValue, "json_build_object jsonb_build_object json_object_agg jsonb_object_agg"),
  // Under a field or a zone that is given.
  ...named(second, "date_trunc date_part extract timezone"),
  // Aggregates and window functions: of which rows, in which order, is a use of its own.
  ...named(alone, "count sum avg bool_and bool_or every bit_and bit_or any_value xmlagg json_agg jsonb_agg"),
  ...named(ofScalars, "array_agg"),
  ...named(anywhere, "string_agg"),
  ...named(first, "first_value last_value nth_value lag lead"),
]);

function named(takes: Takes, names: string): [string, Takes][] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => [name, takes]);
}

/** Whether a function that could be any of these takes any value as the argument of the call. */
export function isTotal(routines: readonly RoutineFacts[], call: Call): boolean {
  return (
    routines.length > 0 &&
    routines.every(
      ({ schema, name, userDefined, returnsSet }) =>
        !userDefined && !returnsSet && schema === "pg_catalog" && (TOTAL.get(name)?.(call) ?? false),
    )
  );
}

/** Types whose every value has this one's form. */
const TEXTS: ReadonlySet<string> = new Set(["text", "varchar", "bpchar", "name"]);
/** What a column of a type (pg_type OID) can be cast to without loss. */
const WIDER: ReadonlyMap<number, readonly string[]> = new Map([
  [16, ["bool"]],
  [21, ["int2", "int4", "int8", "numeric", "float8"]],
  [23, ["int4", "int8", "numeric", "float8"]],
  [20, ["int8", "numeric"]],
  [700, ["float4", "float8"]],
  [701, ["float8"]],
  [1700, ["numeric"]],
  [1082, ["date"]],
  [1114, ["timestamp"]],
  [1184, ["timestamptz"]],
  [2950, ["uuid"]],
  [114, ["json"]],
  [3802, ["jsonb", "json"]],
  [17, ["bytea"]],
]);

/** Whether a cast to a type of PostgreSQL's succeeds whatever the value. @param from pg_type OID; 0 where unknown. */
export function isTotalCast(from: number, to: string, limited: boolean): boolean {
  return TEXTS.has(to) || (!limited && (WIDER.get(from)?.includes(to) ?? false));
}
