import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { identityV1 } from "#contracts";

/** Seen within this is as good as now: enforcers show a sign of life every few seconds. */
const RECENT_MS = 30_000;

/**
 * Where to send an agent: one of the recently seen listeners for `protocol`, by `draw` (0 ≤ draw < 1) so that the load
 * spreads; else the one seen last. Undefined where no enforcer has such a listener.
 */
export function chooseListener(
  enforcers: readonly identityV1.Enforcer[],
  protocol: string,
  now: number,
  draw: number,
): identityV1.Listener | undefined {
  const candidates = enforcers
    .filter(({ removed }) => !removed)
    .flatMap((enforcer) => {
      const seen = enforcer.seenAt ? timestampMs(enforcer.seenAt) : Number.NEGATIVE_INFINITY;
      return enforcer.listeners.filter((l) => l.protocol === protocol).map((listener) => ({ listener, seen }));
    })
    .sort((a, b) => (a.seen < b.seen ? 1 : a.seen > b.seen ? -1 : 0));
  const recent = candidates.filter(({ seen }) => seen >= now - RECENT_MS);
  return (recent[Math.floor(draw * recent.length)] ?? candidates[0])?.listener;
}
