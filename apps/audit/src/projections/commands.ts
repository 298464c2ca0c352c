import type { AuditEntry } from "#audit-log";
import { columnText } from "./column-text.js";
import type { CommandRow } from "./command-rows.js";
import type { SessionRow } from "./session-rows.js";
import type { Touched } from "./touched.js";

type Data = Readonly<Record<string, unknown>>;

const NOT_LEFT: ReadonlySet<CommandRow["status"]> = new Set(["held", "running"]);

/** Takes an entry of a session's command into its row, and into its session's counts. */
export function applyCommandEntry(touched: Touched, session: SessionRow, entry: AuditEntry, data: Data): void {
  switch (entry.type) {
    case "command.started":
      see(touched, session, entry, data, data.approval_id ? "hold" : "allow", "running");
      return;
    case "command.held":
      see(touched, session, entry, data, "hold", "held");
      return;
    case "command.refused":
      session.refused += 1n;
      see(touched, session, entry, data, data.approval_id ? "hold" : "deny", "refused");
      return;
    case "hold.ended": {
      const command = touched.command(entry.sessionId, String(data.ordinal));
      if (!command) return;
      command.reason = columnText(data.reason) || command.reason;
      // Its session ended while it waited, or was let through and had not left.
      if (data.status === "withdrawn" && NOT_LEFT.has(command.status)) command.status = "refused";
      return;
    }
    case "command.ended":
      finish(touched, session, data);
  }
}

function see(
  touched: Touched,
  session: SessionRow,
  { sessionId, time }: AuditEntry,
  data: Data,
  verdict: CommandRow["verdict"],
  status: CommandRow["status"],
): void {
  const told = (data.command ?? {}) as Data;
  const ordinal = columnText(told.ordinal);
  const [approvalId, reason] = [columnText(data.approval_id), columnText(data.reason)];
  const seen = {
    parameters: literal(parameterTexts(told.parameters)),
    verdict,
    status,
    policies: literal(columnTexts(told.policies)),
    policyEpoch: columnText(told.policy_epoch),
    errorCode: columnText(data.code),
  };
  const known = touched.command(sessionId, ordinal);
  if (known) {
    Object.assign(known, seen, { approvalId: approvalId || known.approvalId, reason: reason || known.reason });
    return;
  }
  session.commands += 1n;
  touched.addCommand({
    sessionId,
    ordinal,
    statement: columnText(told.statement),
    actions: literal(columnTexts(told.actions)),
    tablesRead: literal(columnTexts(told.tables_read)),
    tablesWritten: literal(columnTexts(told.tables_written)),
    ...seen,
    approvalId,
    reason,
    rows: "0",
    bytes: "0",
    valuesMasked: "0",
    durationUs: "0",
    at: time,
  });
}

function finish(touched: Touched, session: SessionRow, data: Data): void {
  const valuesMasked = columnText(data.values_masked);
  session.valuesMasked += BigInt(valuesMasked);
  const command = touched.command(session.id, columnText(data.ordinal));
  if (!command) return;
  command.status = ending(data);
  command.rows = columnText(data.rows);
  command.bytes = columnText(data.bytes);
  command.valuesMasked = valuesMasked;
  command.durationUs = columnText(data.duration_us);
  command.errorCode = columnText(data.error_code);
  command.reason = columnText(data.error_message) || command.reason;
}

/** The resource's errors have codes; where only a message is told, it never answered: the session ended first. */
function ending({ error_code, error_message }: Data): CommandRow["status"] {
  if (error_code !== "") return "failed";
  return error_message === "" ? "done" : "unknown";
}

const columnTexts = (value: unknown): string[] => (Array.isArray(value) ? value.map(columnText) : []);

/** As PostgreSQL reads an array from text (manual section 8.15.2). */
const literal = (texts: readonly string[]): string =>
  texts.length === 0 ? "{}" : `{${texts.map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;

/** As a person reads them: bytes in PostgreSQL's hex form. */
function parameterTexts(parameters: unknown): string[] {
  if (!Array.isArray(parameters)) return [];
  return parameters.map(({ text, binary }: { text?: string; binary?: string }) => {
    if (text !== undefined) return columnText(text);
    if (binary !== undefined) return `\\x${Buffer.from(binary, "base64").toString("hex")}`;
    return "NULL";
  });
}
