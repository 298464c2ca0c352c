import type { DataSource, EntityManager } from "typeorm";
import { type RecordedEvent, Refused } from "#event-store";
import { type Page, type Paged, paged, rowsFor } from "#event-store-postgres";
import { type AdminKeyEvent, adminKeyOf } from "../domain/admin-key.js";

export interface StoredAdminKey {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  /** Hex. */
  readonly secretHash: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
  readonly version: number;
}

const COLUMNS = "id, name, roles, secret_hash, created_at, revoked_at, version";

/** The administrators' keys, with the hashes of their secrets. */
export class AdminKeys {
  constructor(private readonly dataSource: DataSource) {}

  async find(id: string): Promise<StoredAdminKey | null> {
    const [row] = await this.dataSource.query(`SELECT ${COLUMNS} FROM identity.admin_key WHERE id = $1`, [id]);
    return row ? stored(row) : null;
  }

  /** Whether there has been any key, ever. */
  async any(): Promise<boolean> {
    const [row] = await this.dataSource.query("SELECT 1 FROM identity.admin_key LIMIT 1");
    return row !== undefined;
  }

  /** By id. */
  async list(page: Page): Promise<Paged<StoredAdminKey>> {
    const rows: Row[] = await this.dataSource.query(
      `SELECT ${COLUMNS} FROM identity.admin_key WHERE id > $1 ORDER BY id LIMIT $2`,
      [page.cursor, rowsFor(page)],
    );
    return paged(rows.map(stored), page, ({ id }) => id);
  }

  /**
   * Of the keys that may administer one has to stay: nothing else makes another. They are locked to the end of the
   * transaction, so that of two revocations at once the later one sees what the first has left.
   *
   * @throws Refused `conflict` where `id` is the last
   */
  async keepAnAdmin(tx: EntityManager, id: string): Promise<void> {
    const admins: { readonly id: string }[] = await tx.query(
      "SELECT id FROM identity.admin_key WHERE revoked_at IS NULL AND 'admin' = ANY (roles) ORDER BY id FOR UPDATE",
    );
    if (admins.length !== 1 || admins[0]?.id !== id) return;
    throw new Refused("conflict", "this is the last key with the role admin: make another before you revoke it", {
      id,
    });
  }

  async project(tx: EntityManager, recorded: RecordedEvent<AdminKeyEvent>): Promise<void> {
    const { event, recordedAt, streamPosition } = recorded;
    const id = adminKeyOf(recorded.streamId);
    if (event.type === "AdminKeyRevoked") {
      await tx.query("UPDATE identity.admin_key SET revoked_at = $2, version = $3 WHERE id = $1", [
        id,
        recordedAt,
        streamPosition,
      ]);
      return;
    }
    const { name, roles, secretHash } = event.data;
    await tx.query(
      `INSERT INTO identity.admin_key (id, name, roles, secret_hash, created_at, version)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [id, name, roles, secretHash, recordedAt, streamPosition],
    );
  }
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly roles: string[];
  readonly secret_hash: string;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly version: string;
}
const stored = (row: Row): StoredAdminKey => ({
  id: row.id,
  name: row.name,
  roles: row.roles,
  secretHash: row.secret_hash,
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
  version: Number(row.version),
});
