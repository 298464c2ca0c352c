import type { DataSource, EntityManager } from "typeorm";
import { Refused } from "#event-store";
import { type Page, type Paged, paged, rowsFor } from "#event-store-postgres";
import type { LabelDefinition } from "../domain/label.js";
import type { PolicyDefinition } from "../domain/policy-document.js";
import type { ResourceDefinition } from "../domain/resource.js";

export interface Definitions {
  readonly resource: ResourceDefinition;
  readonly label: LabelDefinition;
  readonly policy: PolicyDefinition;
}
export type Kind = keyof Definitions;

export interface Stored<K extends Kind> {
  readonly definition: Definitions[K];
  readonly version: number;
}

/** Everything a bundle is made of, as of one epoch. */
export interface Snapshot {
  readonly epoch: number;
  readonly leaseSeconds: number;
  readonly resources: readonly ResourceDefinition[];
  readonly labels: readonly LabelDefinition[];
  readonly policies: readonly PolicyDefinition[];
}

/** What is declared now, and the epoch of each group's bundle. Changed only in the transaction of an append. */
export class Declarations {
  constructor(
    private readonly dataSource: DataSource,
    private readonly options: { readonly leaseSeconds: number; readonly bundleLimit: number },
  ) {}

  async find<K extends Kind>(kind: K, name: string): Promise<Stored<K> | null> {
    const [row] = await this.dataSource.query(
      "SELECT definition, version FROM policy.declared WHERE kind = $1 AND name = $2",
      [kind, name],
    );
    return row ? stored(row) : null;
  }

  /** @throws Refused not_found */
  async get<K extends Kind>(kind: K, name: string): Promise<Stored<K>> {
    const found = await this.find(kind, name);
    if (!found) throw new Refused("not_found", `there is no ${kind} ${name}`);
    return found;
  }

  /** By name. */
  async list<K extends Kind>(kind: K, page: Page): Promise<Paged<Stored<K>>> {
    const rows = await this.dataSource.query(
      "SELECT definition, version FROM policy.declared WHERE kind = $1 AND name > $2 ORDER BY name LIMIT $3",
      [kind, page.cursor, rowsFor(page)],
    );
    return paged(rows.map(stored) as Stored<K>[], page, ({ definition }) => definition.name);
  }

  /**
   * Puts a definition (null: deletes it) and raises the epoch of every group it concerns.
   * @returns those groups.
   * @throws Refused for a label on a resource there is not, and where a bundle would outgrow what the bus can carry.
   */
  async project<K extends Kind>(
    tx: EntityManager,
    kind: K,
    name: string,
    next: { readonly definition: Definitions[K]; readonly version: number } | null,
  ): Promise<readonly string[]> {
    // One writer at a time: an epoch then names one content, and a later epoch always has all of an earlier one.
    await serialize(tx);
    if (next && kind === "label") await checkResources(tx, next.definition as LabelDefinition);
    const [before] = await tx.query("SELECT group_name FROM policy.declared WHERE kind = $1 AND name = $2", [
      kind,
      name,
    ]);
    const group = next && kind === "resource" ? (next.definition as ResourceDefinition).group : null;
    if (next) {
      await put(tx, kind, next.definition, next.version, group);
    } else {
      await tx.query("DELETE FROM policy.declared WHERE kind = $1 AND name = $2", [kind, name]);
    }
    const concerned: readonly string[] | null =
      kind === "resource" ? [...new Set([before?.group_name, group].filter((g): g is string => !!g))] : null;
    for (const each of concerned ?? []) await this.#ensure(tx, each);
    const [raised] = await tx.query(
      `UPDATE policy.bundle_epoch SET epoch = epoch + 1 WHERE $1::text[] IS NULL OR group_name = ANY($1)
       RETURNING group_name`,
      [concerned],
    );
    const groups = raised.map(({ group_name }: { group_name: string }) => group_name);
    if (next) await this.#checkSize(tx, groups);
    return groups;
  }

  /** The content of a group's bundle; a group nobody has heard of has an empty one. */
  async snapshot(group: string): Promise<Snapshot> {
    for (;;) {
      // One statement is one snapshot, so content and epoch belong together.
      const [row] = await this.dataSource.query(
        `SELECT e.epoch, e.lease_seconds, ${["resource", "label", "policy"].map(gathered).join(", ")}
         FROM policy.bundle_epoch e WHERE e.group_name = $1`,
        [group],
      );
      if (row) {
        return {
          epoch: Number(row.epoch),
          leaseSeconds: row.lease_seconds,
          resources: row.resource,
          labels: row.label,
          policies: row.policy,
        };
      }
      await this.dataSource.transaction(async (tx) => {
        await serialize(tx);
        await this.#ensure(tx, group);
      });
    }
  }

