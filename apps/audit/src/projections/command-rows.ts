import type { EntityManager } from "typeorm";
import { textArray } from "../log/binary-arrays.js";

/** A row of `audit.command`; whole numbers as their decimal digits. */
export interface CommandRow {
  readonly sessionId: string;
  readonly ordinal: string;
  readonly statement: string;
  /** This and the other lists: PostgreSQL's array literal. */
  parameters: string;
  readonly actions: string;
  readonly tablesRead: string;
  readonly tablesWritten: string;
  verdict: "allow" | "hold" | "deny";
  status: "running" | "held" | "done" | "failed" | "refused" | "unknown";
  policies: string;
  policyEpoch: string;
  approvalId: string;
  rows: string;
  bytes: string;
  valuesMasked: string;
  durationUs: string;
  errorCode: string;
  reason: string;
  readonly at: string;
}

export interface CommandKey {
  readonly sessionId: string;
  readonly ordinal: string;
}

const COLUMNS: readonly (readonly [keyof CommandRow, column: string, type: string])[] = [
  ["sessionId", "session_id", "text"],
  ["ordinal", "ordinal", "bigint"],
  ["statement", "statement", "text"],
  ["parameters", "parameters", "text[]"],
  ["actions", "actions", "text[]"],
  ["tablesRead", "tables_read", "text[]"],
  ["tablesWritten", "tables_written", "text[]"],
  ["verdict", "verdict", "text"],
  ["status", "status", "text"],
  ["policies", "policies", "text[]"],
  ["policyEpoch", "policy_epoch", "numeric"],
  ["approvalId", "approval_id", "text"],
  ["rows", "rows", "numeric"],
  ["bytes", "bytes", "numeric"],
  ["valuesMasked", "values_masked", "numeric"],
  ["durationUs", "duration_us", "numeric"],
  ["errorCode", "error_code", "text"],
  ["reason", "reason", "text"],
  ["at", "at", "timestamptz"],
];
const SETTLED = new Set(["session_id", "ordinal", "statement", "actions", "tables_read", "tables_written", "at"]);

const LOAD = `SELECT ${COLUMNS.map(([field, column]) => `c.${column}::text AS "${field}"`).join(", ")}
  FROM audit.command c JOIN unnest($1::text[], $2::text[]) AS wanted (session_id, ordinal)
    ON c.session_id = wanted.session_id AND c.ordinal = wanted.ordinal::bigint`;

const STORE = `INSERT INTO audit.command (${COLUMNS.map(([, column]) => column).join(", ")})
  SELECT ${COLUMNS.map(([, column, type]) => `${column}::${type}`).join(", ")}
  FROM unnest(${COLUMNS.map((_, n) => `$${n + 1}::text[]`).join(", ")}) AS given (${COLUMNS.map(([, column]) => column).join(", ")})
  ON CONFLICT (session_id, ordinal) DO UPDATE SET
    ${COLUMNS.flatMap(([, column]) => (SETTLED.has(column) ? [] : `${column} = excluded.${column}`)).join(", ")}`;

export async function loadCommands(tx: EntityManager, keys: readonly CommandKey[]): Promise<readonly CommandRow[]> {
  if (keys.length === 0) return [];
  return tx.query(LOAD, [
    textArray(keys.map(({ sessionId }) => sessionId)),
    textArray(keys.map(({ ordinal }) => ordinal)),
  ]);
}

export async function storeCommands(tx: EntityManager, rows: readonly CommandRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    STORE,
    COLUMNS.map(([field]) => textArray(rows.map((row) => row[field]))),
  );
}

/** What was under way when its session went: nobody saw how it ended. */
export async function leaveCommands(tx: EntityManager, sessions: readonly string[]): Promise<void> {
  if (sessions.length === 0) return;
  await tx.query(
    `UPDATE audit.command SET status = CASE status WHEN 'held' THEN 'refused' ELSE 'unknown' END
     WHERE session_id = ANY($1) AND status IN ('running', 'held')`,
    [sessions],
  );
}
