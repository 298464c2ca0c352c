/** Values of a column that a condition is sure to leave out, whatever else the row holds. */
export type Gap =
  /** All but a few, or but those another table has. */
  | { readonly kind: "most" }
  /** All below, or above, some value that is far from the type's least and greatest. */
  | { readonly kind: "low" | "high" }
  /** All that lack a certain part. */
  | { readonly kind: "unlike" }
  /** All but null. */
  | { readonly kind: "set" }
  | { readonly kind: "null" }
  /** Some that only the same `which` is sure to leave out as well. */
  | { readonly kind: "some"; readonly which: string };

/**
 * Rows that a condition is sure to leave out: those whose named columns all have a value in their gap. Of no column:
 * every row.
 */
export type LeftOut = ReadonlyMap<string, Gap>;

export const EVERY_ROW: LeftOut = new Map();

/** Past this, further ways to say what is left out are forgotten. */
const MOST_WAYS = 16;

/** What an OR leaves out is what both of its arms do; each way of the one is tried with each of the other. */
export function both(ones: readonly LeftOut[], others: readonly LeftOut[]): readonly LeftOut[] {
  const found = new Map<string, LeftOut>();
  for (const one of ones) {
    for (const other of others) {
      const met = meet(one, other);
      if (met && found.size < MOST_WAYS) found.set(JSON.stringify([...met]), met);
    }
  }
  return [...found.values()];
}

function meet(one: LeftOut, other: LeftOut): LeftOut | null {
  const met = new Map(one);
  for (const [column, gap] of other) {
    const own = met.get(column);
    const common = own ? overlap(own, gap) : gap;
    if (!common) return null;
    met.set(column, common);
  }
  return met;
}

/** What both gaps are sure to have in common; null where that could be nothing. */
function overlap(one: Gap, other: Gap): Gap | null {
  if (one.kind === other.kind) return one.kind !== "some" || one.which === (other as typeof one).which ? one : null;
  for (const [wide, narrow] of [
    [one, other],
    [other, one],
  ] as const) {
    if (wide.kind === "set" && narrow.kind !== "null") return narrow;
    if (wide.kind === "most" && ["low", "high", "unlike"].includes(narrow.kind)) return narrow;
  }
  return null;
}
