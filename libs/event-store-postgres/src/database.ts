import { DataSource, type EntitySchema } from "typeorm";
import { grantServiceRole, type Migration, migrate, SERVICE_ROLE } from "./migrate.js";
import { eventStoreMigrations } from "./schema.js";

export interface DatabaseOptions {
  /** A libpq connection URI. */
  readonly databaseUrl: string;
  /** The service's own, after the event store's. */
  readonly migrations?: readonly Migration[];
  readonly entities?: readonly (Function | EntitySchema)[];
  readonly poolSize?: number;
  /** Shown in pg_stat_activity. */
  readonly name?: string;
}

/** Migrates, then opens the pool as the role that can't change what is append-only. */
export async function openDatabase(options: DatabaseOptions): Promise<DataSource> {
  const common = {
    type: "postgres",
    url: options.databaseUrl,
    applicationName: options.name ?? "counterfoil",
    synchronize: false,
  } as const;
  const owner = await new DataSource({ ...common, poolSize: 1 }).initialize();
  let limited: boolean;
  try {
    await migrate(owner, [...eventStoreMigrations, ...(options.migrations ?? [])]);
    limited = await grantServiceRole(owner);
  } finally {
    await owner.destroy();
  }
  return new DataSource({
    ...common,
    poolSize: options.poolSize ?? 10,
    entities: [...(options.entities ?? [])],
    ...(limited && { extra: { options: `-c role=${SERVICE_ROLE}` } }),
  }).initialize();
}
