import type { DataSource, MigrationInterface, QueryRunner } from "typeorm";

/** A migration, or the class of one. Its name is its identity: it never changes, and is unique over all services. */
export type Migration = MigrationInterface | (new () => MigrationInterface);

/** Services work as this role, which can't change what is append-only. */
export const SERVICE_ROLE = "counterfoil_service";

/**
 * Carries out what has not been carried out, in order, all or nothing. Processes that start at once take turns.
 *
 * @throws Error that names the migration, with its cause
 */
export async function migrate(dataSource: DataSource, migrations: readonly Migration[]): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query("SELECT pg_advisory_xact_lock(hashtext('counterfoil/migrate'))");
    await runner.query("CREATE SCHEMA IF NOT EXISTS es");
    await runner.query(
      "CREATE TABLE IF NOT EXISTS es.migration (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
    );
    const done = new Set(
      ((await runner.query("SELECT name FROM es.migration")) as { name: string }[]).map(({ name }) => name),
    );
    for (const migration of migrations.map((it) => (typeof it === "function" ? new it() : it))) {
      const name = migration.name ?? migration.constructor.name;
      if (done.has(name)) continue;
      try {
        await migration.up(runner);
      } catch (cause) {
        throw new Error(`migration ${name} failed: ${(cause as Error).message}`, { cause });
      }
      await runner.query("INSERT INTO es.migration (name) VALUES ($1)", [name]);
      done.add(name);
    }
    await runner.commitTransaction();
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    throw error;
  } finally {
    await runner.release();
  }
}

/**
 * Makes the service role, where the connected user may make roles, and gives it what services need: everything but change
 * of the append-only tables, of the migrations, and of the schema. Answers whether there is such a role to work as.
 */
export async function grantServiceRole(dataSource: DataSource): Promise<boolean> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query("SELECT pg_advisory_xact_lock(hashtext('counterfoil/migrate'))");
    if (!(await ensureRole(runner))) {
      await runner.rollbackTransaction();
      return false;
    }
    await runner.query(GRANTS);
    await runner.commitTransaction();
    return true;
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    throw error;
  } finally {
    await runner.release();
  }
}

async function ensureRole(runner: QueryRunner): Promise<boolean> {
  const [{ able, member }] = await runner.query(
    `SELECT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS able,
       coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = $1), false) AS member`,
    [SERVICE_ROLE],
  );
  if (member) return true;
  if (!able) return false;
  // Roles belong to the whole cluster, where another database's migration may be making it just now.
  await runner.query(`DO $$ BEGIN CREATE ROLE ${SERVICE_ROLE} NOLOGIN; GRANT ${SERVICE_ROLE} TO CURRENT_USER;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`);
  const [{ now }] = await runner.query("SELECT pg_has_role(current_user, $1, 'MEMBER') AS now", [SERVICE_ROLE]);
  return now;
}

const GRANTS = `
DO $$
DECLARE s name; t regclass;
BEGIN
  FOR s IN SELECT nspname FROM pg_namespace WHERE nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    AND nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${SERVICE_ROLE}', s);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO ${SERVICE_ROLE}', s);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO ${SERVICE_ROLE}', s);
  END LOOP;
  FOR t IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'append_only_rows'
  LOOP
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM ${SERVICE_ROLE}', t);
  END LOOP;
  REVOKE INSERT, UPDATE, DELETE ON es.migration FROM ${SERVICE_ROLE};
END $$`;
