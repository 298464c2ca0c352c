import type { DataSource, EntityManager } from "typeorm";
import type { AuditEntry } from "#audit-log";
import { columnText } from "./column-text.js";
import { applyCommandEntry } from "./commands.js";

const REBUILD_BATCH = 1_000;

/** Takes entries into the read models of sessions and commands, in the transaction of their append. */
export async function projectSessions(tx: EntityManager, entries: readonly AuditEntry[]): Promise<void> {
  for (const entry of entries) {
    if (entry.origin === "control") await applyControl(tx, entry);
    else await applyEdge(tx, entry);
  }
}

/** Empties the read models and builds them anew from the log; what is appended meanwhile waits. */
export async function rebuildSessions(dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (tx) => {
    await tx.query("SELECT 1 FROM audit.head FOR UPDATE");
    for (const table of ["command", "session", "enforcer"]) await tx.query(`DELETE FROM audit.${table}`);
    for (let after = 0; ; ) {
      const rows: { index: string; json: string }[] = await tx.query(
        "SELECT index, json FROM audit.entry WHERE index > $1 ORDER BY index LIMIT $2",
        [after, REBUILD_BATCH],
      );
      if (rows.length === 0) return;
      await projectSessions(
        tx,
        rows.map(({ json }) => JSON.parse(json)),
      );
      after = Number(rows.at(-1)!.index);
    }
  });
}

async function applyControl(tx: EntityManager, { type, time, data }: AuditEntry): Promise<void> {
  if (type !== "enforcer.enrolled") return;
  const { stream, event } = data as { stream: string; event: { enforcerId?: string; id?: string } };
  const enforcerId = event.enforcerId ?? event.id ?? stream.replace(/^enforcer[-/:]/, "");
  await began(tx, enforcerId, time);
}

/** An enforcer that begins anew has no session of before. */
async function began(tx: EntityManager, enforcerId: string, time: string, but = ""): Promise<void> {
  await tx.query(
    `INSERT INTO audit.enforcer AS e VALUES ($1, $2)
     ON CONFLICT (enforcer_id) DO UPDATE SET started_at = greatest(e.started_at, excluded.started_at)`,
    [enforcerId, time],
  );
  const lost: { id: string }[] = (
    await tx.query(
      `UPDATE audit.session SET status = 'lost' WHERE enforcer_id = $1 AND status = 'open' AND started_at < $2 AND source <> $3
       RETURNING id`,
      [enforcerId, time, but],
    )
  )[0];
  await leaveUnknown(
    tx,
    lost.map(({ id }) => id),
  );
}

async function applyEdge(tx: EntityManager, entry: AuditEntry): Promise<void> {
  const { type, time, sessionId, source, sequence } = entry;
  const data = entry.data as Readonly<Record<string, unknown>>;
  const enforcerId = String(data.enforcerId);
  // A new spool: whatever an older one has open was left behind.
  if (sequence === 1 && type !== "record.unreadable") await began(tx, enforcerId, time, source);
  if (sessionId === "") return;
  if (type === "session.started") return start(tx, entry, enforcerId, data);
  const [mine] = await tx.query(
    `SELECT s.status, coalesce(e.started_at <= $3, true) AS alive FROM audit.session s
     LEFT JOIN audit.enforcer e USING (enforcer_id) WHERE s.id = $1 AND s.enforcer_id = $2`,
    [sessionId, enforcerId, time],
  );
  if (!mine) return;
  if (type === "session.ended") return end(tx, entry, data);
  // It was given up too early: it still speaks.
  if (mine.status === "lost" && mine.alive) {
    await tx.query("UPDATE audit.session SET status = 'open' WHERE id = $1", [sessionId]);
  }
  await applyCommandEntry(tx, entry, data);
}

async function start(
  tx: EntityManager,
  { sessionId, time, source }: AuditEntry,
  enforcerId: string,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  const principal = (data.principal ?? {}) as { id?: string };
  await tx.query(
    `INSERT INTO audit.session (id, enforcer_id, source, status, principal_id, principal, resource, protocol, token_id,
       client_address, client_application, started_at)
     SELECT $1, $2, $3, CASE WHEN EXISTS (SELECT 1 FROM audit.enforcer WHERE enforcer_id = $2 AND started_at > $11::timestamptz)
       THEN 'lost' ELSE 'open' END, $4, $5::json, $6, $7, $8, $9, $10, $11
     ON CONFLICT (id) DO NOTHING`,
    [
      sessionId,
      enforcerId,
      source,
      columnText(principal.id),
      JSON.stringify(principal),
      columnText(data.resource),
      columnText(data.protocol),
      columnText(data.tokenId),
      columnText(data.clientAddress),
      columnText(data.clientApplication),
      time,
    ],
  );
}

async function end(
  tx: EntityManager,
  { sessionId, time }: AuditEntry,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  await tx.query("UPDATE audit.session SET status = 'ended', ended_at = $2, ended_because = $3 WHERE id = $1", [
    sessionId,
    time,
    [columnText(data.cause), columnText(data.message)].filter(Boolean).join(": "),
  ]);
  await leaveUnknown(tx, [sessionId]);
}

/** What was under way when its session went: nobody saw how it ended. */
async function leaveUnknown(tx: EntityManager, sessions: readonly string[]): Promise<void> {
  if (sessions.length === 0) return;
  await tx.query(
    "UPDATE audit.command SET status = 'unknown' WHERE session_id = ANY($1) AND status IN ('running', 'held')",
    [sessions],
  );
}
