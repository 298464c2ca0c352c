import type { Trace } from "./trace.js";

/** pg_type OID of what texts give. */
export const TEXT = 25;
const TEXTS: ReadonlySet<number> = new Set([TEXT, 19, 1042, 1043]);
/** pg_type OIDs of PostgreSQL's own types that are no arrays, ranges or rows (pg_type.dat). */
const SCALARS: ReadonlySet<number> = new Set([
  ...TEXTS,
  ...[
    16, 17, 18, 20, 21, 23, 26, 114, 142, 650, 700, 701, 774, 790, 829, 869, 1082, 1083, 1114, 1184, 1186, 1266, 1700,
  ],
  ...[2950, 3802],
]);

/** What is spelled out, or computed of that alone, is as who asks wrote it, whatever its type. */
const isGiven = ({ sources, leaks }: Trace): boolean => sources.size === 0 && !leaks;

/** Certainly no array, where anything of a table is in it. */
export const isScalar = (trace: Trace): boolean => isGiven(trace) || SCALARS.has(trace.typeOid);
export const isText = (trace: Trace): boolean => isGiven(trace) || TEXTS.has(trace.typeOid);

/** The type that all of them have, as far as they come from tables; 0 where that is not one. */
export function commonType(traces: readonly Trace[]): number {
  const found = traces.filter((trace) => !isGiven(trace));
  const type = found[0]?.typeOid ?? 0;
  if (found.every(({ typeOid }) => typeOid === type)) return type;
  return found.every(isText) ? TEXT : 0;
}
