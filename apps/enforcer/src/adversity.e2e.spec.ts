import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { approvalV1 } from "#contracts";
import { front, taken } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";
import { killProcesses, startProcess, writeConfig } from "./enforcer-process.fixture.js";
import { ListenFailed } from "./listener/listener.js";

const { ApprovalStatus } = approvalV1;

let world: World;
let enforcer: Enforcer;
const clients: pg.Client[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  world = await createWorld();
  enforcer = await Enforcer.start(await world.config({ allowPlaintext: true }));
});
beforeEach(() => {
  world.control.records.length = 0;
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
  for (const socket of sockets.splice(0)) socket.destroy();
  // No record of this test reaches the next.
  await world.control.until(() => enforcer.sessions === 0 && enforcer.unshipped === 0);
});
afterAll(async () => {
  await enforcer?.drain();
  await world?.drop();
});

async function connect(options: Partial<pg.ClientConfig> = {}, token = world.control.token()): Promise<pg.Client> {
  const client = new pg.Client({
    host: "127.0.0.1",
    port: enforcer.ports[0]!,
    user: `foil_${token.id}`,
    password: token.secret,
    database: "shop",
    ssl: { ca: readFileSync(join(world.folder, "ca.pem"), "utf8") },
    ...options,
  });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

const failure = (query: Promise<unknown>) =>
  query.then(
    () => Promise.reject(new Error("it was let through")),
    (error: pg.DatabaseError) => error,
  );

async function raw(): Promise<Socket> {
  const socket = dial({ host: "127.0.0.1", port: enforcer.ports[0]! });
  sockets.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Everything the enforcer says until it closes. */
const untilClosed = async (socket: Socket) => {
  let text = "";
  for await (const chunk of socket) text += (chunk as Buffer).toString("latin1");
  return text;
};

describe("logins", () => {
  test("a wrong secret, an unknown, a spent and a revoked token are refused and recorded", async () => {
    const { control } = world;
    const good = control.token();
    const cases: [{ id: string; secret: string }, RegExp][] = [
      [{ ...good, secret: "wrong" }, /password authentication failed/],
      [{ id: "0000000000000000", secret: "x" }, /password authentication failed/],
      [control.token({ uses: 0 }), /used up/],
      [control.token({ refused: "revoked" }), /revoked/],
      [control.token({ refused: "expired" }), /expired/],
    ];
    for (const [token, message] of cases) {
      const error = await failure(connect({}, token));
      expect(error).toMatchObject({ code: "28P01", severity: "FATAL" });
      expect(error.message).toMatch(message);
    }
    const refused = await control.recorded("loginRefused", cases.length);
    expect(refused.map(({ tokenId }) => tokenId)).toEqual(cases.map(([{ id }]) => id));
    expect(JSON.stringify(refused, (_key, value) => String(value))).not.toContain(good.secret);
  });

  test("a token that is used once lets one of two in", async () => {
    const token = world.control.token({ uses: 1 });
    const both = await Promise.allSettled([connect({}, token), connect({}, token)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("without TLS where that is not permitted", async () => {
    const strict = await Enforcer.start(await world.config());
    try {
      const error = await failure(connect({ ssl: false, port: strict.ports[0]! }));
      expect(error.message).toContain("TLS");
    } finally {
      await strict.drain();
    }
  });

  test("two hundred at once", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => connect()));
    const more = await Promise.all(Array.from({ length: 60 }, () => connect({ ssl: false })));
    const answers = await Promise.all([...all, ...more].map((client) => client.query("select 1 as one")));
    expect(answers.every(({ rows }) => rows[0].one === 1)).toBe(true);
  });

  test("silent and half-open clients delay nobody", async () => {
    await Promise.all(Array.from({ length: 50 }, () => raw()));
    const half = await raw();
    half.write(Buffer.from([0, 0, 0]));
    half.end();
    expect((await (await connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
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
    const socket = await raw();
    socket.write(bytes);
    await untilClosed(socket);
    expect((await (await connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("a TLS handshake that fails", async () => {
    const error = await failure(connect({ ssl: { ca: "" } }));
    expect(String(error)).toMatch(/certificate/);
    expect((await (await connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });
});

describe("in a session", () => {
  test("a message of impossible length ends it natively", async () => {
    const client = await connect({ ssl: false });
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    const said = new Promise<pg.DatabaseError>((resolve) =>
      client.on("error", (error) => resolve(error as pg.DatabaseError)),
    );
    stream.write(Buffer.from([0x51, 0xff, 0xff, 0xff, 0xf0]));
    expect((await said).code).toBe("08P01");
    await world.control.recorded("sessionEnded", 1, ({ cause }) => cause === "fault");
  });

  test("a client that does not read is not read for, and hurts nobody", async () => {
    const lazy = await connect({ ssl: false });
    const { stream } = (lazy as unknown as { connection: { stream: Socket } }).connection;
    const before = process.memoryUsage().rss;
    stream.pause();
    lazy.query("select filler from big a, (select 1 from generate_series(1, 20)) b").catch(() => {});
    const other = await connect();
    for (let n = 0; n < 50; n++) await other.query("select count(*) from big");
    // 400 MB are on offer; what waits for it here is a window.
    expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
    stream.destroy();
    await world.control.recorded("sessionEnded");
  });

  test("a flood of one client's commands lets others through in between", async () => {
    const flood = await connect({ ssl: false });
    const { stream } = (flood as unknown as { connection: { stream: Socket } }).connection;
    let answered = 0;
    stream.removeAllListeners("data");
    stream.on("data", (chunk: Buffer) => (answered += chunk.toString("latin1").split("ZI").length - 1));
    const many = 20_000;
    stream.write(Buffer.concat(Array.from({ length: many }, () => front.query("delete from orders"))));
    const other = await connect();
    await other.query("select 1");
    expect(answered).toBeLessThan(many);
    stream.destroy();
    await world.control.recorded("sessionEnded");
  });

  test("a client that goes away behind much that waits for a held command withdraws it", async () => {
    const client = await connect({ ssl: false });
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    stream.write(front.query("alter table notes add column late int"));
    const id = await world.control.pending();
    stream.write(Buffer.alloc(600 * 1024, front.query("select 1")));
    stream.destroy();
    await world.control.until(() => world.control.approvals.get(id)!.status === ApprovalStatus.WITHDRAWN);
  });

  test("there is an end to what may wait behind a held command", async () => {
    const client = await connect({ ssl: false });
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    const said = new Promise<pg.DatabaseError>((resolve) =>
      client.on("error", (error) => resolve(error as pg.DatabaseError)),
    );
    stream.write(front.query("alter table notes add column late int"));
    const id = await world.control.pending();
    stream.write(Buffer.alloc(20 << 20, front.query("select 1")));
    expect(await said).toMatchObject({ code: "54000", message: expect.stringContaining("waits for a person") });
    await world.control.until(() => world.control.approvals.get(id)!.status === ApprovalStatus.WITHDRAWN);
  });

  test("a slow reader gets everything", async () => {
    const slow = await connect({ ssl: false });
    const { stream } = (slow as unknown as { connection: { stream: Socket } }).connection;
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
    const client = await connect();
    const other = await connect();
    const running = failure(client.query("select pg_sleep(60)"));
    await world.control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes("pg_sleep"));
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const request = Buffer.alloc(16);
    request.writeInt32BE(16, 0);
    request.writeInt32BE(80877102, 4);
    request.writeInt32BE(processID, 8);
    request.writeInt32BE(secretKey, 12);
    const guess = Buffer.from(request);
    guess.writeInt32BE(secretKey ^ 1, 12);
    for (const bytes of [guess, request]) {
      const socket = await raw();
      socket.write(bytes);
      await untilClosed(socket);
    }
    expect((await running).code).toBe("57014");
    expect((await other.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("revoked in the middle of a query: a native error, and the query stops upstream", async () => {
    const token = world.control.token();
    const client = await connect({}, token);
    const running = failure(client.query("select pg_sleep(61)"));
    await world.control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes("61"));
    world.control.push({ case: "revoked", value: { tokenIds: [token.id], reason: "the run was stopped" } });
    const error = await running;
    expect(error).toMatchObject({ severity: "FATAL", code: "57P01" });
    expect(error.message).toContain("the run was stopped");
    await world.control.recorded("sessionEnded", 1, ({ cause }) => cause === "revoked");
    await world.control.recorded("commandEnded", 1, ({ errorMessage }) => errorMessage.includes("revoked"));
    const left = "select 1 from pg_stat_activity where query like '%pg_sleep(61)%' and pid <> pg_backend_pid()";
    while ((await world.direct(left)).rows.length > 0) await sleep(10);
  });

  test("a lease that runs out", async () => {
    const client = await connect({}, world.control.token({ lifetimeMs: 700 }));
    const error = await failure(client.query("select pg_sleep(62)"));
    expect(error).toMatchObject({ severity: "FATAL", code: "57P01" });
    await world.control.recorded("sessionEnded", 1, ({ cause }) => cause === "expired");
  });

  test("one whose resource goes away is told so", async () => {
    const client = await connect();
    const { rows } = await client.query("select pg_backend_pid() as pid");
    const told = new Promise<pg.DatabaseError>((resolve) =>
      client.on("error", (error) => resolve(error as pg.DatabaseError)),
    );
    await world.direct(`select pg_terminate_backend(${rows[0].pid})`);
    expect((await told).severity).toBe("FATAL");
    await world.control.recorded("sessionEnded");
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
    await world.direct("create schema side; create table side.customers (email text)");
    await world.direct("insert into side.customers values ('plain@side')");
    const client = await connect();
    // Until the catalog has it.
    for (let shown = ""; !shown.includes("plain"); ) {
      shown = JSON.stringify((await client.query("select email from side.customers")).rows);
    }
    await client.end();
    await world.control.until(() => enforcer.sessions === 0 && enforcer.unshipped === 0);
  });

  test("hundreds in one batch, each with its record", async () => {
    const messages = Array.from({ length: 300 }, (_, n) => run(`select ${n}`)).flat();
    const answer = await exchange(await connect({ ssl: false }), [...messages, front.sync()], 1);
    expect(rows(answer)).toHaveLength(300);
    const ended = await world.control.recorded("commandEnded", 300);
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
    const answer = await exchange(await connect({ ssl: false }), messages, readies);
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
    const answer = await exchange(await connect({ ssl: false }), messages, 2);
    expect(rows(answer).map((body) => body.at(-1))).toEqual(["1", "3"]);
    expect(answer.filter(({ type }) => type === "E").map(({ body }) => body)).toEqual([
      expect.stringContaining("42501"),
    ]);
  });

  test("a held command holds what is behind it", async () => {
    const messages = [...run("select 1"), ...run("create table behind (id int)"), ...run("select 2"), front.sync()];
    const client = await connect({ ssl: false });
    const answer = exchange(client, messages, 1);
    const approval = await world.control.pending();
    const [, ...started] = await world.control.recorded("commandStarted");
    expect(started).toEqual([]);
    world.control.decide(approval, 2);
    expect(rows(await answer)).toHaveLength(2);
  });
});

describe("the resource", () => {
  test.each([
    ["cannot be reached", { upstream: { hosts: [{ host: "127.0.0.1", port: 1 }] } }, /cannot be reached/],
    ["has no credential here", { credential: { password: "env:NOT_SET_ANYWHERE" } }, /no credential/],
    ["refuses the credential", { credential: { password: "env:COUNTERFOIL_TEST_WRONG" } }, /./],
  ])("%s: said without a secret", async (_name, change, message) => {
    process.env.COUNTERFOIL_TEST_WRONG = "hunter2-hunter2";
    const before = world.control.resource;
    const node = await Enforcer.start(await world.config());
    try {
      world.control.change({
        resource: {
          ...before,
          upstream: { ...before.upstream, ...("upstream" in change ? change.upstream : {}) },
          credential: { ...before.credential, ...("credential" in change ? change.credential : {}) },
        },
      });
      let error = await failure(connect({ port: node.ports[0]! }));
      while (error.message.includes("control plane")) error = await failure(connect({ port: node.ports[0]! }));
      expect(error.message).toMatch(message);
      const everything = JSON.stringify({ ...error, message: error.message });
      for (const secret of ["hunter2", before.credential.username, "127.0.0.1"])
        expect(everything).not.toContain(secret);
    } finally {
      world.control.change({ resource: before });
      await node.drain();
    }
  });
});

describe("the control plane is away", () => {
  test("new sessions get a retryable error, open ones go on for the lease, then all is well again", async () => {
    const { control } = world;
    const node = await Enforcer.start(await world.config());
    try {
      control.change({ leaseSeconds: 2 });
      const open = await connect({ port: node.ports[0]! });
      const told = new Promise<pg.DatabaseError>((resolve) =>
        open.on("error", (error) => resolve(error as pg.DatabaseError)),
      );
      control.silent.add("beat").add("GetBundle").add("Lookup");
      expect((await open.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      expect(await told).toMatchObject({ severity: "FATAL", code: "57P01" });
      expect(await failure(connect({ port: node.ports[0]! }))).toMatchObject({ code: "57P03" });
      control.silent.clear();
      control.change({ leaseSeconds: 15 });
      for (;;) {
        const client = await connect({ port: node.ports[0]! }).catch(() => null);
        if (client) break;
        await sleep(50);
      }
    } finally {
      control.silent.clear();
      if (control.leaseSeconds !== 15) control.change({ leaseSeconds: 15 });
      await node.drain();
    }
  });

  test("a revocation that was missed is learned of", async () => {
    const { control } = world;
    const client = await connect();
    const told = new Promise<pg.DatabaseError>((resolve) =>
      client.on("error", (error) => resolve(error as pg.DatabaseError)),
    );
    const [session] = await control.until(() => {
      const found = control.records.filter(({ fact }) => fact.case === "sessionStarted");
      return found.length > 0 ? found : null;
    });
    control.endedOnRenew = [{ sessionId: session!.sessionId, reason: "revoked while nobody listened" }];
    try {
      expect((await told).message).toContain("revoked while nobody listened");
    } finally {
      control.endedOnRenew = [];
    }
  });

  test("a bundle or a beat that somebody else signed changes nothing", async () => {
    const { control } = world;
    const forged = control.bundle();
    forged.signature[3]! ^= 1;
    control.push({ case: "bundle", value: forged });
    const beat = control.beat();
    beat.signature[3]! ^= 1;
    control.push({ case: "beat", value: beat });
    expect((await (await connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });
});

describe("the node", () => {
  test("says which port is taken", async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as { port: number };
    try {
      const listeners = [{ protocol: "postgres", host: "127.0.0.1", bind: "127.0.0.1", port }];
      const starting = Enforcer.start(await world.config({ listeners }));
      await expect(starting).rejects.toThrow(ListenFailed);
      await expect(starting).rejects.toThrow(new RegExp(`port ${port}`));
    } finally {
      server.close();
    }
  });

  test("a full spool stops commands, never ends and decisions; acknowledged, it goes on", async () => {
    const node = await Enforcer.start(await world.config({ spoolLimitBytes: 1 << 20 }));
    world.control.acknowledging = false;
    try {
      const client = await connect({ port: node.ports[0]! });
      let error: pg.DatabaseError | null = null;
      const text = `select 1 -- ${"x".repeat(20_000)}`;
      for (let n = 0; n < 200 && !error; n++) await client.query(text).catch((thrown) => (error = thrown));
      expect(error).not.toBeNull();
      expect(error!.message).toMatch(/could not be recorded/);
      expect(await failure(connect({ port: node.ports[0]! }))).toMatchObject({ code: "57P03" });
      world.control.acknowledging = true;
      for (;;) {
        const again = await connect({ port: node.ports[0]! }).catch(() => null);
        if (again) break;
        await sleep(100);
      }
      await world.control.recorded("sessionEnded", 1, ({ cause }) => cause === "fault");
    } finally {
      world.control.acknowledging = true;
      await node.drain();
    }
  });

  test("drains: sessions are told natively, and everything is shipped", async () => {
    const node = await Enforcer.start(await world.config());
    const client = await connect({ port: node.ports[0]! });
    const told = new Promise<pg.DatabaseError>((resolve) =>
      client.on("error", (error) => resolve(error as pg.DatabaseError)),
    );
    await client.query("select 1");
    await node.drain();
    expect((await told).message).toContain("shutting down");
    await world.control.recorded("sessionEnded", 1, ({ cause }) => cause === "shutdown");
  });

  describe("as a process", () => {
    afterEach(killProcesses);

    test("killed in the middle, it ships what it had recorded when it is back, and its listeners need no control plane to open", async () => {
      const path = await writeConfig(world);
      const { control } = world;
      const first = await startProcess(path);
      control.acknowledging = false;
      const client = await connect({ port: first.port });
      await client.query("insert into notes (body) values ('before the kill')");
      const running = failure(client.query("select pg_sleep(63)"));
      await control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes("63"));
      first.child.kill("SIGKILL");
      await running;
      control.records.length = 0;
      control.silent.clear();
      control.acknowledging = true;
      control.forget();
      control.silent.add("Enroll");
      const second = await startProcess(path);
      const started = await control.recorded("commandStarted", 2);
      expect(started.map(({ command }) => command!.statement)).toEqual([
        "insert into notes (body) values ('before the kill')",
        "select pg_sleep(63)",
      ]);
      expect((await (await connect({ port: second.port })).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      control.silent.clear();
      second.child.kill("SIGTERM");
      const [code] = await once(second.child, "exit");
      expect(code).toBe(0);
    });

    test("follows its parent's end", async () => {
      const { child } = await startProcess(await writeConfig(world), { COUNTERFOIL_PARENT_PIPE: "1" });
      child.stdin!.end();
      const [code] = await once(child, "exit");
      expect(code).toBe(0);
    });

    test("one that follows another on the same folder waits until that has drained", async () => {
      const path = await writeConfig(world);
      const before = await startProcess(path);
      const after = startProcess(path);
      before.child.kill("SIGTERM");
      expect((await after).child.exitCode).toBeNull();
    });

    test("two never share a folder", async () => {
      const path = await writeConfig(world);
      await startProcess(path);
      await expect(startProcess(path)).rejects.toThrow(/in use by process/);
    });

    test.each([
      ["an unknown protocol", { listeners: [{ protocol: "gopher", host: "h", port: 1 }] }, /protocol must be one of/],
      ["no listener", { listeners: [] }, /listeners must be a list/],
      ["an unknown setting", { listenres: [] }, /listenres is not a setting/],
      ["a key that is not there", { signingKeyFile: "/nowhere/key.pem" }, /signingKeyFile/],
      ["a folder it cannot make", { folder: "/dev/null/enforcer" }, /folder: .*ENOTDIR/],
    ])("%s is said with the field's name", async (_name, change, message) => {
      await expect(startProcess(await writeConfig(world, change))).rejects.toThrow(message);
    });
  });
});
