import type { EntityManager } from "typeorm";
import { type RecordedEvent, Refused } from "#event-store";
import { isUniqueViolation } from "#event-store-postgres";
import type { TokenEvent } from "../domain/events.js";
import { type MintedToken, type TokenState, used, windowClosesAt } from "../domain/state.js";

/**
 * Writes what a token has become, in the transaction of its events.
 * @throws Refused for a session id that is taken, or an identity token that has been exchanged
 */
export async function project(
  tx: EntityManager,
  { state, version, events }: { state: TokenState; version: number; events: readonly RecordedEvent<TokenEvent>[] },
): Promise<void> {
  if (state.status === "absent") return;
  await saveToken(tx, state, version);
  for (const { event } of events) await saveLease(tx, state, event);
}

async function saveToken(tx: EntityManager, state: MintedToken, version: number): Promise<void> {
  const { grant, revoked, subjectTokenId = "" } = state;
  const closes = windowClosesAt(state);
  const saved = tx.query(
    `INSERT INTO tokens.token (id, version, principal, principal_id, issuer, run, resource, protocol, scope, mode, uses,
       used, window_seconds, minted_at, expires_at, closes_at, revoked_at, revoked_because, subject_token_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
     ON CONFLICT (id) DO UPDATE SET version = $2, used = $12, closes_at = $16, revoked_at = $17, revoked_because = $18`,
    [
      ...[grant.tokenId, version, JSON.stringify(grant.principal), grant.principal.id, grant.principal.issuer],
      ...[grant.principal.run, grant.resource, grant.protocol, grant.scope, grant.mode, grant.uses],
      ...[used(state), grant.windowSeconds, new Date(grant.mintedAt), new Date(grant.expiresAt)],
      ...[closes === null ? null : new Date(closes), revoked ? new Date(revoked.at) : null, revoked?.reason ?? ""],
      subjectTokenId,
    ],
  );
  await saved.catch((error) => {
    if (!isUniqueViolation(error, "token_subject")) throw error;
    throw new Refused("conflict", "this identity token has been exchanged already: ask its issuer for a new one", {
      reason: "exchanged_already",
    });
  });
}

async function saveLease(tx: EntityManager, { grant }: MintedToken, event: TokenEvent): Promise<void> {
  switch (event.type) {
    case "TokenMinted":
      return;
    case "TokenRedeemed": {
      const { sessionId, enforcerId, at } = event.data;
      const inserted = await tx.query(
        `INSERT INTO tokens.lease (session_id, token_id, enforcer_id, opened_at, expires_at, over_because)
         VALUES ($1, $2, $3, $4, $5, '') ON CONFLICT DO NOTHING RETURNING 1`,
        [sessionId, grant.tokenId, enforcerId, new Date(at), new Date(grant.expiresAt)],
      );
      if (inserted.length === 0) throw new Refused("conflict", "this session id belongs to another token");
      return;
    }
    case "SessionReleased":
      return endLeases(tx, [event.data.sessionId], event.data.at, "released");
    case "SessionEndOrdered":
      return endLeases(tx, [event.data.sessionId], event.data.at, event.data.reason);
    case "TokenRevoked":
      return endLeases(tx, event.data.sessionIds, event.data.at, event.data.reason);
    default:
      return event satisfies never;
  }
}

async function endLeases(tx: EntityManager, ids: readonly string[], at: number, because: string): Promise<void> {
  await tx.query(
    "UPDATE tokens.lease SET over_at = $2, over_because = $3 WHERE session_id = ANY($1) AND over_at IS NULL",
    [ids, new Date(at), because],
  );
}

export interface Verifier {
  readonly tokenId: string;
  readonly secretHash: Uint8Array;
  readonly verifier: string;
  readonly expiresAt: number;
}

/** Whoever comes late, and proves the secret, is told that it is late. */
const KEPT_LONGER_MS = 24 * 3_600_000;

/** Keeps a new token's verifier, and forgets those of tokens that expired a day ago. */
export async function keepVerifier(tx: EntityManager, kept: Verifier, now: number): Promise<void> {
  await tx.query("DELETE FROM tokens.verifier WHERE expires_at <= $1", [new Date(now - KEPT_LONGER_MS)]);
  await tx.query("INSERT INTO tokens.verifier (token_id, secret_hash, verifier, expires_at) VALUES ($1, $2, $3, $4)", [
    kept.tokenId,
    Buffer.from(kept.secretHash),
    kept.verifier,
    new Date(kept.expiresAt),
  ]);
}
