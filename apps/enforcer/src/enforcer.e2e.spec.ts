import pg from "pg";
import { approvalV1 } from "#contracts";
import { EnforcedShop, failure } from "./enforced-shop.fixture.js";
import { POLICIES } from "./shop.fixture.js";

const { ApprovalStatus } = approvalV1;

let shop: EnforcedShop;
beforeAll(async () => {
  shop = await EnforcedShop.start();
});
afterEach(() => shop.settled());
afterAll(() => shop?.drop());

const bulk = async (client: pg.Client, sql: string) =>
  new Promise<string>((resolve, reject) => {
    let text = "";
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
    const take = ({ chunk }: { chunk: Buffer }) => (text += chunk.toString("utf8"));
    connection.on("copyData", take);
    client.query(sql).then(() => resolve(text), reject);
  });

describe("allowed", () => {
  test("reads and writes, with everything in the records", async () => {
    const client = await shop.connect({ application_name: "the test" });
    expect((await client.query("select count(*)::int as n from orders where total > $1", [150])).rows).toEqual([
      { n: 50 },
    ]);
    await client.query("insert into notes (body) values ($1), ($2)", ["a", null]);
    const { rowCount } = await client.query("update notes set body = 'b' where body = 'a'");
    expect(rowCount).toBe(1);
    await client.end();

    const [session] = await shop.control.recorded("sessionStarted");
    expect(session).toMatchObject({ resource: "shop", protocol: "postgres", tls: true, clientApplication: "the test" });
    expect(session!.principal).toMatchObject({ id: "ci|job-1", run: "run-7", onBehalfOf: ["dev@example.com"] });
    const started = await shop.control.recorded("commandStarted", 3);
    expect(started[1]!.command).toMatchObject({
      ordinal: 2n,
      statement: "insert into notes (body) values ($1), ($2)",
      actions: expect.arrayContaining(["sql:insert"]),
      tablesWritten: ["public.notes"],
      policyEpoch: BigInt(shop.control.epoch),
      policies: ["shop#2"],
    });
    expect(started[1]!.command!.parameters.map(({ value }) => value)).toEqual([
      { case: "text", value: "a" },
      { case: "null", value: true },
    ]);
    const ended = await shop.control.recorded("commandEnded", 3);
    expect(ended[0]).toMatchObject({ ordinal: 1n, rows: 1n, errorCode: "" });
    expect(ended[0]!.durationUs).toBeGreaterThan(0n);
    expect(ended[2]!.tag).toBe("UPDATE 1");
    expect((await shop.control.recorded("sessionEnded"))[0]).toMatchObject({ cause: "client", commands: 3n });
    // Before its outcome stands its intent.
    const kinds = shop.control.records.map(({ fact }) => fact.case);
    expect(kinds.indexOf("commandStarted")).toBeLessThan(kinds.indexOf("commandEnded"));
  });

  test("psql, with \\d and several statements", async () => {
    const { ended } = shop.psql([
      "-c",
      "\\d orders",
      "-c",
      "begin; select 1; commit",
      "-c",
      "select count(*) from big",
    ]);
    const { code, out, err } = await ended;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("customer_id");
    expect(out).toContain("20000");
  });

  test("the server's own errors", async () => {
    const client = await shop.connect();
    expect(await failure(client.query("select 1/0"))).toMatchObject({ code: "22012", message: "division by zero" });
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    const [, ended] = await shop.control.recorded("commandEnded", 2);
    expect(ended!.errorCode).toBe("");
  });

  test("COPY in, and large results whole", async () => {
    const { child, ended } = shop.psql(["-c", "copy notes (id, body) from stdin"]);
    child.stdin.end("9001\tfrom copy\n9002\tagain\n\\.\n");
    expect((await ended).code).toBe(0);
    expect((await shop.direct("select body from notes where id = 9002")).rows).toEqual([{ body: "again" }]);
    const client = await shop.connect();
    const { rows } = await client.query("select * from big");
    expect(rows).toHaveLength(20_000);
    expect(rows.every(({ filler }) => filler.length === 1000)).toBe(true);
  });
});