  async epoch(group: string): Promise<number | null> {
    const [row] = await this.dataSource.query("SELECT epoch FROM policy.bundle_epoch WHERE group_name = $1", [group]);
    return row ? Number(row.epoch) : null;
  }

  async epochs(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.dataSource.query("SELECT group_name, epoch FROM policy.bundle_epoch");
    return new Map(
      rows.map(({ group_name, epoch }: { group_name: string; epoch: string }) => [group_name, Number(epoch)]),
    );
  }

  /** Another lease is another bundle. */
  async adoptLease(): Promise<void> {
    await this.dataSource.transaction(async (tx) => {
      await serialize(tx);
      await tx.query("UPDATE policy.bundle_epoch SET epoch = epoch + 1, lease_seconds = $1 WHERE lease_seconds <> $1", [
        this.options.leaseSeconds,
      ]);
    });
  }

  /** Every stream there has been of a kind. */
  async streamsOf(kind: Kind): Promise<readonly string[]> {
    const rows = await this.dataSource.query("SELECT stream_id FROM es.stream WHERE stream_type = $1", [kind]);
    return rows.map(({ stream_id }: { stream_id: string }) => stream_id);
  }

  /**
   * Makes the read model anew from the log: `definitionsOf` folds the streams of a kind. Epochs go on from where they
   * are, one further, since an enforcer refuses an older one.
   */
  async rebuild(definitionsOf: <K extends Kind>(kind: K) => Promise<readonly Stored<K>[]>): Promise<void> {
    await this.dataSource.transaction(async (tx) => {
      await serialize(tx);
      await tx.query("DELETE FROM policy.declared");
      for (const kind of ["resource", "label", "policy"] as const) {
        for (const { definition, version } of await definitionsOf(kind)) {
          const group = "group" in definition ? definition.group : null;
          await put(tx, kind, definition, version, group);
          if (group !== null) await this.#ensure(tx, group);
        }
      }
      await tx.query("UPDATE policy.bundle_epoch SET epoch = epoch + 1");
    });
  }

  async #ensure(tx: EntityManager, group: string): Promise<void> {
    await tx.query(
      "INSERT INTO policy.bundle_epoch (group_name, epoch, lease_seconds) VALUES ($1, 1, $2) ON CONFLICT DO NOTHING",
      [group, this.options.leaseSeconds],
    );
  }

  async #checkSize(tx: EntityManager, groups: readonly string[]): Promise<void> {
    const [{ largest }] = await tx.query(
      `SELECT coalesce(max(bytes), 0) AS largest FROM (
         SELECT sum(octet_length(d.definition::text)) AS bytes FROM unnest($1::text[]) AS g (name)
         JOIN policy.declared d ON d.group_name = g.name OR d.group_name IS NULL GROUP BY g.name) sizes`,
      [groups],
    );
    if (Number(largest) > this.options.bundleLimit) {
      throw new Refused(
        "invalid",
        `with this, an enforcer's bundle would have ${largest} bytes, over the limit of ${this.options.bundleLimit}: ` +
          "shorten policies or labels, or raise max_payload of the bus",
      );
    }
  }
}

/** A label on a resource nobody declared protects nothing: most likely the name is misspelt. */
async function checkResources(tx: EntityManager, { columns }: LabelDefinition): Promise<void> {
  const [missing] = await tx.query(
    `SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, at)
     WHERE NOT EXISTS (SELECT 1 FROM policy.declared d WHERE d.kind = 'resource' AND d.name = asked.name) ORDER BY at LIMIT 1`,
    [columns.map(({ resource }) => resource)],
  );
  if (!missing) return;
  const at = columns.findIndex(({ resource }) => resource === missing.name);
  throw new Refused("invalid", `columns[${at}].resource: there is no resource ${missing.name}; declare it first`, {
    field: `columns[${at}].resource`,
  });
}

const put = (tx: EntityManager, kind: Kind, definition: Definitions[Kind], version: number, group: string | null) =>
  tx.query(
    `INSERT INTO policy.declared (kind, name, version, definition, group_name) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (kind, name) DO UPDATE SET version = $3, definition = $4, group_name = $5`,
    [kind, definition.name, version, JSON.stringify(definition), group],
  );

const gathered = (kind: string) =>
  `(SELECT coalesce(json_agg(definition ORDER BY name), '[]') FROM policy.declared
    WHERE kind = '${kind}' AND (group_name = e.group_name OR group_name IS NULL)) AS ${kind}`;

const stored = <K extends Kind>(row: { definition: Definitions[K]; version: string }): Stored<K> => ({
  definition: row.definition,
  version: Number(row.version),
});

const serialize = (tx: EntityManager) => tx.query("SELECT pg_advisory_xact_lock(hashtext('counterfoil/policy'))");
