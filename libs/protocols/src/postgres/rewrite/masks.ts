import type { Mask, MaskPlan } from "#commands";
import type { RowDescription } from "../messages.js";

/** What hides the values of a row, by position; null where the whole row passes as it is. */
export type Masks = readonly (Mask | null)[] | null;

/** Hides whatever it is given: for when nothing better is known. */
export const HIDE: Mask = { labels: [], apply: () => null };

/** The plan of one statement of a command. */
export const planOf = (plan: MaskPlan, statement: number): MaskPlan => plan.statement?.(statement) ?? plan;

/** A plan that does not fit the description hides everything. */
export function masksFor(plan: MaskPlan, described: RowDescription): Masks {
  const masks = plan.columns(described);
  if (masks.length !== described.length) return described.map(() => HIDE);
  return masks.some((mask) => mask !== null) ? masks : null;
}

/** The masked value; a mask that fails hides it whole. */
export function apply(mask: Mask, value: Uint8Array, oid: number, format: "text" | "binary"): Uint8Array | null {
  try {
    return mask.apply(value, { oid, format });
  } catch {
    return null;
  }
}
