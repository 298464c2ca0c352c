import type { DataSource, EntityManager } from "typeorm";
import { type AuditEntry, unseal } from "#audit-log";
import { SESSION_LOST } from "../facts/concluded-facts.js";
import { edgeSource } from "../facts/edge-facts.js";
import { columnText } from "./column-text.js";
import { applyCommandEntry } from "./commands.js";
import { enforcerOf, Touched } from "./touched.js";

const REBUILD_BATCH = 1_000;

/** Takes entries into the read models of sessions and commands, in the transaction of their append. */
export async function projectSessions(tx: EntityManager, entries: readonly AuditEntry[]): Promise<void> {
  const telling = entries.filter(({ origin, type }) => origin !== "control" || type === "enforcer.enrolled");
  if (telling.length === 0) return;
  const touched = await Touched.load(tx, telling);
  for (const entry of telling) {
    if (entry.origin === "control") touched.begin({ enforcerId: enforcerOf(entry), time: entry.time });
    else if (entry.origin === "audit") conclude(touched, entry);
    else applyEdge(touched, entry);
  }
  await touched.store(tx);
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
        rows.map(({ json }) => unseal(json)),
      );
      after = Number(rows.at(-1)!.index);
    }
  });
}

/** The spools whose processes are gone, by a `spool.opened`: the one before, and of former versions those in the same. */
export function placesTaken({ source, data }: AuditEntry): readonly string[] {
  const { enforcer_id, replaces } = data as { enforcer_id?: string; replaces?: string };
  return replaces ? [source, edgeSource(String(enforcer_id), replaces)] : [source];
}

function conclude(touched: Touched, { type, sessionId, data }: AuditEntry): void {
  const session = touched.session(sessionId);
  if (!session || session.status === "ended") return;
  touched.lose(session);
  if (type === SESSION_LOST) session.endedBecause = columnText((data as { why?: string }).why);
}

function applyEdge(touched: Touched, entry: AuditEntry): void {
  const { type, time, sessionId } = entry;
  const data = entry.data as Readonly<Record<string, unknown>>;
  const enforcerId = enforcerOf(entry);
  if (type === "spool.opened") for (const taken of placesTaken(entry)) touched.abandon(taken);
  if (sessionId === "") return;
  if (type === "session.started") {
    start(touched, entry, data);
    return;
  }
  const mine = touched.session(sessionId);
  if (mine?.enforcerId !== enforcerId) return;
  if (type === "session.ended") {
    mine.status = "ended";
    mine.endedAt = time;
    mine.endedBecause = [columnText(data.cause), columnText(data.message)].filter(Boolean).join(": ");
    touched.leave(sessionId);
    return;
  }
  // It was given up too early: it still speaks.
  if (mine.status === "lost" && !touched.beganAfter(enforcerId, time)) {
    mine.status = "open";
    mine.endedBecause = "";
  }
  applyCommandEntry(touched, mine, entry, data);
}

function start(touched: Touched, entry: AuditEntry, data: Readonly<Record<string, unknown>>): void {
  const { sessionId, time, source } = entry;
  if (touched.session(sessionId)) return;
  const enforcerId = enforcerOf(entry);
  const principal = (data.principal ?? {}) as { id?: string };
  touched.addSession({
    id: sessionId,
    enforcerId,
    source,
    status: touched.beganAfter(enforcerId, time) ? "lost" : "open",
    principalId: columnText(principal.id),
    principal: JSON.stringify(principal),
    resource: columnText(data.resource),
    protocol: columnText(data.protocol),
    tokenId: columnText(data.token_id),
    clientAddress: columnText(data.client_address),
    clientApplication: columnText(data.client_application),
    startedAt: time,
    endedAt: null,
    endedBecause: "",
    commands: 0n,
    refused: 0n,
    valuesMasked: 0n,
  });
}