describe("masked", () => {
  const seen = (text: string) => /user\d+@example\.com/.test(text);

  test.each([
    ["as it is", "select email from customers where id = 1"],
    ["under another name", "select email as total from customers where id = 1"],
    ["in an expression", "select upper(email), email || '', substr(email, 1, 99) from customers where id = 1"],
    ["from a subquery", "select x from (select email as x from customers) y limit 1"],
    ["by a common table expression", "with c(a) as (select email from customers) select a from c limit 1"],
    ["as a whole row", "select c from customers c where id = 1"],
    ["as JSON", "select row_to_json(c), json_agg(email) over () from customers c where id = 1"],
    ["in an aggregate", "select string_agg(email, ',') from customers"],
    ["by set operation", "select name from customers where false union all select email from customers limit 3"],
    ["by RETURNING", "update customers set phone = phone where id = 1 returning email"],
    ["prepared by SQL", "prepare p as select email from customers where id = 1; execute p; deallocate p"],
    ["by a cursor", "begin; declare k cursor for select email from customers; fetch 2 from k; commit"],
  ])("%s", async (_name, sql) => {
    const client = await shop.connect();
    const direct = JSON.stringify((await shop.direct(sql)) as unknown);
    expect(seen(direct.toLowerCase())).toBe(true);
    const answer = JSON.stringify(await client.query(sql));
    expect(seen(answer.toLowerCase())).toBe(false);
    expect(answer).toMatch(/redacted|null/);
  });

  test("by a cursor that a function opened", async () => {
    await shop.direct(`create function opened() returns refcursor language plpgsql as $$
      declare c refcursor := 'c'; begin open c for select email from customers; return c; end $$`);
    const client = await shop.connect();
    const [, , fetched] = (await client.query(
      "begin; select opened(); fetch 2 from c; commit",
    )) as never as pg.QueryResult[];
    expect(fetched!.rows).toEqual([{ email: "[redacted]" }, { email: "[redacted]" }]);
    // Whether there is one is for the server to say.
    expect(await failure(client.query("fetch 2 from nowhere"))).toMatchObject({ code: "34000" });
  });

  test("in binary, prepared twice", async () => {
    const client = await shop.connect();
    for (let round = 0; round < 2; round++) {
      const query = { name: "again", text: "select id, email from customers where id = $1", values: [7], binary: true };
      const { rows } = await client.query(query as pg.QueryConfig);
      expect(rows[0].id).toBe(7);
      expect(String(rows[0].email)).toBe("[redacted]");
    }
    const ended = await shop.control.recorded("commandEnded", 2);
    expect(ended.map(({ valuesMasked }) => valuesMasked)).toEqual([1n, 1n]);
    const [started] = await shop.control.recorded("commandStarted");
    expect(started!.labelsMasked).toEqual(["pii.email"]);
  });

  test("through COPY, in each format", async () => {
    const client = await shop.connect();
    for (const format of ["text", "csv", "binary"]) {
      const sql = `copy customers (id, email) to stdout with (format ${format})`;
      const text = await bulk(client, sql);
      expect(text.length).toBeGreaterThan(100);
      expect(seen(text)).toBe(false);
    }
  });

  test("in error texts", async () => {
    const client = await shop.connect();
    const sql = "insert into customers values (99, 'n', 'user1@example.com', null)";
    expect((await failure(shop.direct(sql))).detail).toContain("user1@example.com");
    const error = await failure(client.query(sql));
    expect(error).toMatchObject({ code: "23505", constraint: "customers_email_key" });
    expect(seen(JSON.stringify(error))).toBe(false);
  });

  test("not for whom a policy lets see it", async () => {
    const before = shop.control.policies;
    const client = await shop.connect();
    const reveal = {
      name: "see",
      text: 'permit (principal, action == Action::"reveal", resource == Label::"pii.email");',
    };
    try {
      shop.control.change({ policies: [...POLICIES, reveal] });
      let email = "";
      // In force within a second; nothing here depends on how fast it was.
      while (email !== "user1@example.com") {
        email = (await client.query("select email from customers where id = 1")).rows[0].email;
      }
    } finally {
      shop.control.change({ policies: before });
    }
  });

  test("in notifications, from the resource's first label on", async () => {
    const before = shop.control.labels;
    const [listener, other] = [await shop.connect(), await shop.connect()];
    const heard: (string | undefined)[] = [];
    listener.on("notification", ({ payload }) => heard.push(payload));
    try {
      shop.control.change({ labels: [] });
      const shown = async () => (await other.query("select email from customers where id = 1")).rows[0].email;
      while (!seen(await shown()));
      const late = await shop.connect();
      late.on("notification", ({ payload }) => heard.push(payload));
      for (const each of [listener, late]) await each.query("listen news");
      const said = async () => {
        await other.query("notify news, 'user1@example.com'");
        for (const each of [listener, late]) await each.query("select 1");
        return heard.splice(0);
      };
      expect(await said()).toEqual(["user1@example.com", "user1@example.com"]);
      shop.control.change({ labels: before });
      while (seen(await shown()));
      expect(await said()).toEqual(["", ""]);
    } finally {
      shop.control.change({ labels: before });
    }
  });

  test("in a new column of a table, once it has a label", async () => {
    await shop.direct("alter table orders add column if not exists secret text default 'user77@example.com'");
    const client = await shop.connect();
    const before = shop.control.labels;
    const column = { resource: "shop", schema: "public", table: "orders", column: "secret" };
    const label = { name: "pii.secret", columns: [column], transform: { kind: "redact" as const, options: {} } };
    try {
      shop.control.change({ labels: [...before, label] });
      let secret = "user77@example.com";
      while (seen(secret)) secret = (await client.query("select secret from orders where id = 1")).rows[0].secret;
      expect(secret).toBe("[redacted]");
    } finally {
      shop.control.change({ labels: before });
    }
  });
});

