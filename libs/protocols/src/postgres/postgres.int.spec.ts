import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import pg from "pg";
import { type MaskPlan, NOTHING_MASKED, type Refusal } from "#commands";
import { maskBy } from "../../../../test/masks.js";
import { type FreshDatabase, freshDatabase } from "../../../../test/servers/postgres.js";
import { Relay } from "./relay.fixture.js";

const DENIED: Refusal = { code: "denied", message: "policy prod forbids sql:delete", hint: "ask for it" };

/** Shows the length of what it hides; right for text columns in both formats. */
const MASK = maskBy((value) => Buffer.from(`<${value.length}>`), ["secret"]);

const maskColumn = (name: string, scrubTexts = false): MaskPlan => ({
  columns: (described) => described.map((column) => (column.name === name ? MASK : null)),
  bulk: null,
  scrubTexts,
});

describe("PostgreSQL through the machines", () => {
  let database: FreshDatabase;
  let relay: Relay;
  let through: pg.Client;
  let direct: pg.Client;
  let settings: pg.ClientConfig;

  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database?.drop());

  beforeEach(async () => {
    relay = new Relay(new URL(database.url));
    const port = await relay.listen();
    settings = { host: "127.0.0.1", port, user: "foil_abc", password: "secret", database: "x" };
    through = new pg.Client(settings);
    direct = new pg.Client(database.url);
    await Promise.all([through.connect(), direct.connect()]);
    await direct.query("DROP TABLE IF EXISTS person; CREATE TABLE person (id int PRIMARY KEY, email text, age int)");
    await direct.query("INSERT INTO person SELECT n, 'p' || n || '@x.org', n FROM generate_series(1, 5) n");
  });
  afterEach(async () => {
    await Promise.allSettled([through.end(), direct.end()]);
    await relay.close();
    expect(relay.errors).toEqual([]);
  });

  const errorOf = (run: Promise<unknown>) =>
    run.then(
      () => null,
      (error: pg.DatabaseError) => error,
    );

  test.each([
    ["simple", (c: pg.Client) => c.query("SELECT * FROM person ORDER BY id")],
    ["several", (c: pg.Client) => c.query("SELECT 1 AS a; SELECT 2 AS b; UPDATE person SET age = age WHERE id < 3")],
    ["empty", (c: pg.Client) => c.query("")],
    ["extended", (c: pg.Client) => c.query("SELECT email FROM person WHERE id = $1", [3])],
    [
      "binary",
      (c: pg.Client) =>
        c.query({ text: "SELECT id, age FROM person ORDER BY id", values: [], binary: true } as pg.QueryConfig),
    ],
    ["nothing back", (c: pg.Client) => c.query("CREATE TEMPORARY TABLE scratch (a int)")],
    ["null", (c: pg.Client) => c.query("SELECT $1::text AS a, $2::bytea AS b", [null, Buffer.from([0, 255])])],
    ["large value", (c: pg.Client) => c.query("SELECT repeat('x', 3000000) AS a")],
    ["many rows", (c: pg.Client) => c.query("SELECT n, md5(n::text) FROM generate_series(1, 20000) n")],
  ])("%s: the same as direct", async (_name, run) => {
    const shape = (result: pg.QueryResult | pg.QueryResult[]) =>
      [result].flat().map(({ command, rowCount, rows, fields }) => ({
        command,
        rowCount,
        rows,
        fields: fields.map(({ name, dataTypeID, tableID, columnID, format }) => [
          name,
          dataTypeID,
          tableID,
          columnID,
          format,
        ]),
      }));
    expect(shape(await run(through))).toEqual(shape(await run(direct)));
  });

  test("errors are the server's own", async () => {
    const [mine, theirs] = await Promise.all([errorOf(through.query("SELEC 1")), errorOf(direct.query("SELEC 1"))]);
    expect({ ...mine, length: 0 }).toEqual({ ...theirs, length: 0 });
    expect((await through.query("SELECT 1 AS a")).rows).toEqual([{ a: 1 }]);
  });

  test("a prepared statement runs again and again, one command each", async () => {
    for (const id of [1, 2, 3]) {
      const { rows } = await through.query({
        name: "by id",
        text: "SELECT email FROM person WHERE id = $1",
        values: [id],
      });
      expect(rows).toEqual([{ email: `p${id}@x.org` }]);
    }
    expect(relay.gates.map(({ stage, ordinal }) => `${stage} ${ordinal}`)).toEqual([
      "prepare 0",
      "run 1",
      "run 2",
      "run 3",
    ]);
    expect(relay.gates.at(-1)?.parameters).toEqual([{ kind: "text", value: "3" }]);
    expect(relay.outcomes.map(({ outcome }) => outcome.tag)).toEqual(["SELECT 1", "SELECT 1", "SELECT 1"]);
  });

  test("a refused simple query leaves the session as it was", async () => {
    relay.decide = (gate) => (/delete/i.test(gate.text) ? DENIED : NOTHING_MASKED);
    const error = await errorOf(through.query("DELETE FROM person"));
    expect(error).toMatchObject({ code: "42501", message: DENIED.message, hint: DENIED.hint, severity: "ERROR" });
    expect((await through.query("SELECT count(*)::int AS n FROM person")).rows).toEqual([{ n: 5 }]);
  });

  test("a refusal inside a transaction aborts it, as any error does", async () => {
    relay.decide = (gate) => (/delete/i.test(gate.text) ? DENIED : NOTHING_MASKED);
    await through.query("BEGIN");
    await through.query("UPDATE person SET age = 99 WHERE id = 1");
    expect(await errorOf(through.query("DELETE FROM person"))).toMatchObject({ code: "42501" });
    expect(await errorOf(through.query("SELECT 1"))).toMatchObject({ code: "25P02" });
    expect((await through.query("COMMIT")).command).toBe("ROLLBACK");
    expect((await direct.query("SELECT age FROM person WHERE id = 1")).rows).toEqual([{ age: 1 }]);
  });

  test("a refusal inside a transaction, extended protocol, at either gate", async () => {
    for (const stage of ["prepare", "run"]) {
      relay.decide = (gate) => (gate.stage === stage && /delete/i.test(gate.text) ? DENIED : NOTHING_MASKED);
      await through.query("BEGIN");
      await through.query("UPDATE person SET age = 99 WHERE id = $1", [1]);
      expect(await errorOf(through.query("DELETE FROM person WHERE id = $1", [1]))).toMatchObject({ code: "42501" });
      expect((await through.query("COMMIT")).command).toBe("ROLLBACK");
    }
    expect((await direct.query("SELECT count(*)::int AS n, min(age) AS age FROM person")).rows).toEqual([
      { n: 5, age: 1 },
    ]);
  });

  test("a masked column is masked in text and in binary, under Describe or without", async () => {
    relay.decide = () => maskColumn("email");
    const text = "SELECT id, email, age FROM person WHERE id = 2";
    expect((await through.query(text)).rows).toEqual([{ id: 2, email: "<8>", age: 2 }]);
    expect((await through.query({ text, values: [] })).rows).toEqual([{ id: 2, email: "<8>", age: 2 }]);
    const binary = { text, values: [], binary: true } as pg.QueryConfig;
    expect((await through.query(binary)).rows).toEqual([{ id: 2, email: "<8>", age: 2 }]);
    for (let time = 0; time < 3; time++) {
      expect((await through.query({ name: "again", text, values: [] })).rows).toEqual([
        { id: 2, email: "<8>", age: 2 },
      ]);
    }
    expect(relay.outcomes.at(-1)?.outcome).toMatchObject({ rows: 1, valuesMasked: 1, error: null });
  });

  test("each statement of a string has its own plan", async () => {
    const plans = [maskColumn("a"), maskColumn("b")];
    relay.decide = () => ({ ...NOTHING_MASKED, statement: (at) => plans[at] ?? maskColumn("") });
    const [first, second] = (await through.query(
      "SELECT 'x' AS a, 'x' AS b; SELECT 'x' AS a, 'x' AS b",
    )) as unknown as pg.QueryResult[];
    expect([first?.rows, second?.rows]).toEqual([[{ a: "<1>", b: "x" }], [{ a: "x", b: "<1>" }]]);
  });

  test("what an error could quote is withheld where the plan says so", async () => {
    relay.decide = () => maskColumn("email", true);
    await direct.query("CREATE UNIQUE INDEX ON person (email)");
    const duplicate = await errorOf(through.query("INSERT INTO person SELECT id + 10, email FROM person"));
    expect(duplicate).toMatchObject({ code: "23505", constraint: "person_email_idx", detail: undefined });
    const cast = await errorOf(through.query("SELECT email::int FROM person"));
    expect(cast).toMatchObject({ code: "22P02" });
    expect(JSON.stringify([duplicate?.message, cast?.message])).not.toContain("@x.org");
    expect(relay.outcomes.at(-1)?.outcome.error?.message).not.toContain("@x.org");
  });

  test("a held command waits and goes on; what is behind it waits too", async () => {
    let grant: (plan: MaskPlan) => void = () => undefined;
    relay.decide = (gate) => (/alter/i.test(gate.text) ? new Promise((resolve) => (grant = resolve)) : NOTHING_MASKED);
    const told = once(through, "notice");
    const altered = through.query("ALTER TABLE person ADD COLUMN extra int");
    await told;
    expect((await direct.query("SELECT * FROM person LIMIT 1")).fields).toHaveLength(3);
    grant(NOTHING_MASKED);
    await altered;
    expect((await direct.query("SELECT * FROM person LIMIT 1")).fields).toHaveLength(4);
  });

  test("a cancel request reaches the server's own process", async () => {
    const { processID, secretKey } = through as never as { processID: number; secretKey: number };
    const sleeping = errorOf(through.query("SELECT pg_sleep(30)"));
    for (;;) {
      const { rows } = await direct.query(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
      );
      if (rows.length > 0) break;
    }
    const request = Buffer.alloc(16);
    request.writeInt32BE(16, 0);
    request.writeInt32BE(80877102, 4);
    request.writeInt32BE(processID, 8);
    request.writeInt32BE(secretKey, 12);
    const socket = connect(settings.port as number, "127.0.0.1");
    socket.on("error", () => undefined).end(request);
    expect(await sleeping).toMatchObject({ code: "57014" });
    socket.destroy();
  });

  test.each([
    ["a wrong secret", { password: "wrong" }, "28P01"],
    ["an unknown token", { user: "foil_unknown" }, "28P01"],
    ["no token", { user: "postgres" }, "28000"],
    ["a setting that changes more than looks", { options: "-c session_replication_role=replica" }, "0A000"],
  ])("%s is refused", async (_name, changed, code) => {
    const client = new pg.Client({ ...settings, ...changed });
    expect(await errorOf(client.connect())).toMatchObject({ code });
    await client.end().catch(() => undefined);
  });

  test("settings that are harmless arrive", async () => {
    const client = new pg.Client({
      ...settings,
      application_name: "ci job",
      options: "-c search_path=pg_catalog -c lock_timeout=5s",
    });
    await client.connect();
    const { rows } = await client.query(
      "SELECT current_setting('application_name') a, current_setting('search_path') b, current_setting('lock_timeout') c",
    );
    expect(rows).toEqual([{ a: "ci job", b: "pg_catalog", c: "5s" }]);
    await client.end();
  });

  /** Standard output of psql, which is given this input. */
  const psql = (input: string, ...args: string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const { host, port, user, password } = settings;
      const environment = {
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password as string,
        PGDATABASE: "x",
      };
      const child = execFile(
        "psql",
        ["-XqAt", "-v", "ON_ERROR_STOP=1", ...args],
        { env: { PATH: process.env.PATH, ...environment } as never, encoding: "latin1" },
        (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)),
      );
      child.stdin?.end(input);
    });

  const bulk = (format: NonNullable<MaskPlan["bulkFormat"]>): MaskPlan => ({
    ...NOTHING_MASKED,
    bulk: [null, MASK, null].map((mask) => ({ mask, oid: 25 })),
    bulkFormat: format,
  });

  test("psql: \\d, COPY in and out, \\gexec, errors and what follows them", async () => {
    const script = [
      "\\d person",
      "COPY person FROM STDIN;",
      "7\tseven@x.org\t7",
      "\\.",
      "COPY person TO STDOUT (FORMAT csv, HEADER);",
      "SELECT format('SELECT %s', id) FROM person ORDER BY id \\gexec",
      "\\set ON_ERROR_STOP 0",
      "SELECT 1/0;",
      "SELECT 'still here';",
      "DELETE FROM person WHERE id = 7;",
    ].join("\n");
    const url = new URL(database.url);
    const seen = await psql(script);
    expect(seen).toContain("7,seven@x.org,7\n");
    expect(seen).toContain("still here");
    expect(seen).toBe(await psql(script, url.href));
  });

  test("psql: what COPY gives is masked in every format", async () => {
    relay.decide = (gate) =>
      /binary/.test(gate.text)
        ? bulk({ kind: "binary" })
        : /csv/.test(gate.text)
          ? bulk({ kind: "csv" })
          : bulk({ kind: "text" });
    const select =
      "SELECT id, CASE id WHEN 3 THEN NULL ELSE email || E',\\n\\t' END, age FROM person WHERE id IN (2, 3) ORDER BY id";
    expect(await psql(`COPY (${select}) TO STDOUT;`)).toBe("2\t<11>\t2\n3\t\\N\t3\n");
    expect(await psql(`COPY (${select}) TO STDOUT (FORMAT csv);`)).toBe("2,<11>,2\n3,,3\n");
    const binary = await psql(`COPY (${select}) TO STDOUT (FORMAT binary);`);
    expect(binary).toContain("\0\0\0\x04<11>");
    expect(binary).not.toContain("@x.org");
    expect(relay.outcomes.at(-1)?.outcome).toMatchObject({ rows: 2, valuesMasked: 1, tag: "COPY 2" });
  });

  test("psql: a portal fetched in parts through SQL cursors is masked", async () => {
    relay.decide = () => maskColumn("email");
    const seen = await psql("SELECT id, email FROM person ORDER BY id;", "-v", "FETCH_COUNT=2");
    expect(seen).toBe("1|<8>\n2|<8>\n3|<8>\n4|<8>\n5|<8>\n");
  });

  test("a deferred constraint is heard at the commit", async () => {
    await direct.query("ALTER TABLE person ADD CONSTRAINT late UNIQUE (age) DEFERRABLE INITIALLY DEFERRED");
    const error = await errorOf(through.query("INSERT INTO person VALUES ($1, $2, $3)", [9, "nine@x.org", 5]));
    expect(error).toMatchObject({ code: "23505" });
    expect((await through.query("SELECT 1 AS a")).rows).toEqual([{ a: 1 }]);
  });
});
