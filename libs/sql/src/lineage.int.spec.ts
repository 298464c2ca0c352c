import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type PrivatePostgres, removePostgres, startPostgres } from "#embedded";
import { serverContext } from "./catalog.fixture.js";
import type { Catalog, SqlContext } from "./catalog.js";
import { CORPUS, CORPUS_17, CORPUS_18 } from "./corpus.fixture.js";
import { SHOP_SQL } from "./shop.fixture.js";
import { createUnderstander, type Understander } from "./understander.js";

/**
 * Lineage held against PostgreSQL's own RowDescription. COUNTERFOIL_TEST_POSTGRES_URL names a server to use instead of
 * a private one: a superuser's, in a database that may be filled.
 */
describe("lineage and PostgreSQL agree", () => {
  let server: PrivatePostgres | undefined;
  let folder: string;
  let client: pg.Client;
  let sql: Understander;
  let catalog: Catalog;
  let context: SqlContext;
  let version: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "counterfoil-sql-"));
    const given = process.env.COUNTERFOIL_TEST_POSTGRES_URL;
    if (!given) server = await startPostgres({ folder, durable: false });
    client = new pg.Client({ connectionString: given ?? server!.url("postgres") });
    await client.connect();
    await client.query(SHOP_SQL);
    context = await serverContext(client);
    ({ catalog } = context);
    version = Number((await client.query("show server_version_num")).rows[0].server_version_num);
    sql = createUnderstander();
  });
  afterAll(async () => {
    await sql?.close();
    await client?.end();
    await server?.stop();
    removePostgres(folder);
  });

  /** What the server says of the columns, without keeping what the statement does. */
  async function described(text: string): Promise<pg.FieldDef[]> {
    await client.query("begin");
    try {
      return (await client.query(text)).fields;
    } catch (error) {
      throw new Error(`the server refuses ${text}`, { cause: error });
    } finally {
      await client.query("rollback");
    }
  }

  const queries = () => [...CORPUS, ...(version >= 170_000 ? CORPUS_17 : []), ...(version >= 180_000 ? CORPUS_18 : [])];

  test("the corpus is large", () => expect(CORPUS.length).toBeGreaterThan(150));

  test("every column is there, in order, by name", async () => {
    const wrong: string[] = [];
    for (const text of queries()) {
      const fields = await described(text);
      const { statements, problems } = await sql.understand(text, context);
      const outputs = statements[0]?.outputs ?? [];
      const names = JSON.stringify(fields.map((field) => field.name));
      // SHOW calls a setting by its proper spelling.
      const own = JSON.stringify(outputs.map((output) => output.name));
      if (problems.length > 0 || own !== names) wrong.push(`${text}\n  server ${names}\n  ours   ${own} ${problems}`);
    }
    expect(wrong).toEqual([]);
  });

  test("a column that the server ascribes to a table has it among its sources", async () => {
    const wrong: string[] = [];
    let checked = 0;
    for (const text of queries()) {
      const fields = await described(text);
      const outputs = (await sql.understand(text, context)).statements[0]?.outputs ?? [];
      for (const [i, field] of fields.entries()) {
        if (field.tableID === 0 || field.columnID <= 0) continue;
        checked += 1;
        const relation = catalog.relationByOid(field.tableID);
        const column = relation?.columns.find((c) => c.attnum === field.columnID);
        const found = outputs[i]?.sources.some((source) => source === column?.ref);
        if (!found || !column) wrong.push(`${text}: ${field.name} is ${relation?.name}.${column?.name}`);
        const typed = !outputs[i]?.direct || outputs[i]?.typeOid === field.dataTypeID;
        if (!typed) wrong.push(`${text}: ${field.name} is of type ${field.dataTypeID}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(300);
  });

  test("a direct column is one the server ascribes to a table, or one of a subquery's", async () => {
    const wrong: string[] = [];
    for (const text of queries()) {
      const fields = await described(text);
      const outputs = (await sql.understand(text, context)).statements[0]?.outputs ?? [];
      for (const [i, output] of outputs.entries()) {
        if (output.direct && fields[i]?.tableID === 0) wrong.push(`${text}: ${output.name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("what a marked value can be read from is traced to its column", async () => {
    // Every stored value is unlike any other, so it is found wherever an output shows it.
    await client.query("begin");
    try {
      await client.query(
        "insert into customers select i, 'name-' || i, 'mark' || i || '@x', 'phone', 'card', 'city' from generate_series(1, 3) i",
      );
      await client.query("insert into orders values (1, 1, 2, 'note', 'new'), (2, 2, 3, 'note', 'new')");
      await client.query("refresh materialized view contact_list");
      const missed: string[] = [];
      for (const text of queries()) {
        await client.query("savepoint s");
        const { rows } = await client.query({ text, rowMode: "array" });
        await client.query("rollback to s");
        const outputs = (await sql.understand(text, context)).statements[0]?.outputs ?? [];
        for (const [i, output] of outputs.entries()) {
          const shown = rows.some((row: unknown[]) => /mark\d/.test(JSON.stringify(row[i] ?? null)));
          const traced =
            output.leaks || output.sources.some((source) => source.column === "email" || source.column === "*");
          if (shown && !traced) missed.push(`${text}: ${output.name}`);
        }
      }
      expect(missed).toEqual([]);
    } finally {
      await client.query("rollback");
    }
  });

  test("a catalog of the server knows views, families and functions", () => {
    expect(catalog.relation("public", "contacts")?.definition).toContain("public.customers");
    expect(catalog.relation("public", "events_2024")?.family.map((r) => r.name)).toEqual(["events"]);
    expect(catalog.functions("public", "touch")).toMatchObject([{ volatility: "volatile", userDefined: true }]);
    expect(catalog.functions("pg_catalog", "json_each")[0]?.columns).toEqual(["key", "value"]);
    expect(catalog.relation("public", "docs")?.columns.at(-1)).toMatchObject({ name: "twice", generatedFrom: [] });
  });
});
