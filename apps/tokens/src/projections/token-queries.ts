import { Injectable } from "@nestjs/common";
import { DataSource } from "typeorm";
import { cursorAt, type Page, type Paged, paged, placeOf, rowsFor } from "#event-store-postgres";
import type { Principal, UseMode } from "../domain/events.js";

export type TokenStatus = "active" | "spent" | "expired" | "revoked";

/** A token as it is at the time of asking. */
export interface TokenView {
  readonly id: string;
  readonly principal: Principal;
  readonly resource: string;
  readonly protocol: string;
  readonly scope: readonly string[];
  readonly mode: UseMode;
  readonly uses: number;
  readonly used: number;
  readonly windowSeconds: number;
  readonly status: TokenStatus;
  /** Also of one that is spent: what was opened goes on. */
  readonly openSessions: number;
  readonly mintedAt: Date;
  readonly expiresAt: Date;
  readonly revokedBecause: string;
  readonly version: number;
}

export interface TokenFilter {
  readonly principalId: string;
  readonly resource: string;
  readonly run: string;
  readonly status: TokenStatus | null;
}

export type Selector = "token_id" | GroupSelector;
type GroupSelector = "principal_id" | "run" | "resource" | "issuer";

/** $1 is now. A burst whose window has closed is spent: no use is left. What was spent before it expired stays spent. */
const STATUS = `CASE
  WHEN revoked_at IS NOT NULL THEN 'revoked'
  WHEN mode <> 'run' AND (used >= uses OR coalesce(closes_at < least($1, expires_at), false))
    THEN 'spent'
  WHEN expires_at <= $1 THEN 'expired'
  ELSE 'active' END`;
const OPEN = `(SELECT count(*)::int FROM tokens.lease
  WHERE lease.token_id = token.id AND over_at IS NULL AND lease.expires_at > $1)`;
const COLUMNS = `id, principal, resource, protocol, scope, mode, uses, used, window_seconds, minted_at, expires_at,
  revoked_because, version, ${STATUS} AS status, ${OPEN} AS open_sessions`;

/** What is known of tokens and leases. Reads only. */
@Injectable()
export class TokenQueries {
  constructor(private readonly dataSource: DataSource) {}

  async find(id: string, now: number): Promise<TokenView | null> {
    const [row] = await this.dataSource.query(`SELECT ${COLUMNS} FROM tokens.token WHERE id = $2`, [new Date(now), id]);
    return row ? viewOf(row) : null;
  }

  /** What it is for, whether or not it is live. */
  async resource(id: string): Promise<string | null> {
    const [row] = await this.dataSource.query("SELECT resource FROM tokens.token WHERE id = $1", [id]);
    return row?.resource ?? null;
  }

  /** Newest first. @throws Refused `invalid` for a cursor that is none */
  async list(filter: TokenFilter, page: Page, now: number): Promise<Paged<TokenView>> {
    const after = placeOf(page);
    const rows: TokenRow[] = await this.dataSource.query(
      `SELECT * FROM (SELECT ${COLUMNS} FROM tokens.token
         WHERE ($2 = '' OR principal_id = $2) AND ($3 = '' OR resource = $3) AND ($4 = '' OR run = $4)
           AND ($5::timestamptz IS NULL OR (minted_at, id) < ($5, $6))) t
       WHERE $7::text IS NULL OR status = $7 ORDER BY minted_at DESC, id DESC LIMIT $8`,
      [
        ...[new Date(now), filter.principalId, filter.resource, filter.run],
        ...[after?.at ?? null, after?.id ?? "", filter.status, rowsFor(page)],
      ],
    );
    return paged(rows.map(viewOf), page, ({ mintedAt, id }) => cursorAt({ at: mintedAt, id }));
  }

  /** What its protocol's login is verified with, whether or not a use is left; null where there is no such token. */
  async verifier(id: string, protocol: string): Promise<{ resource: string; verifier: string | null } | null> {
    const [row] = await this.dataSource.query(
      `SELECT resource, verifier FROM tokens.token LEFT JOIN tokens.verifier ON token_id = id
       WHERE id = $1 AND protocol = $2`,
      [id, protocol],
    );
    return row ?? null;
  }

  /** Tokens that a revocation must still reach: spent ones too, their sessions may be open. */
  async revocable(selector: GroupSelector, value: string, now: number): Promise<readonly string[]> {
    // Mints that have passed their checks hold this lock, shared, until they are committed: none slips by.
    await this.dataSource.transaction((tx) => tx.query("SELECT pg_advisory_xact_lock(hashtext('tokens/mint'))"));
    const rows: { id: string }[] = await this.dataSource.query(
      `SELECT id FROM tokens.token WHERE ${selector} = $2 AND revoked_at IS NULL AND expires_at > $1 ORDER BY id`,
      [new Date(now), value],
    );
    return rows.map(({ id }) => id);
  }

  /** The token that a session was opened with. */
  async tokenOfSession(sessionId: string): Promise<string | null> {
    const [row] = await this.dataSource.query("SELECT token_id FROM tokens.lease WHERE session_id = $1", [sessionId]);
    return row?.token_id ?? null;
  }

  /** Whose it is and under which token. */
  async session(id: string, now: number): Promise<SessionOwner | null> {
    const [row] = await this.dataSource.query(
      `SELECT token_id AS "tokenId", enforcer_id AS "enforcerId", principal, resource,
         over_at IS NULL AND lease.expires_at > $2 AS open
       FROM tokens.lease JOIN tokens.token ON token.id = lease.token_id WHERE session_id = $1`,
      [id, new Date(now)],
    );
    return row ?? null;
  }

  /** Of these sessions, those that this enforcer has or had. */
  async sessions(ids: readonly string[], enforcerId: string, now: number): Promise<ReadonlyMap<string, SessionView>> {
    const rows: { session_id: string; over_at: Date | null; over_because: string; expires_at: Date }[] =
      await this.dataSource.query(
        `SELECT session_id, over_at, over_because, expires_at FROM tokens.lease
         WHERE session_id = ANY($1) AND enforcer_id = $2`,
        [ids, enforcerId],
      );
    return new Map(
      rows.map((row) => [
        row.session_id,
        { open: row.over_at === null && row.expires_at.getTime() > now, because: row.over_because },
      ]),
    );
  }
}

export interface SessionView {
  readonly open: boolean;
  readonly because: string;
}

export interface SessionOwner {
  readonly tokenId: string;
  readonly enforcerId: string;
  readonly principal: Principal;
  readonly resource: string;
  readonly open: boolean;
}

interface TokenRow {
  readonly [column: string]: unknown;
}

function viewOf(row: TokenRow): TokenView {
  return {
    id: row.id as string,
    principal: row.principal as Principal,
    resource: row.resource as string,
    protocol: row.protocol as string,
    scope: row.scope as string[],
    mode: row.mode as UseMode,
    uses: row.uses as number,
    used: row.used as number,
    windowSeconds: row.window_seconds as number,
    status: row.status as TokenStatus,
    openSessions: row.open_sessions as number,
    mintedAt: row.minted_at as Date,
    expiresAt: row.expires_at as Date,
    revokedBecause: row.revoked_because as string,
    version: Number(row.version),
  };
}
