import type { MaskPlan } from "#commands";
import type { RowDescription } from "../messages.js";
import { hideOf, toNull } from "./hide.js";
import { RowMasker } from "./rows.js";

/** What hides the values of rows; null where they pass as they are. */
export type Masks = RowMasker | null;

/** The plan of one statement of a command. */
export const planOf = (plan: MaskPlan, statement: number): MaskPlan => plan.statement?.(statement) ?? plan;

/** A plan that does not fit the description hides everything. */
export function masksFor(plan: MaskPlan, described: RowDescription): Masks {
  const masks = plan.columns(described);
  if (masks.length !== described.length) return new RowMasker(described.map(() => toNull));
  if (masks.every((mask) => mask === null)) return null;
  return new RowMasker(described.map(({ type }, column) => hideOf(masks[column] ?? null, type)));
}
