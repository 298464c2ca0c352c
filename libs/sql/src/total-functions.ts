import type { RoutineFacts } from "./catalog.js";

/**
 * Functions of PostgreSQL that give a value for every value: they do not fail, are NULL only where an argument is, give
 * one row, and how long their result is depends on no more than how long the argument is. Only through these may a
 * value pass that must not be asked about; what another one answers, or whether it fails, tells of the value.
 */

/** By name, how many of the arguments, from the first, may be such a value. */
const TOTAL: ReadonlyMap<string, number> = new Map([
  ...named(
    99,
    `lower upper initcap reverse casefold length char_length character_length octet_length bit_length md5 sha224 sha256 sha384
    sha512 concat concat_ws textcat quote_literal quote_ident quote_nullable text varchar bpchar name hashtext
    to_json to_jsonb row_to_json array_to_json json_build_object json_build_array jsonb_build_object jsonb_build_array
    jsonb_pretty array_to_string pg_typeof abs sign ceil ceiling floor`,
  ),
  // Aggregates and window functions: of which rows, in which order, is a use of its own.
  ...named(
    99,
    `count sum avg bool_and bool_or every bit_and bit_or any_value array_agg string_agg xmlagg json_agg jsonb_agg
    json_object_agg jsonb_object_agg mode stddev stddev_pop stddev_samp variance var_pop
    var_samp row_number rank dense_rank percent_rank cume_dist`,
  ),
  ...named(1, "first_value last_value nth_value lag lead left right substr lpad rpad round trunc encode to_char"),
]);
/** Total in their last argument, under a field or a zone that is given. */
const LAST: ReadonlySet<string> = new Set(["date_trunc", "date_part", "extract", "timezone"]);

function named(many: number, names: string): [string, number][] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => [name, many]);
}

/** Whether a function that could be any of these takes such a value as the argument at `position`. */
export function isTotal(routines: readonly RoutineFacts[], position: number, count: number): boolean {
  return (
    routines.length > 0 &&
    routines.every(({ schema, name, userDefined, returnsSet }) => {
      if (userDefined || returnsSet || schema !== "pg_catalog") return false;
      return position < (TOTAL.get(name) ?? 0) || (LAST.has(name) && position > 0 && position === count - 1);
    })
  );
}

/** Types whose every value has this one's form. */
const TEXTS: ReadonlySet<string> = new Set(["text", "varchar", "bpchar", "name", "char"]);
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
