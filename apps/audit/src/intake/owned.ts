import type { Json } from "#audit-log";
import type { Fact } from "../facts/control-facts.js";
import { type Lease, principalText } from "./leases.js";

export const DISOWNED = "record.disowned";
/** What says what was done: these say who did it too, so that nobody has to look for the session's beginning. */
const DEEDS = new Set(["command.started", "command.held", "command.refused"]);

/**
 * An observed fact as it may stand in the log: itself, where its enforcer leased the session it speaks of, for whom and
 * what it says; a command with who gave it, by the lease. Else it is kept as a claim that proves nothing, which no read
 * model believes and a SIEM should alert on.
 */
export function owned(fact: Fact, lease: Lease | undefined): Fact {
  if (fact.sessionId === "") return fact;
  const data = fact.data as { readonly [field: string]: Json };
  const why = whyNot(fact.type, data, lease);
  if (why === null) return DEEDS.has(fact.type) ? { ...fact, data: { ...data, ...lease?.whose } } : fact;
  const { type, sessionId } = fact;
  const { enforcer_id = "" } = data;
  return {
    ...fact,
    type: DISOWNED,
    sessionId: "",
    data: { enforcer_id, why, claimed: { type, session_id: sessionId, data } },
  };
}

function whyNot(type: string, data: { readonly [field: string]: Json }, lease: Lease | undefined): string | null {
  if (!lease) return "no token was redeemed for this session";
  if (lease.enforcerId !== data.enforcer_id) return "another enforcer has this session";
  if (type !== "session.started") return null;
  if (data.token_id !== lease.tokenId) return "another token was redeemed for this session";
  if (data.resource !== lease.resource) return "the session's token is for another resource";
  return principalText(data.principal) === lease.principal ? null : "the session's token is another principal's";
}
