import type { Json } from "#audit-log";
import type { Fact } from "./control-facts.js";
import { withhold } from "./withhold.js";

export const CONCLUDED_SOURCE = "audit";

/** Nobody will tell how the session ended: whoever had it is gone, and all that it left has been read. */
export const SESSION_LOST = "session.lost";
/** Nobody has told how the session ended, which must have. Its enforcer may still come back, and tell. */
const SESSION_UNHEARD = "session.unheard";

/** What is known of a session whose end nobody told. */
export interface Unended {
  readonly enforcerId: string;
  readonly enforcerName: string;
  readonly sessionId: string;
  readonly tokenId: string;
  readonly whose: { readonly principal: Json; readonly resource: string };
  /** Whether its beginning is in the log. */
  readonly started: boolean;
  /** Whether its enforcer has given its lease back: it ended, or did not begin, in order, and only the record is missing. */
  readonly released: boolean;
}

/** Why nobody tells. */
export const WHY = {
  replaced: "another process has taken its enforcer's spool, and no record of its end was in it",
  removed: "its enforcer has been removed, and had not told how it ended",
  expired: "its token has run out, and its enforcer has not told how it ended",
} as const;

/** Records of a spool will never come: the entry stands for them, at the place of the last. */
export const RECORDS_MISSING = "records.missing";

export interface Missing {
  readonly enforcerId: string;
  /** As `edgeSource` has it. */
  readonly source: string;
  readonly first: number;
  readonly last: number;
}

export function missingFact({ enforcerId, source, first, last }: Missing, now: Date): Fact {
  const why = "its enforcer no longer has them, and they are not in the log: one of the two was set back, or lost them";
  return {
    ...{ time: now.toISOString(), origin: "audit", source, sequence: last, type: RECORDS_MISSING, sessionId: "" },
    data: { enforcer_id: enforcerId, first: String(first), last: String(last), why },
  };
}

/** What the log itself concludes of a session. `sequence`: dense, from 1, among all that it concludes. */
export function unendedFact(because: keyof typeof WHY, unended: Unended, sequence: number, now: Date): Fact {
  const type = because === "expired" ? SESSION_UNHEARD : SESSION_LOST;
  const { enforcerId, enforcerName, sessionId, tokenId, whose, started, released } = unended;
  const enforcer = { enforcer_id: enforcerId, enforcer_name: enforcerName };
  return {
    ...{ time: now.toISOString(), origin: "audit", source: CONCLUDED_SOURCE, sequence, type, sessionId },
    data: withhold({ ...enforcer, ...whose, token_id: tokenId, started, released, why: WHY[because] }),
  };
}
