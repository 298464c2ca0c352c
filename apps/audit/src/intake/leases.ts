import { Injectable } from "@nestjs/common";
import type { EntityManager } from "typeorm";
import { canonicalJson, type Json } from "#audit-log";
import type { SequencedEvent } from "#event-store";
import { apiNames } from "../facts/field-names.js";
import { withhold } from "../facts/withhold.js";
import { textArray } from "../log/binary-arrays.js";

/** A session as its token was redeemed for it. */
export interface Lease {
  readonly enforcerId: string;
  readonly tokenId: string;
  readonly resource: string;
  /** As `principalText` has it. */
  readonly principal: string;
  /** What its commands' entries say of it. */
  readonly whose: { readonly principal: Json; readonly resource: string };
}

const REDEEMED = "TokenRedeemed";
const TOKEN_STREAM = /^token-/;
/** A lease is never another one later, so what was once read stays true. */
const MOST_KNOWN = 20_000;

/**
 * Which enforcer leased which session. An enforcer has its lease only after the redemption is committed in the event
 * store, so whatever it records of a session comes after: what is not found here was never leased.
 */
@Injectable()
export class Leases {
  readonly #known = new Map<string, Lease>();

  /** Of these sessions, those that were leased. */
  async of(tx: EntityManager, sessionIds: readonly string[]): Promise<ReadonlyMap<string, Lease>> {
    const unknown = sessionIds.filter((id) => !this.#known.has(id));
    if (unknown.length > 0) {
      // In this order: what is followed meanwhile is read twice, not missed.
      for (const { stream_id, body, minted } of await notFollowed(tx)) {
        if (body?.sessionId) this.#learn(body.sessionId, leaseOf(stream_id, body.enforcerId, minted));
      }
      for (const { session_id, enforcer_id, stream_id, minted } of await followed(tx, unknown)) {
        this.#learn(session_id, leaseOf(stream_id, enforcer_id, minted));
      }
    }
    const found = new Map<string, Lease>();
    for (const id of sessionIds) {
      const lease = this.#known.get(id);
      if (lease) found.set(id, lease);
    }
    this.#forgetOldest();
    return found;
  }

  #learn(sessionId: string, lease: Lease): void {
    this.#known.set(sessionId, lease);
  }

  #forgetOldest(): void {
    for (const id of this.#known.keys()) {
      if (this.#known.size <= MOST_KNOWN) return;
      this.#known.delete(id);
    }
  }
}

/** Takes a followed redemption into `audit.lease`; of any other event, nothing. */
export async function keepLease(tx: EntityManager, { streamId, event }: SequencedEvent): Promise<void> {
  if (event.type !== REDEEMED || !TOKEN_STREAM.test(streamId)) return;
  const { sessionId, enforcerId } = event.data as Redeemed;
  const [minted] = await tx.query("SELECT body FROM es.event WHERE stream_id = $1 AND stream_pos = 1", [streamId]);
  const { expiresAt } = (minted.body as Minted).grant;
  await tx.query(
    "INSERT INTO audit.lease (session_id, enforcer_id, stream_id, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    [sessionId, enforcerId, streamId, new Date(expiresAt)],
  );
}

/** What is compared of a principal, whoever wrote it down. */
export function principalText(principal: unknown): string {
  const named = apiNames(principal ?? {}) as { [field: string]: Json };
  const { id, issuer, subject, name, groups, run, on_behalf_of } = named;
  return canonicalJson(withhold({ id, issuer, subject, name, groups, run, on_behalf_of }));
}

function leaseOf(streamId: string, enforcerId: string, { grant }: Minted): Lease {
  const { resource } = grant;
  const principal = principalText(grant.principal);
  const { id, name, run, on_behalf_of } = JSON.parse(principal);
  const whose = { principal: { id, name, run, on_behalf_of }, resource };
  return { enforcerId, tokenId: streamId.replace(TOKEN_STREAM, ""), resource, principal, whose };
}

/** Redemptions that the log has not taken in yet: few, however many there are. */
function notFollowed(tx: EntityManager): Promise<{ stream_id: string; body: Redeemed | null; minted: Minted }[]> {
  // OFFSET 0 keeps the planner from reading all events to find these.
  return tx.query(
    `SELECT late.stream_id, redeemed.body, minted.body AS minted
     FROM (SELECT stream_id, stream_pos FROM es.pending UNION ALL
           SELECT stream_id, stream_pos FROM es.log
           WHERE pos > coalesce((SELECT pos FROM es.checkpoint WHERE consumer = 'audit'), 0)) late
     CROSS JOIN LATERAL (SELECT body FROM es.event e
       WHERE e.stream_id = late.stream_id AND e.stream_pos = late.stream_pos AND e.type = $1 OFFSET 0) redeemed
     JOIN es.event minted ON minted.stream_id = late.stream_id AND minted.stream_pos = 1
     WHERE late.stream_id LIKE 'token-%'`,
    [REDEEMED],
  );
}

function followed(
  tx: EntityManager,
  sessionIds: readonly string[],
): Promise<{ session_id: string; enforcer_id: string; stream_id: string; minted: Minted }[]> {
  return tx.query(
    `SELECT session_id, enforcer_id, lease.stream_id, minted.body AS minted FROM audit.lease lease
     JOIN es.event minted ON minted.stream_id = lease.stream_id AND minted.stream_pos = 1
     WHERE session_id = ANY($1)`,
    [textArray(sessionIds)],
  );
}

interface Redeemed {
  readonly sessionId: string;
  readonly enforcerId: string;
}

interface Minted {
  readonly grant: { readonly resource: string; readonly principal: Json; readonly expiresAt: number };
}
