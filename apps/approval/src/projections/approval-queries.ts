import { Injectable } from "@nestjs/common";
import { DataSource } from "typeorm";
import { cursorAt, type Page, type Paged, paged, placeOf, rowsFor } from "#event-store-postgres";
import type { HeldCommand, Vote } from "../domain/events.js";
import type { ApprovalStatus } from "../domain/state.js";

/** An approval as it is at the time of asking. */
export interface ApprovalView {
  readonly id: string;
  readonly version: number;
  readonly status: ApprovalStatus;
  readonly held: HeldCommand;
  readonly votes: readonly Vote[];
  /** The approval that was asked for in its place; empty: none. */
  readonly replacedBy: string;
  /** Why it was rejected or withdrawn. */
  readonly because: string;
}

/** A page is shorter where its commands are long, so that it fits a message of the bus with its last one. */
const PAGE_BYTES = 2 << 20;

/** $1 is now. */
const STATUS = "CASE WHEN status IN ('pending', 'approved') AND expires_at <= $1 THEN 'expired' ELSE status END";
const COLUMNS = `id, version, requested_at, held, votes, replaced_by, because, ${STATUS} AS status`;

/** What is known of approvals. Reads only. */
@Injectable()
export class ApprovalQueries {
  constructor(private readonly dataSource: DataSource) {}

  async find(id: string, now: number): Promise<ApprovalView | null> {
    const rows = await this.dataSource.query(`SELECT ${COLUMNS} FROM approval.approval WHERE id = $2`, [
      new Date(now),
      id,
    ]);
    return rows[0] ? viewOf(rows[0]) : null;
  }

  /** Newest first. @throws Refused `invalid` for a cursor that is none */
  async list(
    filter: { readonly status: ApprovalStatus | null; readonly resource: string },
    page: Page,
    now: number,
  ): Promise<Paged<ApprovalView>> {
    const after = placeOf(page);
    const rows: (ApprovalRow & { found: string })[] = await this.dataSource.query(
      `SELECT * FROM (
         SELECT *, count(*) OVER () AS found,
           sum(octet_length(held::text)) OVER (ORDER BY requested_at DESC, id DESC) - octet_length(held::text) AS before
         FROM (SELECT * FROM (SELECT ${COLUMNS} FROM approval.approval
             WHERE ($2 = '' OR resource = $2) AND ($3::timestamptz IS NULL OR (requested_at, id) < ($3, $4))) t
           WHERE $5::text IS NULL OR status = $5 ORDER BY requested_at DESC, id DESC LIMIT $6) page) sized
       WHERE before < $7 ORDER BY requested_at DESC, id DESC`,
      [new Date(now), filter.resource, after?.at ?? null, after?.id ?? "", filter.status, rowsFor(page), PAGE_BYTES],
    );
    const cursorOf = ({ id, held }: ApprovalView) => cursorAt({ at: new Date(held.requestedAt), id });
    const items = rows.map(viewOf);
    const last = items.at(-1);
    return last && Number(rows[0]?.found) > items.length
      ? { items, next: cursorOf(last) }
      : paged(items, page, cursorOf);
  }

  /** Those whose time is over and which are not marked so, the longest first. */
  async overdue(now: number, limit: number): Promise<readonly string[]> {
    const rows: { id: string }[] = await this.dataSource.query(
      `SELECT id FROM approval.approval WHERE status IN ('pending', 'approved') AND expires_at <= $1
       ORDER BY expires_at LIMIT $2`,
      [new Date(now), limit],
    );
    return rows.map(({ id }) => id);
  }
}

interface ApprovalRow {
  readonly id: string;
  readonly version: string;
  readonly status: ApprovalStatus;
  readonly held: HeldCommand;
  readonly votes: readonly Vote[];
  readonly replaced_by: string;
  readonly because: string;
}

const viewOf = ({ id, version, status, held, votes, replaced_by, because }: ApprovalRow): ApprovalView => ({
  ...{ id, version: Number(version), status, held, votes, replacedBy: replaced_by, because },
});
