import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { approvalV1 } from "#contracts";
import { front, taken } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { EnforcedShop, failure, sessionError, streamOf } from "./enforced-shop.fixture.js";
import { Enforcer } from "./enforcer.js";

/** What clients do that they should not, and much of what they may do at once. */

const { ApprovalStatus } = approvalV1;

let shop: EnforcedShop;
beforeAll(async () => {
  shop = await EnforcedShop.start({ allowPlaintext: true });
});
afterEach(() => shop.settled());
afterAll(() => shop?.drop());

/** Everything the enforcer says until it closes. */
const untilClosed = async (socket: Socket) => {
  let text = "";
  for await (const chunk of socket) text += (chunk as Buffer).toString("latin1");
  return text;
};

describe("logins", () => {
  test("are refused with what they may be told, and recorded with what it was", async () => {
    const { control } = shop;
    const good = control.token();
    const [spent, revoked] = [control.token({ uses: 0 }), control.token({ refused: "revoked" })];
    const guess = (token: { id: string }) => ({ ...token, secret: "wrong" });
    const cases: [{ id: string; secret: string }, RegExp, fault: string][] = [
      [{ id: "0000000000000000", secret: "x" }, /password authentication failed/, "unknown"],
      // Who has not proved the secret learns neither that there is such a token nor what became of it.
      [guess(good), /password authentication failed/, "wrong_secret"],
      [guess(spent), /password authentication failed/, "wrong_secret"],
      [guess(revoked), /password authentication failed/, "wrong_secret"],
      [spent, /used up/, "spent"],
      [revoked, /revoked/, "revoked"],
      [control.token({ refused: "expired" }), /expired/, "expired"],
      [control.token({ refused: "window_closed" }), /window/, "window_closed"],
    ];
    const told: string[] = [];
    for (const [token, message] of cases) {
      const error = await failure(shop.connect({}, token));
      expect(error).toMatchObject({ code: "28P01", severity: "FATAL" });
      expect(error.message).toMatch(message);
      told.push(JSON.stringify({ ...error, message: error.message }));
    }
    expect(new Set(told.slice(0, 4)).size).toBe(1);
    const refused = await control.recorded("loginRefused", cases.length);
    expect(refused.map(({ tokenId }) => tokenId)).toEqual(cases.map(([{ id }]) => id));
    expect(refused.map(({ tokenFault }) => tokenFault)).toEqual(cases.map(([, , fault]) => fault));
    expect(JSON.stringify(refused, (_key, value) => String(value))).not.toContain(good.secret);
  });

  test("a token that is used once lets one of two in", async () => {
    const token = shop.control.token({ uses: 1 });
    const both = await Promise.allSettled([shop.connect({}, token), shop.connect({}, token)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("without TLS where that is not permitted", async () => {
    const strict = await Enforcer.start(await shop.world.config());
    try {
      const error = await failure(shop.connect({ ssl: false, port: strict.ports[0]! }));
      expect(error.message).toContain("TLS");
    } finally {
      await strict.drain();
    }
  });

  test("two hundred at once", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => shop.connect()));
    const more = await Promise.all(Array.from({ length: 60 }, () => shop.connect({ ssl: false })));
    const answers = await Promise.all([...all, ...more].map((client) => client.query("select 1 as one")));
    expect(answers.every(({ rows }) => rows[0].one === 1)).toBe(true);
  });

  test("silent and half-open clients delay nobody", async () => {
    await Promise.all(Array.from({ length: 50 }, () => shop.socket()));
    const half = await shop.socket();
    half.write(Buffer.from([0, 0, 0]));
    half.end();
    expect((await (await shop.connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test.each([
    ["an oversized start-up", Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0])],
    ["a negative length", Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0])],
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    [
      "bytes smuggled behind the request for TLS",
      Buffer.concat([Buffer.from("0000000804d2162f", "hex"), Buffer.from("evil")]),
    ],
    ["noise", Buffer.from(Array.from({ length: 4096 }, (_, n) => (n * 7919) & 0xff))],
  ])("%s", async (_name, bytes) => {
    const socket = await shop.socket();
    socket.write(bytes);
    await untilClosed(socket);
    expect((await (await shop.connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("a TLS handshake that fails", async () => {
    const error = await failure(shop.connect({ ssl: { ca: "" } }));
    expect(String(error)).toMatch(/certificate/);
    expect((await (await shop.connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });
});

describe("in a session", () => {
  test("a message of impossible length ends it natively", async () => {
    const client = await shop.connect({ ssl: false });
    const stream = streamOf(client);
    const said = sessionError(client);
    stream.write(Buffer.from([0x51, 0xff, 0xff, 0xff, 0xf0]));
    expect((await said).code).toBe("08P01");
    await shop.control.recorded("sessionEnded", 1, ({ cause }) => cause === "fault");
  });

  test("a client that does not read is not read for, and hurts nobody", async () => {
    const lazy = await shop.connect({ ssl: false });
    const stream = streamOf(lazy);
    const before = process.memoryUsage().rss;
    stream.pause();
    lazy.query("select filler from big a, (select 1 from generate_series(1, 20)) b").catch(() => {});
    const other = await shop.connect();
    for (let n = 0; n < 50; n++) await other.query("select count(*) from big");
    // 400 MB are on offer; what waits for it here is a window.
    expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
    stream.destroy();
    await shop.control.recorded("sessionEnded");
  });

  test("a flood of one client's commands lets others through in between", async () => {
    const flood = await shop.connect({ ssl: false });
    const stream = streamOf(flood);
    let answered = 0;
    stream.removeAllListeners("data");
    stream.on("data", (chunk: Buffer) => (answered += chunk.toString("latin1").split("ZI").length - 1));
    const many = 20_000;
    stream.write(Buffer.concat(Array.from({ length: many }, () => front.query("delete from orders"))));
    const other = await shop.connect();
    await other.query("select 1");
    expect(answered).toBeLessThan(many);
    stream.destroy();
    await shop.control.recorded("sessionEnded");
  });

  test("a client that goes away behind much that waits for a held command withdraws it", async () => {
    const client = await shop.connect({ ssl: false });
    const stream = streamOf(client);
    stream.write(front.query("alter table notes add column late int"));
    const id = await shop.control.pending();
    stream.write(Buffer.alloc(600 * 1024, front.query("select 1")));
    stream.destroy();
    await shop.control.until(() => shop.control.approvals.get(id)!.status === ApprovalStatus.WITHDRAWN);
  });

  test("there is an end to what may wait behind a held command", async () => {
    const client = await shop.connect({ ssl: false });
    const stream = streamOf(client);
    const said = sessionError(client);
    stream.write(front.query("alter table notes add column late int"));
    const id = await shop.control.pending();
    stream.write(Buffer.alloc(20 << 20, front.query("select 1")));
    expect(await said).toMatchObject({ code: "54000", message: expect.stringContaining("waits for a person") });
    await shop.control.until(() => shop.control.approvals.get(id)!.status === ApprovalStatus.WITHDRAWN);
  });

  test("a slow reader gets everything", async () => {
    const slow = await shop.connect({ ssl: false });
    const stream = streamOf(slow);
    const timer = setInterval(() => {
      stream.pause();
      setTimeout(() => stream.resume(), 2);
    }, 4);
    const { rows } = await slow.query("select id, filler from big where id <= 8000");
    clearInterval(timer);
    stream.resume();
    expect(rows).toHaveLength(8000);
  });

  test("a cancel request stops what runs, and only that", async () => {
    const client = await shop.connect();
    const other = await shop.connect();
    const running = failure(client.query("select pg_sleep(60)"));
    await shop.control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes("pg_sleep"));
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const request = Buffer.alloc(16);
    request.writeInt32BE(16, 0);
    request.writeInt32BE(80877102, 4);
    request.writeInt32BE(processID, 8);
    request.writeInt32BE(secretKey, 12);
    const guess = Buffer.from(request);
    guess.writeInt32BE(secretKey ^ 1, 12);
    for (const bytes of [guess, request]) {
      const socket = await shop.socket();
      socket.write(bytes);
      await untilClosed(socket);
    }
    expect((await running).code).toBe("57014");
    expect((await other.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("revoked in the middle of a query: a native error, and the query stops upstream", async () => {
    const token = shop.control.token();
    const client = await shop.connect({}, token);
    const running = failure(client.query("select pg_sleep(61)"));
    await shop.control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes("61"));
    shop.control.push({ case: "revoked", value: { tokenIds: [token.id], reason: "the run was stopped" } });
    const error = await running;
    expect(error).toMatchObject({ severity: "FATAL", code: "57P01" });
    expect(error.message).toContain("the run was stopped");
    await shop.control.recorded("sessionEnded", 1, ({ cause }) => cause === "revoked");
    await shop.control.recorded("commandEnded", 1, ({ errorMessage }) => errorMessage.includes("revoked"));
    const left = "select 1 from pg_stat_activity where query like '%pg_sleep(61)%' and pid <> pg_backend_pid()";
    while ((await shop.direct(left)).rows.length > 0) await sleep(10);
  });

  test("a lease that runs out", async () => {
    const client = await shop.connect({}, shop.control.token({ lifetimeMs: 700 }));
    const error = await failure(client.query("select pg_sleep(62)"));
    expect(error).toMatchObject({ severity: "FATAL", code: "57P01" });
    await shop.control.recorded("sessionEnded", 1, ({ cause }) => cause === "expired");
  });

  test("one whose resource goes away is told so", async () => {
    const client = await shop.connect();
    const { rows } = await client.query("select pg_backend_pid() as pid");
    const told = sessionError(client);
    await shop.direct(`select pg_terminate_backend(${rows[0].pid})`);
    expect((await told).severity).toBe("FATAL");
    await shop.control.recorded("sessionEnded");
  });
});

describe("pipelined", () => {
  /** Writes it all at once and gives the types and bodies of what comes back, up to the nth ReadyForQuery. */
  async function exchange(client: pg.Client, messages: Uint8Array[], readies: number) {
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter & { stream: Socket } };
    connection.removeAllListeners();
    const answer = new Promise<{ type: string; body: string }[]>((resolve) => {
      let bytes = Buffer.alloc(0);
      const take = (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        const all = taken(bytes);
        if (all.filter(({ type }) => type === "Z").length < readies) return;
        connection.stream.off("data", take);
        resolve(all);
      };
      connection.stream.on("data", take);
    });
    connection.stream.write(Buffer.concat(messages));
    return answer;
  }
  const run = (sql: string) => [front.parse("", sql), front.bind("", ""), front.execute("")];
  const rows = (answer: { type: string; body: string }[]) =>
    answer.filter(({ type }) => type === "D").map(({ body }) => body);
  const read = run("select email || '' from customers limit 1");

  beforeAll(async () => {
    await shop.direct("create schema side; create table side.customers (email text)");
    await shop.direct("insert into side.customers values ('plain@side')");
    const client = await shop.connect();
    // Until the catalog has it.
    for (let shown = ""; !shown.includes("plain"); ) {
      shown = JSON.stringify((await client.query("select email from side.customers")).rows);
    }
    await shop.settled();
  });

  test("hundreds in one batch, each with its record", async () => {
    const messages = Array.from({ length: 300 }, (_, n) => run(`select ${n}`)).flat();
    const answer = await exchange(await shop.connect({ ssl: false }), [...messages, front.sync()], 1);
    expect(rows(answer)).toHaveLength(300);
    const ended = await shop.control.recorded("commandEnded", 300);
    expect(ended.map(({ ordinal }) => Number(ordinal))).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
  });

  test.each([
    ["in one batch", [...run("set search_path = side"), ...read, front.sync()], 1, "plain@side"],
    ["in two batches", [...run("set search_path = side"), front.sync(), ...read, front.sync()], 2, "plain@side"],
    [
      "set in vain, in two",
      [...run("set search_path = side"), ...run("select 1/0"), front.sync(), ...read, front.sync()],
      2,
      "[redacted]",
    ],
    [
      "skipped, in two",
      [...run("select 1/0"), ...run("set search_path = side"), front.sync(), ...read, front.sync()],
      2,
      "[redacted]",
    ],
    [
      "local to its batch",
      [...run("set local search_path = side"), front.sync(), ...read, front.sync()],
      2,
      "[redacted]",
    ],
  ])("a search_path %s", async (_name, messages, readies, expected) => {
    const answer = await exchange(await shop.connect({ ssl: false }), messages, readies);
    expect(rows(answer)).toHaveLength(1);
    expect(rows(answer)[0]).toContain(expected);
  });

  test("what is refused takes its batch with it, and nothing else", async () => {
    const messages = [
      ...run("select 1"),
      ...run("delete from orders"),
      ...run("select 2"),
      front.sync(),
      ...run("select 3"),
      front.sync(),
    ];
    const answer = await exchange(await shop.connect({ ssl: false }), messages, 2);
    expect(rows(answer).map((body) => body.at(-1))).toEqual(["1", "3"]);
    expect(answer.filter(({ type }) => type === "E").map(({ body }) => body)).toEqual([
      expect.stringContaining("42501"),
    ]);
  });

  test("a held command holds what is behind it", async () => {
    const messages = [...run("select 1"), ...run("create table behind (id int)"), ...run("select 2"), front.sync()];
    const client = await shop.connect({ ssl: false });
    const answer = exchange(client, messages, 1);
    const approval = await shop.control.pending();
    const [, ...started] = await shop.control.recorded("commandStarted");
    expect(started).toEqual([]);
    shop.control.decide(approval, 2);
    expect(rows(await answer)).toHaveLength(2);
  });
});
