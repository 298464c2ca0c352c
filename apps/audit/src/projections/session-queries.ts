import type { DataSource } from "typeorm";
import { Refused } from "#event-store";
import { type Page, type Paged, paged, rowsFor } from "#event-store-postgres";

export interface SessionRow {
  readonly id: string;
  readonly status: string;
  readonly principal: Readonly<Record<string, unknown>>;
  readonly resource: string;
  readonly protocol: string;
  readonly token_id: string;
  readonly enforcer_id: string;
  readonly client_address: string;
  readonly client_application: string;
  readonly started_at: Date;
  readonly ended_at: Date | null;
  readonly ended_because: string;
  readonly commands: string;
  readonly refused: string;
  readonly values_masked: string;
}

export interface CommandRow {
  readonly ordinal: string;
  readonly statement: string;
  readonly parameters: string[];
  readonly actions: string[];
  readonly tables_read: string[];
  readonly tables_written: string[];
  readonly verdict: string;
  readonly status: string;
  readonly policies: string[];
  readonly policy_epoch: string;
  readonly approval_id: string;
  readonly rows: string;
  readonly bytes: string;
  readonly values_masked: string;
  readonly duration_us: string;
  readonly error_code: string;
  readonly reason: string;
  readonly at: Date;
}

export interface SessionFilter {
  readonly status: string;
  readonly resource: string;
  readonly principalId: string;
}

const MOST_COMMANDS = 1_000;
/** Well below the bus's largest message. */
const COMMANDS_BYTES = 2 << 20;
const STATUSES = ["open", "ended", "lost"];

export class SessionQueries {
  constructor(private readonly dataSource: DataSource) {}

  /** The newest first. @throws Refused `invalid` for a cursor or status that is none */
  async list(filter: SessionFilter, page: Page): Promise<Paged<SessionRow>> {
    if (filter.status !== "" && !STATUSES.includes(filter.status)) {
      throw new Refused("invalid", `status must be one of ${STATUSES.join(", ")}, not ${filter.status}`);
    }
    const [startedAt, id] = page.cursor === "" ? [null, null] : readCursor(page.cursor);
    const rows: (SessionRow & { place: string })[] = await this.dataSource.query(
      `SELECT *, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS place FROM audit.session
       WHERE ($1 = '' OR status = $1) AND ($2 = '' OR resource = $2) AND ($3 = '' OR principal_id = $3)
         AND ($4::timestamptz IS NULL OR (started_at, id) < ($4, $5))
       ORDER BY started_at DESC, id DESC LIMIT $6`,
      [filter.status, filter.resource, filter.principalId, startedAt, id, rowsFor(page)],
    );
    return paged(rows, page, ({ place, id }) => writeCursor(place, id));
  }

  /** With its latest commands, oldest first. @throws Refused `not_found` */
  async get(id: string): Promise<{ readonly session: SessionRow; readonly commands: readonly CommandRow[] }> {
    const [session] = await this.dataSource.query("SELECT * FROM audit.session WHERE id = $1", [id]);
    if (!session) throw new Refused("not_found", `there is no session ${id}`);
    const commands: CommandRow[] = await this.dataSource.query(
      `SELECT * FROM (
         SELECT *, sum(octet_length(statement) + octet_length(parameters::text)) OVER (ORDER BY ordinal DESC) AS size
         FROM (SELECT * FROM audit.command WHERE session_id = $1 ORDER BY ordinal DESC LIMIT $2) latest) sized
       WHERE size <= $3 ORDER BY ordinal`,
      [id, MOST_COMMANDS, COMMANDS_BYTES],
    );
    return { session, commands };
  }
}

const writeCursor = (place: string, id: string) => Buffer.from(JSON.stringify([place, id])).toString("base64url");

function readCursor(cursor: string): [string, string] {
  try {
    const [place, id] = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (typeof id === "string" && /^\d{4,}-\d\d-\d\dT[\d:.]+Z$/.test(place)) return [place, id];
  } catch {
    // Falls through to the refusal.
  }
  throw new Refused("invalid", "the cursor is not one that a page before gave");
}
