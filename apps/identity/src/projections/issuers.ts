import type { DataSource, EntityManager } from "typeorm";
import { type RecordedEvent, Refused } from "#event-store";
import { isUniqueViolation, type Page, type Paged, paged, rowsFor } from "#event-store-postgres";
import type { IssuerDefinition, IssuerEvent } from "../domain/issuer.js";

export interface StoredIssuer {
  readonly definition: IssuerDefinition;
  readonly version: number;
}

/** The issuers trusted now. */
export class Issuers {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws Refused not_found */
  async get(name: string): Promise<StoredIssuer> {
    const [row] = await this.dataSource.query("SELECT definition, version FROM identity.issuer WHERE name = $1", [
      name,
    ]);
    if (!row) throw new Refused("not_found", `there is no issuer ${name}`);
    return stored(row);
  }

  async byUrl(url: string): Promise<IssuerDefinition | null> {
    const [row] = await this.dataSource.query("SELECT definition FROM identity.issuer WHERE url = $1", [url]);
    return row?.definition ?? null;
  }

  /** By name. */
  async list(page: Page): Promise<Paged<StoredIssuer>> {
    const rows: Row[] = await this.dataSource.query(
      "SELECT definition, version FROM identity.issuer WHERE name > $1 ORDER BY name LIMIT $2",
      [page.cursor, rowsFor(page)],
    );
    return paged(rows.map(stored), page, ({ definition }) => definition.name);
  }

  /** @throws Refused `conflict` where another issuer has the URL */
  async project(tx: EntityManager, { event, streamPosition }: RecordedEvent<IssuerEvent>): Promise<void> {
    if (event.type === "IssuerDeleted") {
      await tx.query("DELETE FROM identity.issuer WHERE name = $1", [event.data.name]);
      return;
    }
    const { name, url } = event.data;
    try {
      await tx.query(
        `INSERT INTO identity.issuer (name, url, version, definition) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET url = $2, version = $3, definition = $4`,
        [name, url, streamPosition, JSON.stringify(event.data)],
      );
    } catch (error) {
      if (!isUniqueViolation(error, "issuer_url")) throw error;
      throw new Refused("conflict", `another issuer has the url ${url}`, { field: "url" });
    }
  }
}

interface Row {
  readonly definition: IssuerDefinition;
  readonly version: string;
}
const stored = ({ definition, version }: Row): StoredIssuer => ({ definition, version: Number(version) });
