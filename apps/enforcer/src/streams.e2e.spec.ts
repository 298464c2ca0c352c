import type { Socket } from "node:net";
import pg from "pg";
import { front } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { createWorld, type World } from "./enforcer.fixture.js";
import {
  type EnforcerProcess,
  killProcesses,
  peakMemory,
  startProcess,
  writeConfig,
} from "./enforcer-process.fixture.js";

/**
 * What is large passes in pieces: the enforcer, a process of its own, is given far more than it may hold, and what it held
 * at its most is read from the system.
 */

/** What a stream may cost at its most, whatever it carries: windows of both sides, and what is garbage already. */
const FLAT = 100 << 20;
const MANY = 200_000_000;

let world: World;
let enforcer: EnforcerProcess;
const clients: pg.Client[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  world = await createWorld();
  await world.direct("create table documents (id serial primary key, body text, secret text)");
  world.control.labels = [
    ...world.control.labels,
    {
      name: "secret",
      columns: [{ resource: "shop", schema: "public", table: "documents", column: "secret" }],
      transform: { kind: "redact", options: {} },
    },
  ];
  enforcer = await startProcess(await writeConfig(world, { allowPlaintext: true }));
  // Everything that is loaded once.
  const client = await connect();
  await client.query("select email, id from customers");
  await query(await rawStream(), "copy (select email, id from customers) to stdout");
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const client of clients.splice(0)) await client.end().catch(() => {});
});
afterAll(async () => {
  killProcesses();
  await world?.drop();
});

async function connect(): Promise<pg.Client> {
  const { id, secret } = world.control.token();
  const client = new pg.Client({
    ...{ host: "127.0.0.1", port: enforcer.port, user: `foil_${id}`, password: secret, database: "shop", ssl: false },
  });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

/** A session's socket, logged in and nobody's. */
async function rawStream(): Promise<Socket> {
  const client = await connect();
  clients.pop();
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter & { stream: Socket } };
  connection.removeAllListeners();
  connection.stream.removeAllListeners("data");
  sockets.push(connection.stream);
  return connection.stream;
}

const READY = /Z\0{3}.[ITE]$/s;

/** Reads and forgets up to ReadyForQuery, or the connection's end; gives how much it was and how it ended. */
function drain(socket: Socket): Promise<{ bytes: number; tail: string }> {
  return new Promise((resolve) => {
    let bytes = 0;
    let tail = "";
    const over = () => {
      socket.off("data", take);
      socket.off("close", over);
      resolve({ bytes, tail });
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      tail = (tail + chunk.toString("latin1", Math.max(0, chunk.length - 2048))).slice(-2048);
      if (READY.test(tail)) over();
    };
    socket.on("data", take);
    socket.once("close", over);
    socket.resume();
  });
}

async function ask(socket: Socket, ...messages: Uint8Array[]) {
  socket.write(Buffer.concat(messages));
  return drain(socket);
}
const query = (socket: Socket, sql: string) => ask(socket, front.query(sql));
/** The SQLSTATE of an error among the last that was said; empty where there is none. */
const codeOf = (tail: string) => /S(?:ERROR|FATAL)\0V(?:ERROR|FATAL)\0C(.{5})/.exec(tail)?.[1] ?? "";

/** What the enforcer needed more than ever before. */
async function grown(act: () => Promise<unknown>): Promise<number> {
  const before = peakMemory(enforcer);
  await act();
  return peakMemory(enforcer) - before;
}

describe("flat memory", () => {
  test.each<[string, string, number]>([
    ["one value of 200 MB", `select repeat('x', ${MANY})`, MANY],
    ["a million rows", "select n, repeat('x', 100) from generate_series(1, 1000000) n", 100_000_000],
    ["a million rows, masked", "select c.email, c.id from customers c, generate_series(1, 20000)", 20_000_000],
    [
      "a million rows by COPY, masked",
      "copy (select c.email, c.id from customers c, generate_series(1, 20000)) to stdout",
      10_000_000,
    ],
    ["a value of 120 MB by COPY", "copy (select repeat('x', 120000000)) to stdout", 120_000_000],
  ])("%s", async (_what, sql, least) => {
    const socket = await rawStream();
    const more = await grown(async () => {
      const { bytes, tail } = await query(socket, sql);
      expect(codeOf(tail)).toBe("");
      expect(bytes).toBeGreaterThan(least);
    });
    expect(more).toBeLessThan(FLAT);
  });

  test("200 MB of COPY into a table, unread while the table is locked", async () => {
    const locker = await connect();
    await locker.query("begin; lock table notes");
    const socket = await rawStream();
    const row = front.copyData(`${"x".repeat(1 << 20)}\n`);
    const more = await grown(async () => {
      socket.write(front.query("copy notes (body) from stdin"));
      let left = 200;
      // As much as is taken from us, while nobody takes it from the enforcer.
      for (; left > 0 && socket.write(row); left--) await new Promise(setImmediate);
      await (await connect()).query("select 1");
      expect(left).toBeGreaterThan(0);
      const answered = drain(socket);
      await locker.query("rollback");
      for (; left > 0; left--) if (!socket.write(row)) await new Promise((free) => socket.once("drain", free));
      socket.write(front.copyDone());
      expect((await answered).tail).toContain("COPY 2");
    });
    expect(more).toBeLessThan(FLAT);
  });

  test("twenty who do not read, and one who does", async () => {
    const lazy = await Promise.all(Array.from({ length: 20 }, rawStream));
    const more = await grown(async () => {
      for (const socket of lazy) {
        socket.pause();
        socket.write(front.query("select n, repeat('x', 1000) from generate_series(1, 1000000) n"));
      }
      const { bytes } = await query(await rawStream(), "select n, repeat('x', 100) from generate_series(1, 500000) n");
      expect(bytes).toBeGreaterThan(50_000_000);
    });
    for (const socket of lazy) socket.destroy();
    expect(more).toBeLessThan(FLAT);
  });
});

describe("bounded memory, where a message has to be seen whole", () => {
  // Held once as it came in, and once in a piece.
  const BOUND = 3 * (64 << 20) + FLAT;

  test("a masked row and a parameter of less than 64 MiB pass", async () => {
    const most = 60_000_000;
    const socket = await rawStream();
    const more = await grown(async () => {
      const masked = await query(socket, `select email, repeat('x', ${most}) from customers limit 1`);
      expect(masked.bytes).toBeGreaterThan(most);
      const bind = front.bind("", "", ["x".repeat(most)]);
      const run = [front.parse("", "select length($1::text)"), bind, front.execute(""), front.sync()];
      expect((await ask(socket, ...run)).tail).toContain(String(most));
    });
    expect(more).toBeLessThan(BOUND);
  });

  test("what is larger is refused with the reason, costs no more, and hurts nobody else", async () => {
    const other = await connect();
    const more = await grown(async () => {
      const masked = await query(await rawStream(), "select email, repeat('x', 70000000) from customers limit 1");
      expect(codeOf(masked.tail)).toBe("54000");
      const socket = await rawStream();
      const bind = front.bind("", "", ["x".repeat(70_000_000)]);
      const parse = front.parse("", "select length($1::text)");
      expect(codeOf((await ask(socket, parse, bind, front.execute(""), front.sync())).tail)).toBe("54000");
      // What a client sent goes no further than here, so its session goes on.
      expect((await query(socket, "select 'on it goes'")).tail).toContain("on it goes");
      expect(masked.bytes).toBeLessThan(10_000);
    });
    expect((await other.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    expect(more).toBeLessThan(BOUND);
  });
});
