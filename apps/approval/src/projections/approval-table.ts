import type { EntityManager } from "typeorm";
import { type ApprovalState, isOpen } from "../domain/state.js";

/** Writes what an approval has become, in the transaction of its events. */
export async function project(
  tx: EntityManager,
  id: string,
  { state, version }: { state: ApprovalState; version: number },
): Promise<void> {
  if (state.status === "absent") return;
  const { status, held, votes, because } = state;
  await tx.query(
    `INSERT INTO approval.approval (id, version, status, resource, requested_at, expires_at, held, votes, because)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (id) DO UPDATE SET version = $2, status = $3, votes = $8, because = $9`,
    [
      ...[id, version, status, held.resource, new Date(held.requestedAt), new Date(held.expiresAt)],
      ...[JSON.stringify(held), JSON.stringify(votes), because.replaceAll("\0", "\ufffd")],
    ],
  );
  if (held.replaces && version === 1) {
    // Of another session an enforcer cannot say so.
    await tx.query("UPDATE approval.approval SET replaced_by = $1 WHERE id = $2 AND held ->> 'sessionId' = $3", [
      ...[id, held.replaces, held.sessionId],
    ]);
  }
  if (!isOpen(status)) await tx.query("DELETE FROM approval.waiting WHERE approval_id = $1", [id]);
}
