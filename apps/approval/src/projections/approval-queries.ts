import { Injectable } from "@nestjs/common";
import { DataSource } from "typeorm";
import { Refused } from "#event-store";
import type { HeldCommand, Vote } from "../domain/events.js";
import type { ApprovalStatus } from "../domain/state.js";

/** An approval as it is at the time of asking. */
export interface ApprovalView {
  readonly id: string;
  readonly version: number;
  readonly status: ApprovalStatus;
  readonly held: HeldCommand;
  readonly votes: readonly Vote[];
}

const DEFAULT_PAGE = 100;
const MOST_A_PAGE = 1000;

/** $1 is now. */
const STATUS = "CASE WHEN status IN ('pending', 'approved') AND expires_at <= $1 THEN 'expired' ELSE status END";
const COLUMNS = `id, version, requested_at, held, votes, ${STATUS} AS status`;

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

  /** Newest first; `next` is the cursor of the page after, empty on the last. */
  async list(
    filter: { readonly status: ApprovalStatus | null; readonly resource: string },
    page: { readonly limit: number; readonly cursor: string },
    now: number,
  ): Promise<{ readonly approvals: readonly ApprovalView[]; readonly next: string }> {
    const limit = Math.min(page.limit || DEFAULT_PAGE, MOST_A_PAGE);
    const after = page.cursor === "" ? null : cursorOf(page.cursor);
    const rows: ApprovalRow[] = await this.dataSource.query(
      `SELECT * FROM (SELECT ${COLUMNS} FROM approval.approval
         WHERE ($2 = '' OR resource = $2) AND ($3::timestamptz IS NULL OR (requested_at, id) < ($3, $4))) t
       WHERE $5::text IS NULL OR status = $5 ORDER BY requested_at DESC, id DESC LIMIT $6`,
      [new Date(now), filter.resource, after?.requestedAt ?? null, after?.id ?? "", filter.status, limit + 1],
    );
    const approvals = rows.slice(0, limit).map(viewOf);
    const last = approvals.at(-1);
    return { approvals, next: rows.length > limit && last ? `${last.held.requestedAt}.${last.id}` : "" };
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
}

const viewOf = ({ id, version, status, held, votes }: ApprovalRow): ApprovalView => ({
  ...{ id, version: Number(version), status, held, votes },
});

function cursorOf(text: string): { requestedAt: Date; id: string } {
  const found = /^(\d{1,15})\.([0-9a-f-]{36})$/.exec(text);
  if (!found) throw new Refused("invalid", "the cursor is not one of ours: begin without", { field: "cursor" });
  return { requestedAt: new Date(Number(found[1])), id: found[2]! };
}
