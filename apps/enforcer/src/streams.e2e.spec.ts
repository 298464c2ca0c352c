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

/**
 * What a stream may cost at its most, whatever it carries: windows of both sides, and read buffers that are garbage
 * already. V8 looks for those after 64 MiB of them, and finds them late where the cores are busy: some 150 MB were seen.
 * So each stream carries far more than this.
 */
const FLAT = 224 << 20;
/** As one value: less than 256 MiB, beyond which the server takes twice as much again for it. */
const LARGE = 260_000_000;
const MANY = 400_000_000;

let world: World;
let enforcer: EnforcerProcess;
/** What it has needed, all being loaded and nothing under way. */
let idle: number;
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
  idle = peakMemory(enforcer);
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

/** What the enforcer has needed at its most, beyond what it needs when idle. */
const grown = () => peakMemory(enforcer) - idle;

describe("flat memory", () => {
  test.each<[string, string, number]>([
    ["one value", `select repeat('x', ${LARGE})`, LARGE],
    ["one value by COPY", `copy (select repeat('x', ${LARGE})) to stdout`, LARGE],
    ["a million rows", "select n, repeat('x', 400) from generate_series(1, 1000000) n", MANY],
    ["rows, masked", `select email, repeat('x', 2000) from customers, generate_series(1, ${MANY / 100_000})`, MANY],
    [
      "rows by COPY, masked",
      `copy (select email, repeat('x', 2000) from customers, generate_series(1, ${MANY / 100_000})) to stdout`,
      MANY,
    ],
  ])("%s", async (_what, sql, least) => {
    const { bytes, tail } = await query(await rawStream(), sql);
    expect(codeOf(tail)).toBe("");
    expect(bytes).toBeGreaterThan(least);
    expect(grown()).toBeLessThan(FLAT);
  });

  test("COPY into a table, unread while the table is locked", async () => {
    const locker = await connect();
    await locker.query("begin; lock table notes");
    const socket = await rawStream();
    const row = front.copyData(`${"x".repeat(1 << 20)}\n`);
    socket.write(front.query("copy notes (body) from stdin"));
    let left = MANY / 1_000_000;
    // As much as is taken from us, while nobody takes it from the enforcer.
    for (; left > 0 && socket.write(row); left--) await new Promise(setImmediate);
    await (await connect()).query("select 1");
    expect(left).toBeGreaterThan(0);
    const answered = drain(socket);
    await locker.query("rollback");
    for (; left > 0; left--) if (!socket.write(row)) await new Promise((free) => socket.once("drain", free));
    socket.write(front.copyDone());
    expect((await answered).tail).toContain("COPY 4");
    expect(grown()).toBeLessThan(FLAT);
  });

  test("twenty who do not read, and one who does", async () => {
    const lazy = await Promise.all(Array.from({ length: 20 }, rawStream));
    for (const socket of lazy) {
      socket.pause();
      socket.write(front.query("select n, repeat('x', 1000) from generate_series(1, 1000000) n"));
    }
    const { bytes } = await query(await rawStream(), "select n, repeat('x', 100) from generate_series(1, 500000) n");
    expect(bytes).toBeGreaterThan(50_000_000);
    expect(grown()).toBeLessThan(FLAT);
  });

  test("what is too large to be seen whole is refused with the reason, unheld, and hurts nobody else", async () => {
    const other = await connect();
    const masked = await query(await rawStream(), `select email, repeat('x', ${LARGE}) from customers limit 1`);
    expect(codeOf(masked.tail)).toBe("54000");
    expect(masked.bytes).toBeLessThan(10_000);
    const socket = await rawStream();
    const bind = front.bind("", "", ["x".repeat(LARGE)]);
    const parse = front.parse("", "select length($1::text)");
    expect(codeOf((await ask(socket, parse, bind, front.execute(""), front.sync())).tail)).toBe("54000");
    // What a client sent goes no further than here, so its session goes on.
    expect((await query(socket, "select 'on it goes'")).tail).toContain("on it goes");
    expect((await other.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    expect(grown()).toBeLessThan(FLAT);
  });
});

test("bounded memory, where a message is less than 64 MiB and has to be seen whole", async () => {
  const most = 60_000_000;
  const socket = await rawStream();
  const masked = await query(socket, `select email, repeat('x', ${most}) from customers limit 10`);
  expect(codeOf(masked.tail)).toBe("");
  expect(masked.bytes).toBeGreaterThan(10 * most);
  const bind = front.bind("", "", ["x".repeat(most)]);
  const run = [front.parse("", "select length($1::text)"), bind, front.execute(""), front.sync()];
  expect((await ask(socket, ...run)).tail).toContain(String(most));
  // Held once as it came in and once in a piece, and what was before it may be garbage yet.
  expect(grown()).toBeLessThan(512 << 20);
});
