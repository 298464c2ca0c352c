import type { EntityManager } from "typeorm";
import type { AuditEntry } from "#audit-log";
import { columnText } from "./column-text.js";

type Data = Readonly<Record<string, unknown>>;
type Verdict = "allow" | "hold" | "deny";
type Status = "running" | "held" | "refused";

/** Takes an entry of a session's command into its row. */
export async function applyCommandEntry(tx: EntityManager, entry: AuditEntry, data: Data): Promise<void> {
  switch (entry.type) {
    case "command.started":
      return see(tx, entry, data, data.approvalId ? "hold" : "allow", "running");
    case "command.held":
      return see(tx, entry, data, "hold", "held");
    case "command.refused":
      await see(tx, entry, data, data.approvalId ? "hold" : "deny", "refused");
      await tx.query("UPDATE audit.session SET refused = refused + 1 WHERE id = $1", [entry.sessionId]);
      return;
    case "hold.ended":
      await tx.query("UPDATE audit.command SET reason = $3 WHERE session_id = $1 AND ordinal = $2 AND $3 <> ''", [
        entry.sessionId,
        data.ordinal,
        columnText(data.reason),
      ]);
      return;
    case "command.ended":
      return finish(tx, entry, data);
  }
}

async function see(tx: EntityManager, entry: AuditEntry, data: Data, verdict: Verdict, status: Status): Promise<void> {
  const command = (data.command ?? {}) as Data;
  const [row] = await tx.query(
    `INSERT INTO audit.command AS c (session_id, ordinal, statement, parameters, actions, tables_read, tables_written,
       verdict, status, policies, policy_epoch, approval_id, error_code, reason, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
     ON CONFLICT (session_id, ordinal) DO UPDATE SET verdict = excluded.verdict, status = excluded.status,
       policies = excluded.policies, policy_epoch = excluded.policy_epoch, parameters = excluded.parameters,
       approval_id = CASE excluded.approval_id WHEN '' THEN c.approval_id ELSE excluded.approval_id END,
       error_code = excluded.error_code,
       reason = CASE excluded.reason WHEN '' THEN c.reason ELSE excluded.reason END
     RETURNING xmax = 0 AS fresh`,
    [
      entry.sessionId,
      command.ordinal,
      columnText(command.statement),
      parameterTexts(command.parameters),
      columnTexts(command.actions),
      columnTexts(command.tablesRead),
      columnTexts(command.tablesWritten),
      verdict,
      status,
      columnTexts(command.policies),
      command.policyEpoch,
      columnText(data.approvalId),
      columnText(data.code),
      columnText(data.reason),
      entry.time,
    ],
  );
  if (row.fresh) await tx.query("UPDATE audit.session SET commands = commands + 1 WHERE id = $1", [entry.sessionId]);
}

async function finish(tx: EntityManager, entry: AuditEntry, data: Data): Promise<void> {
  const failed = data.errorCode !== "";
  await tx.query(
    `UPDATE audit.command SET status = $3, rows = $4, bytes = $5, values_masked = $6, duration_us = $7,
       error_code = $8, reason = CASE $9 WHEN '' THEN reason ELSE $9 END
     WHERE session_id = $1 AND ordinal = $2`,
    [
      entry.sessionId,
      data.ordinal,
      failed ? "failed" : "done",
      data.rows,
      data.bytes,
      data.valuesMasked,
      data.durationUs,
      columnText(data.errorCode),
      columnText(data.errorMessage),
    ],
  );
  await tx.query("UPDATE audit.session SET values_masked = values_masked + $2 WHERE id = $1", [
    entry.sessionId,
    data.valuesMasked,
  ]);
}

const columnTexts = (value: unknown): string[] => (Array.isArray(value) ? value.map(columnText) : []);

/** As a person reads them: bytes in PostgreSQL's hex form. */
function parameterTexts(parameters: unknown): string[] {
  if (!Array.isArray(parameters)) return [];
  return parameters.map(({ text, binary }: { text?: string; binary?: string }) => {
    if (text !== undefined) return columnText(text);
    if (binary !== undefined) return `\\x${Buffer.from(binary, "base64").toString("hex")}`;
    return "NULL";
  });
}
