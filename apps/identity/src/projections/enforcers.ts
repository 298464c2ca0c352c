import type { DataSource, EntityManager } from "typeorm";
import { type RecordedEvent, Refused } from "#event-store";
import { isUniqueViolation, type Page, type Paged, paged, rowsFor } from "#event-store-postgres";
import { type EnforcerEvent, enforcerOf, type Listener, type Registration } from "../domain/enforcer.js";

export interface StoredEnforcer {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly listeners: readonly Listener[];
  /** Public key of its user on the bus. */
  readonly busKey: string;
  readonly softwareVersion: string;
  readonly seenAt: Date | null;
  readonly removed: boolean;
  readonly version: number;
}

const COLUMNS = `id, name, group_name, listeners, bus_key, software_version, removed, version,
  greatest(seen_at, (SELECT p.seen_at FROM identity.presence p WHERE p.bus_key = enforcer.bus_key)) AS seen_at`;

/** Every enforcer there has been. */
export class Enforcers {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws Refused not_found */
  async get(id: string): Promise<StoredEnforcer> {
    const [row] = await this.dataSource.query(`SELECT ${COLUMNS} FROM identity.enforcer WHERE id = $1`, [id]);
    if (!row) throw new Refused("not_found", `there is no enforcer ${id}`);
    return stored(row);
  }

  /** By id, without those removed; of one group, or of all where it is empty. */
  async list(page: Page, group: string): Promise<Paged<StoredEnforcer>> {
    const rows: Row[] = await this.dataSource.query(
      `SELECT ${COLUMNS} FROM identity.enforcer
       WHERE id > $1 AND NOT removed AND ($2 = '' OR group_name = $2) ORDER BY id LIMIT $3`,
      [page.cursor, group, rowsFor(page)],
    );
    return paged(rows.map(stored), page, ({ id }) => id);
  }

  /** Their users on the bus. */
  async removedBusKeys(): Promise<readonly string[]> {
    const rows: { bus_key: string }[] = await this.dataSource.query(
      "SELECT bus_key FROM identity.enforcer WHERE removed ORDER BY id",
    );
    return rows.map((row) => row.bus_key);
  }

  /** Notes that the bus had these users connected. No fact of the log: a rebuild leaves it as it is. */
  async see(busKeys: readonly string[], at: Date): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO identity.presence (bus_key, seen_at)
       SELECT bus_key, $2 FROM identity.enforcer WHERE bus_key = ANY($1) AND NOT removed
       ON CONFLICT (bus_key) DO UPDATE SET seen_at = greatest(presence.seen_at, excluded.seen_at)`,
      [busKeys, at],
    );
  }

  /** @throws Refused `exists` where another has the name */
  async project(tx: EntityManager, recorded: RecordedEvent<EnforcerEvent>): Promise<void> {
    const { event, recordedAt, streamPosition } = recorded;
    const id = enforcerOf(recorded.streamId);
    switch (event.type) {
      case "EnforcerRegistered":
        return this.register(tx, id, event.data, streamPosition);
      case "EnforcerEnrolled":
        await tx.query("UPDATE identity.enforcer SET software_version = $2, seen_at = $3, version = $4 WHERE id = $1", [
          id,
          event.data.softwareVersion,
          recordedAt,
          streamPosition,
        ]);
        return;
      case "EnforcerRemoved":
        await tx.query("UPDATE identity.enforcer SET removed = true, version = $2 WHERE id = $1", [id, streamPosition]);
    }
  }

  private async register(tx: EntityManager, id: string, given: Registration, version: number): Promise<void> {
    const { name, group, listeners, busKey } = given;
    try {
      await tx.query(
        `INSERT INTO identity.enforcer (id, name, group_name, listeners, bus_key, software_version, removed, version)
         VALUES ($1, $2, $3, $4, $5, '', false, $6)`,
        [id, name, group, JSON.stringify(listeners), busKey, version],
      );
    } catch (error) {
      if (!isUniqueViolation(error, "enforcer_name")) throw error;
      const message = `there is an enforcer named ${name} already; remove it, or use another name`;
      throw new Refused("exists", message, { field: "name" });
    }
  }
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly group_name: string;
  readonly listeners: Listener[];
  readonly bus_key: string;
  readonly software_version: string;
  readonly seen_at: Date | null;
  readonly removed: boolean;
  readonly version: string;
}
const stored = (row: Row): StoredEnforcer => ({
  id: row.id,
  name: row.name,
  group: row.group_name,
  listeners: row.listeners,
  busKey: row.bus_key,
  softwareVersion: row.software_version,
  seenAt: row.seen_at,
  removed: row.removed,
  version: Number(row.version),
});
