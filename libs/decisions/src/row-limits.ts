import type { RowLimit } from "#commands";
import type { ReadPolicy } from "./document.js";

/** Of permits that each suffice, the most generous; null where one sets no limit. */
export function widest(action: string, permits: readonly ReadPolicy[]): RowLimit | null {
  const limits = limitsOf(action, permits);
  if (limits.length === 0 || limits.length < permits.length) return null;
  return limits.reduce((widest, limit) => (limit.rows > widest.rows ? limit : widest));
}

/** Of permits whose strictest terms count, the narrowest; null where none sets a limit. */
export function narrowest(action: string, permits: readonly ReadPolicy[]): RowLimit | null {
  return limitsOf(action, permits).reduce<RowLimit | null>(narrower, null);
}

/** What holds for two operations of one command. */
export function narrower(a: RowLimit | null, b: RowLimit | null): RowLimit | null {
  if (!a || !b) return a ?? b;
  const { rows, policy } = b.rows < a.rows ? b : a;
  return { rows, policy, actions: [...new Set([...a.actions, ...b.actions])] };
}

const limitsOf = (action: string, permits: readonly ReadPolicy[]): RowLimit[] =>
  permits.flatMap(({ id, annotations: { maxRows } }) =>
    maxRows === null ? [] : [{ rows: maxRows, policy: id, actions: [action] }],
  );
