import { readFile } from "node:fs/promises";
import pg from "pg";

/** The role whose password is the real credential of the demo: no agent ever sees it. */
const SHOP_ROLE = "shop_app";

/**
 * Makes the demo's database unless it is there: all of it or, after a crash halfway, all of it again.
 * @param adminUrl of a superuser of the server, naming its maintenance database.
 */
export async function prepareShop(options: {
  readonly adminUrl: string;
  readonly password: string;
  readonly schemaFile: string;
}): Promise<void> {
  await withClient(options.adminUrl, async (admin) => {
    const role = await admin.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [SHOP_ROLE]);
    const verb = role.rowCount === 0 ? "CREATE" : "ALTER";
    await admin.query(`${verb} ROLE ${SHOP_ROLE} LOGIN PASSWORD ${admin.escapeLiteral(options.password)}`);
    const database = await admin.query("SELECT 1 FROM pg_database WHERE datname = 'shop'");
    if (database.rowCount === 0) await admin.query(`CREATE DATABASE shop OWNER ${SHOP_ROLE}`);
    await admin.query("REVOKE CONNECT ON DATABASE shop FROM PUBLIC");
  });
  const url = new URL(options.adminUrl);
  url.pathname = "/shop";
  url.username = SHOP_ROLE;
  url.password = options.password;
  const schema = await readFile(options.schemaFile, "utf8");
  await withClient(url.href, async (shop) => {
    const made = await shop.query("SELECT to_regclass('public.customers') AS customers");
    if (made.rows[0]?.customers === null) {
      await shop.query("BEGIN");
      await shop.query(schema);
      await shop.query("COMMIT");
    }
  });
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
