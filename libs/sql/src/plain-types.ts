/** What PostgreSQL's own types are given, and nobody else's (transam.h, FirstGenbkiObjectId). */
const FIXED_OIDS = 10_000;

/**
 * Types with an OID of the fixed ones whose values are rows, arrays of rows, or taken apart by `unnest` into more than
 * one column, and those that stand for any (pg_type.dat): arrays of the rows of pg_type, pg_attribute, pg_proc and
 * pg_class; record, record[]; tsvector, tsvector[]; anyarray and the other pseudo-types that are given a value.
 */
const NOT_PLAIN: ReadonlySet<number> = new Set([
  71, 75, 81, 83, 210, 270, 272, 273, 1248, 2249, 2287, 2276, 2277, 2283, 2776, 2842, 2843, 3500, 3614, 3643, 3831,
  4066, 4537, 4538, 5077, 5078, 5079, 5080, 6101,
]);

/** Whether a value of the type is one column wherever it stands in FROM; of a type that is not known it is not said. */
export const isPlainType = (oid: number): boolean => oid > 0 && oid < FIXED_OIDS && !NOT_PLAIN.has(oid);

/** Types as the grammar and people write them, whose values are plain. */
export const PLAIN_TYPE_NAMES: ReadonlySet<string> = new Set(
  `bit bool boolean bpchar bytea char cidr date decimal float4 float8 inet int int2 int4 int8 integer interval json
  jsonb jsonpath macaddr macaddr8 money name numeric oid real regclass regnamespace regproc regprocedure regrole
  regtype smallint bigint text time timestamp timestamptz timetz uuid varbit varchar xml`
    .trim()
    .split(/\s+/),
);
