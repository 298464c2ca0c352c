import { createServer } from "node:net";
import pg from "pg";
import type { UpstreamPart } from "#commands";
import { Authority, PASSWORD, type Pair, startPair } from "./connection/upstream.fixture.js";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";

/**
 * A resource with several hosts, seen from a client: a primary, its hot standby, and a host where nobody is. The steps build
 * on one another and run in order.
 */

let world: World;
let pair: Pair;
let enforcer: Enforcer;
let gone: number;
const clients: pg.Client[] = [];

beforeAll(async () => {
  process.env.COUNTERFOIL_TEST_UPSTREAM = PASSWORD;
  const certificate = await (await Authority.create("upstream CA")).sign(["127.0.0.1"]);
  [world, pair, gone] = await Promise.all([createWorld(), startPair(certificate, false), freedPort()]);
  await pair.primary.query("create table kept (n int); grant all on kept to scram");
  enforcer = await Enforcer.start(await world.config({ allowPlaintext: true }));
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
});
afterAll(async () => {
  await enforcer?.drain();
  await pair?.drop();
  await world?.drop();
});

/** A port that nobody listens on. */
async function freedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Puts a bundle in force in which the resource is at these hosts. */
function declare(ports: readonly number[], targetSessionAttrs: UpstreamPart["targetSessionAttrs"]): void {
  const hosts = ports.map((port) => ({ host: "127.0.0.1", port }));
  world.control.change({
    others: [
      {
        ...{ name: "several", protocol: "postgres", reads: "os" },
        upstream: { hosts, targetSessionAttrs, database: "postgres", tls: "disable", ca: "" },
        credential: { username: "scram", password: "env:COUNTERFOIL_TEST_UPSTREAM" },
      },
    ],
  });
}

async function connect(): Promise<pg.Client> {
  const { id, secret } = world.control.token({ resource: "several" });
  const server = { host: "127.0.0.1", port: enforcer.ports[0]!, database: "several", ssl: false };
  const client = new pg.Client({ ...server, user: `foil_${id}`, password: secret });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

/** The port of the server a new session is at. */
async function where(): Promise<number> {
  const client = await connect();
  return (await client.query("select inet_server_port() as port")).rows[0].port;
}
const refused = () =>
  connect().then(
    () => Promise.reject(new Error("it was let in")),
    ({ code, message }: pg.DatabaseError) => ({ code, message }),
  );

test("the first host that can be reached", async () => {
  declare([gone, pair.standby.port, pair.primary.port], "any");
  expect(await where()).toBe(pair.standby.port);
});

test("the first that takes writes, past one that is away and a standby", async () => {
  declare([gone, pair.standby.port, pair.primary.port], "read-write");
  const client = await connect();
  await client.query("insert into kept values (1)");
  expect((await pair.primary.query("select n from kept")).rows).toEqual([{ n: 1 }]);
});

test("a standby, where that is asked for", async () => {
  declare([gone, pair.primary.port, pair.standby.port], "standby");
  const client = await connect();
  const { rows } = await client.query(
    "select pg_is_in_recovery() as r, current_setting('transaction_read_only') as ro",
  );
  expect(rows).toEqual([{ r: true, ro: "on" }]);
});

test("where none will do, each is named with its reason, and who asks may try again", async () => {
  declare([gone, pair.standby.port], "read-write");
  const { code, message } = await refused();
  expect(code).toBe("57P03");
  expect(message).toMatch(/1\. cannot be reached \(ECONNREFUSED\); 2\. is a standby/);
});

test("the standby that is promoted takes the sessions from then on", async () => {
  declare([pair.primary.port, pair.standby.port], "read-write");
  const before = await connect();
  const ended = new Promise<void>((over) => before.once("end", over));
  await pair.primary.drop();
  await ended;
  expect((await refused()).code).toBe("57P03");
  await pair.standby.query("select pg_promote()");
  expect(await where()).toBe(pair.standby.port);
});
