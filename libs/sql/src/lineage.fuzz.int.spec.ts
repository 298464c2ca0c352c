import fc from "fast-check";
import pg from "pg";
import { target } from "../../../test/fuzz/target.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { MARK, MARKED_SHOP_SQL } from "./bypasses/marked-shop.fixture.js";
import { serverContext } from "./catalog.fixture.js";
import type { SqlContext } from "./catalog.js";
import { MARKED_COLUMNS, queries } from "./statement.fixture.js";
import { createUnderstander, type Understander } from "./understander.js";

let database: FreshDatabase;
let client: pg.Client;
let context: SqlContext;
let sql: Understander;
beforeAll(async () => {
  database = await freshDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(MARKED_SHOP_SQL);
  await client.query("set statement_timeout = '1s'");
  context = await serverContext(client);
  sql = createUnderstander();
});
afterAll(async () => {
  await sql?.close();
  await client?.end();
  await database?.drop();
});

/** What the server says of a statement, which leaves nothing behind; null where it refuses it. */
async function answered(text: string): Promise<pg.QueryArrayResult | null> {
  await client.query("begin");
  try {
    return await client.query({ text, rowMode: "array" });
  } catch {
    return null;
  } finally {
    await client.query("rollback");
  }
}

target(
  "lineage",
  "what the server takes is understood as the server sees it, and what shows a mark is traced to a marked column",
  300,
  fc.asyncProperty(queries, async (text) => {
    const answer = await answered(text);
    const { statements: understood, problems } = await sql.understand(text, context);
    if (!answer) return;
    expect(problems).toEqual([]);
    const outputs = understood[0]?.outputs ?? [];
    expect(outputs.map(({ name }) => name)).toEqual(answer.fields.map(({ name }) => name));
    for (const [i, { tableID, columnID, name }] of answer.fields.entries()) {
      const { sources, leaks } = outputs[i]!;
      const column = context.catalog.relationByOid(tableID)?.columns.find(({ attnum }) => attnum === columnID);
      if (column) expect({ name, traced: sources.includes(column.ref) }).toEqual({ name, traced: true });
      const texts = answer.rows.map((row) => JSON.stringify(row[i] ?? null).toLowerCase());
      const traced = leaks || sources.some((source) => MARKED_COLUMNS.has(source.column));
      if (texts.some((shown) => shown.includes(MARK))) expect({ name, traced }).toEqual({ name, traced: true });
    }
  }),
);
