import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { modelV1, tokensV1 } from "#contracts";
import { Refused } from "#event-store";
import type { Principal, UseMode } from "../domain/events.js";
import type { RevokedToken } from "../handlers/revoke.js";
import type { TokenStatus, TokenView } from "../projections/token-queries.js";

const { UseMode: WireMode, TokenStatus: WireStatus, RevokedToken_Outcome: WireOutcome } = tokensV1;

const WIRE_MODES: Record<UseMode, tokensV1.UseMode> = { once: WireMode.ONCE, burst: WireMode.BURST, run: WireMode.RUN };
const WIRE_STATUSES: Record<TokenStatus, tokensV1.TokenStatus> = {
  active: WireStatus.ACTIVE,
  spent: WireStatus.SPENT,
  expired: WireStatus.EXPIRED,
  revoked: WireStatus.REVOKED,
};
const WIRE_OUTCOMES: Record<RevokedToken["outcome"], tokensV1.RevokedToken_Outcome> = {
  revoked: WireOutcome.REVOKED,
  "revoked-before": WireOutcome.REVOKED_BEFORE,
  spent: WireOutcome.SPENT,
  expired: WireOutcome.EXPIRED,
};
const keyOf = <K extends string, V>(table: Record<K, V>, value: V): K | undefined =>
  (Object.keys(table) as K[]).find((key) => table[key] === value);

export function modeOf(mode: tokensV1.UseMode): UseMode {
  if (mode === WireMode.USE_MODE_UNSPECIFIED) return "once";
  const found = keyOf(WIRE_MODES, mode);
  if (!found) throw new Refused("invalid", `there is no use mode ${mode}`, { field: "mode" });
  return found;
}

/** Null where any will do. */
export function statusOf(status: tokensV1.TokenStatus): TokenStatus | null {
  if (status === WireStatus.TOKEN_STATUS_UNSPECIFIED) return null;
  const found = keyOf(WIRE_STATUSES, status);
  if (!found) throw new Refused("invalid", `there is no token status ${status}`, { field: "status" });
  return found;
}

/** Field by field, so that what is signed is no more than this. */
export function principalOf(message: modelV1.Principal | undefined): Principal {
  const { id, issuer, subject, name, groups, run, onBehalfOf } = message ?? create(modelV1.PrincipalSchema);
  return { id, issuer, subject, name, groups: [...groups], run, onBehalfOf: [...onBehalfOf] };
}

export const principalMessage = (principal: Principal): MessageInitShape<typeof modelV1.PrincipalSchema> => ({
  ...principal,
  groups: [...principal.groups],
  onBehalfOf: [...principal.onBehalfOf],
});

export const tokenMessage = (view: TokenView): MessageInitShape<typeof tokensV1.TokenSchema> => ({
  ...{ id: view.id, principal: principalMessage(view.principal), resource: view.resource, protocol: view.protocol },
  ...{ scope: [...view.scope], mode: WIRE_MODES[view.mode], uses: view.uses, used: view.used },
  ...{ windowSeconds: view.windowSeconds, status: WIRE_STATUSES[view.status], revokedBecause: view.revokedBecause },
  ...{ mintedAt: timestampFromDate(view.mintedAt), expiresAt: timestampFromDate(view.expiresAt) },
  ...{ openSessions: view.openSessions, version: BigInt(view.version) },
});

export const revokedMessage = (token: RevokedToken): MessageInitShape<typeof tokensV1.RevokedTokenSchema> => ({
  ...token,
  outcome: WIRE_OUTCOMES[token.outcome],
});
