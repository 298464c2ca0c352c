// The resource: a PostgreSQL with pgbench's tables, and a million rows to read, unlabelled and labelled.
import { join } from "node:path";
import { removePostgres, startPostgres } from "#embedded";
import { run } from "./clients.mjs";

export const RESOURCE = "bench";
const DATABASE = "bench";
const COLUMNS = Array.from({ length: 10 }, (_, index) => `c${index}`);
const ROWS = 1_000_000;

const TABLES = `
  create unlogged table wide as
    select ${COLUMNS.map((name, index) => `'value ' || n % ${1000 + index} || '@example.com' as ${name}`).join(", ")}
    from generate_series(1, ${ROWS}) n;
  create unlogged table wide_one as table wide;
  create unlogged table wide_ten as table wide;
  vacuum analyze`;

/** The table each holds, by how many of its ten columns are masked. */
export const WIDE = { 0: "wide", 1: "wide_one", 10: "wide_ten" };

export async function startDatabase(folder) {
  const settings = { max_connections: 1200, shared_buffers: "1GB", max_wal_size: "4GB", checkpoint_timeout: "30min" };
  const own = join(folder, "postgres");
  const server = await startPostgres({ folder: own, settings });
  await server.createDatabase(DATABASE);
  const { hostname: host, port, username: user, password } = new URL(server.url(DATABASE));
  const direct = { host, port: Number(port), user, password, database: DATABASE };
  await run(direct, "pgbench", ["-i", "-q", "-s", "20"]);
  for (const statement of TABLES.split(";")) await run(direct, "psql", ["-Xqc", statement]);
  const stop = async () => {
    await server.stop();
    // What is kept elsewhere too.
    removePostgres(own);
  };
  return { direct, stop };
}

/** What the enforcer is told of it: some labels, and policies that every command is decided by. */
export function bundleContent({ host, port, user, database }, passwordFile) {
  const label = (name, table, columns) => ({
    name,
    description: "",
    columns: columns.map((column) => ({ resource: RESOURCE, schema: "public", table, column })),
    transform: { kind: "partial", options: { keep_first: "1" } },
  });
  return {
    resources: [
      {
        name: RESOURCE,
        protocol: "postgres",
        upstream: { hosts: [{ host, port }], targetSessionAttrs: "any", database, tls: "disable", ca: "" },
        credential: { username: user, password: `file:${passwordFile}` },
        reads: "os",
      },
    ],
    labels: [
      label("pii.one", WIDE[1], COLUMNS.slice(0, 1)),
      label("pii.ten", WIDE[10], COLUMNS),
      label("pii.filler", "pgbench_accounts", ["filler"]),
    ],
    policies: [
      {
        name: "bench",
        text: `
          permit (principal in Group::"ci", action == Action::"connect", resource);
          permit (principal in Group::"ci", action in [Action::"sql:read", Action::"sql:write"], resource);
          @approval("dba") permit (principal in Group::"ci", action in Action::"sql:ddl", resource);
          forbid (principal, action in [Action::"sql:delete", Action::"sql:update"], resource) unless { context.bounded };`,
      },
    ],
  };
}