describe("denied", () => {
  test("in the server's own words, where it would fail there too", async () => {
    const client = await shop.connect();
    const misspelt = await failure(client.query("selec 1"));
    expect(misspelt).toMatchObject({ code: "42601", message: 'syntax error at or near "selec"', position: "1" });
    const nothing = await failure(client.query("execute nothing"));
    expect(nothing).toMatchObject({ code: "26000", message: 'prepared statement "nothing" does not exist' });
    const refused = await shop.control.recorded("commandRefused", 2);
    expect(refused.map(({ code }) => code)).toEqual(["not_understood", "not_understood"]);
  });

  test("natively, naming the policy and what to do; the session goes on", async () => {
    const client = await shop.connect();
    const error = await failure(client.query("delete from orders"));
    expect(error).toMatchObject({ severity: "ERROR", code: "42501" });
    expect(error.message).toContain("guard#1");
    expect(error.message).toContain("Say which rows.");
    expect(error.hint).toMatch(/./);
    expect((await client.query("select count(*)::int as n from orders")).rows[0].n).toBe(200);
    const [refused] = await shop.control.recorded("commandRefused");
    expect(refused).toMatchObject({
      code: "denied",
      command: { statement: "delete from orders", policies: ["guard#1"] },
    });
  });

  test.each([
    ["extended", (client: pg.Client) => client.query("delete from orders where $1", [true])],
    ["behind another statement", (client: pg.Client) => client.query("select 1; drop table notes")],
    ["prepared by SQL", (client: pg.Client) => client.query("prepare d as delete from orders; execute d")],
    ["not understood", (client: pg.Client) => client.query("copy notes to stdout (encoding 'latin1')")],
    ["a program", (client: pg.Client) => client.query("copy notes to program 'cat'")],
  ])("%s", async (_name, run) => {
    const client = await shop.connect();
    const error = await failure(run(client));
    expect(error.code).toBe("42501");
    expect((await client.query("select count(*)::int as n from orders")).rows[0].n).toBe(200);
    expect((await client.query("select to_regclass('notes') is not null as there")).rows[0].there).toBe(true);
  });

  test("inside a transaction, which is then aborted as the server would", async () => {
    const client = await shop.connect();
    await client.query("begin");
    await client.query("insert into notes (body) values ('in a transaction')");
    expect((await failure(client.query("delete from orders"))).code).toBe("42501");
    expect((await failure(client.query("select 1"))).code).toBe("25P02");
    await client.query("rollback");
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    expect((await shop.direct("select 1 from notes where body = 'in a transaction'")).rows).toEqual([]);
  });

  test("the token's resource is the only one; its database may be left out or named either way", async () => {
    const { database } = shop.control.resource.upstream;
    for (const name of [database, "shop"]) await (await shop.connect({ database: name })).end();
    const token = shop.control.token();
    await (await shop.connect({ database: `foil_${token.id}` }, token)).end();
    expect(await failure(shop.connect({ database: "postgres" }))).toMatchObject({ code: "42501" });
    const [refused] = await shop.control.recorded("loginRefused");
    expect(refused!.message).toContain("not for a database postgres");
    expect(refused!.tokenFault).toBe("");
  });

  test("a search_path is followed, also back", async () => {
    await shop.direct("create schema if not exists side; create table if not exists side.customers (email text)");
    await shop.direct("insert into side.customers values ('plain@side')");
    const client = await shop.connect();
    const mail = async () => (await client.query("select email from customers limit 1")).rows[0].email;
    expect(await mail()).toBe("[redacted]");
    await client.query("set search_path = side");
    // The schema was made past the enforcer: until the catalog is read again, what it does not know is hidden.
    for (let shown = await mail(); shown !== "plain@side"; shown = await mail()) expect(shown).toBe("[redacted]");
    await client.query("begin; set local search_path = public");
    expect(await mail()).toBe("[redacted]");
    await client.query("commit");
    expect(await mail()).toBe("plain@side");
    await client.query("begin; set search_path = public; rollback");
    expect(await mail()).toBe("plain@side");
    await client.query("set search_path = side");
    const within = await client.query(
      "set search_path = public; select upper(email) as e from customers order by id limit 1",
    );
    expect(JSON.stringify(within)).not.toContain("USER1@");
    await client.query("reset search_path");
    expect(await mail()).toBe("[redacted]");
    const started = await shop.connect({ options: "-c search_path=side" });
    expect((await started.query("select email from customers limit 1")).rows[0].email).toBe("plain@side");
  });
});

describe("the catalog", () => {
  test("knows what the session itself has just made", async () => {
    const client = await shop.connect();
    const making = client.query("create table fresh (id int, email text)");
    shop.control.decide(await shop.control.pending(), ApprovalStatus.APPROVED);
    await making;
    await client.query("insert into fresh values (1, 'plain@fresh')");
    expect((await client.query("select * from fresh")).rows).toEqual([{ id: 1, email: "plain@fresh" }]);
  });

  test("learns of what others made when it is asked for", async () => {
    const client = await shop.connect();
    await client.query("select 1");
    await shop.direct("create table elsewhere (id int, what text); insert into elsewhere values (1, 'x')");
    const read = async () => (await client.query("select what from elsewhere")).rows[0].what;
    let what = await read();
    while (what !== "x") what = await read();
  });
});
