import type { EntityManager } from "typeorm";
import { textArray } from "../log/binary-arrays.js";

/** A row of `audit.session`. */
export interface SessionRow {
  readonly id: string;
  readonly enforcerId: string;
  readonly source: string;
  status: "open" | "ended" | "lost";
  readonly principalId: string;
  /** JSON. */
  readonly principal: string;
  readonly resource: string;
  readonly protocol: string;
  readonly tokenId: string;
  readonly clientAddress: string;
  readonly clientApplication: string;
  /** ISO 8601, as `endedAt`. */
  readonly startedAt: string;
  endedAt: string | null;
  endedBecause: string;
  commands: bigint;
  refused: bigint;
  valuesMasked: bigint;
}

/** When an enforcer began anew. */
export interface Beginning {
  readonly enforcerId: string;
  readonly time: string;
}

const COLUMNS: readonly (readonly [keyof SessionRow, column: string, type: string])[] = [
  ["id", "id", "text"],
  ["enforcerId", "enforcer_id", "text"],
  ["source", "source", "text"],
  ["status", "status", "text"],
  ["principalId", "principal_id", "text"],
  ["principal", "principal", "json"],
  ["resource", "resource", "text"],
  ["protocol", "protocol", "text"],
  ["tokenId", "token_id", "text"],
  ["clientAddress", "client_address", "text"],
  ["clientApplication", "client_application", "text"],
  ["startedAt", "started_at", "timestamptz"],
  ["endedAt", "ended_at", "timestamptz"],
  ["endedBecause", "ended_because", "text"],
  ["commands", "commands", "bigint"],
  ["refused", "refused", "bigint"],
  ["valuesMasked", "values_masked", "numeric"],
];

const LOAD = `SELECT ${COLUMNS.map(([field, column, type]) =>
  type === "timestamptz" ? `${column} AS "${field}"` : `${column}::text AS "${field}"`,
).join(", ")} FROM audit.session WHERE id = ANY($1)`;

const STORE = `INSERT INTO audit.session (${COLUMNS.map(([, column]) => column).join(", ")})
  SELECT ${COLUMNS.map(([, column, type]) => `${column}::${type}`).join(", ")}
  FROM unnest(${COLUMNS.map((_, n) => `$${n + 1}::text[]`).join(", ")}) AS given (${COLUMNS.map(([, column]) => column).join(", ")})
  ON CONFLICT (id) DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at,
    ended_because = excluded.ended_because, commands = excluded.commands, refused = excluded.refused,
    values_masked = excluded.values_masked`;

export async function loadSessions(tx: EntityManager, ids: readonly string[]): Promise<readonly SessionRow[]> {
  if (ids.length === 0) return [];
  const rows: Loaded[] = await tx.query(LOAD, [textArray(ids)]);
  return rows.map((row) => ({
    ...row,
    startedAt: row.startedAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
    commands: BigInt(row.commands),
    refused: BigInt(row.refused),
    valuesMasked: BigInt(row.valuesMasked),
  }));
}

export async function storeSessions(tx: EntityManager, rows: readonly SessionRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    STORE,
    COLUMNS.map(([field]) => textArray(rows.map((row) => row[field]?.toString() ?? null))),
  );
}

/** When each of the enforcers last began anew. */
export async function loadEnforcers(tx: EntityManager, ids: readonly string[]): Promise<ReadonlyMap<string, Date>> {
  const rows: { enforcer_id: string; started_at: Date }[] = await tx.query(
    "SELECT enforcer_id, started_at FROM audit.enforcer WHERE enforcer_id = ANY($1)",
    [textArray(ids)],
  );
  return new Map(rows.map((row) => [row.enforcer_id, row.started_at]));
}

/** Keeps the beginning, and answers the sessions of before that are lost by it; `known` are the caller's to judge. */
export async function storeBeginning(
  tx: EntityManager,
  { enforcerId, time }: Beginning,
  known: readonly string[],
): Promise<readonly string[]> {
  await tx.query(
    `INSERT INTO audit.enforcer AS e VALUES ($1, $2)
     ON CONFLICT (enforcer_id) DO UPDATE SET started_at = greatest(e.started_at, excluded.started_at)`,
    [enforcerId, time],
  );
  const [lost]: [{ id: string }[]] = await tx.query(
    `UPDATE audit.session SET status = 'lost'
     WHERE enforcer_id = $1 AND status = 'open' AND started_at < $2 AND id <> ALL($3) RETURNING id`,
    [enforcerId, time, textArray(known)],
  );
  return lost.map(({ id }) => id);
}

/** As `storeBeginning`, of the sessions in these spools. */
export async function loseSessionsOf(
  tx: EntityManager,
  sources: readonly string[],
  known: readonly string[],
): Promise<readonly string[]> {
  if (sources.length === 0) return [];
  const [lost]: [{ id: string }[]] = await tx.query(
    `UPDATE audit.session SET status = 'lost'
     WHERE source = ANY($1) AND status = 'open' AND id <> ALL($2) RETURNING id`,
    [textArray(sources), textArray(known)],
  );
  return lost.map(({ id }) => id);
}

type Loaded = Omit<SessionRow, "startedAt" | "endedAt" | "commands" | "refused" | "valuesMasked"> & {
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly commands: string;
  readonly refused: string;
  readonly valuesMasked: string;
};
