import { randomUUID } from "node:crypto";
import { get } from "node:http";
import pg from "pg";

export interface FreshDatabase {
  /** Of a superuser. */
  readonly url: string;
  /** Ends what is still connected, too. */
  drop(): Promise<void>;
}

/** A new, empty database on the run's PostgreSQL; for `beforeAll`, its `drop` for `afterAll`. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const admin = new URL((await server("postgres")).url);
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await query(admin, `CREATE DATABASE ${name}`);
  const url = new URL(admin);
  url.pathname = name;
  return { url: url.href, drop: () => query(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function query(url: URL, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Starts the run's server of this kind if nobody has yet. */
function server(kind: "postgres"): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    // A connection of its own: a kept one may be closed just as it is used again.
    get(`${process.env.COUNTERFOIL_TEST_SERVERS}/${kind}`, { agent: false }, async (response) => {
      const text = (await response.toArray()).join("");
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`the tests' ${kind} did not start: ${text}`));
    }).on("error", reject);
  });
}
