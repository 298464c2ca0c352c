import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { approvalV1 } from "#contracts";
import { front, taken } from "../../../../libs/protocols/src/postgres/wire.fixture.js";
import { createWorld, type World } from "../enforcer.fixture.js";
import {
  childrenOf,
  type EnforcerProcess,
  killProcesses,
  startProcess,
  stopProcess,
  writeConfig,
} from "../enforcer-process.fixture.js";
import { POLICIES } from "../shop.fixture.js";

let world: World;
let config: string;
let node: EnforcerProcess;
const clients: pg.Client[] = [];

beforeAll(async () => {
  world = await createWorld();
  config = await writeConfig(world, { workers: 2, allowPlaintext: true });
  await start(config);
});
beforeEach(() => {
  world.control.records.length = 0;
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
});
afterAll(async () => {
  killProcesses();
  await world?.drop();
});

/** Returns when both its workers are there. */
async function start(file: string): Promise<void> {
  world.control.records.length = 0;
  node = await startProcess(file);
  await world.control.recorded("spoolOpened", 2);
}

/** Connections are handed out in turns: the two workers have two each. */
async function fourSessions(token = world.control.token()): Promise<pg.Client[]> {
  const open: pg.Client[] = [];
  for (let n = 0; n < 4; n++) open.push(await connect(token));
  return open;
}

async function connect(token = world.control.token()): Promise<pg.Client> {
  const ssl = { ca: readFileSync(join(world.folder, "ca.pem"), "utf8") };
  const user = `foil_${token.id}`;
  const { port } = node;
  const client = new pg.Client({ host: "127.0.0.1", port, user, password: token.secret, database: "shop", ssl });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  return client;
}

function psql(sql: string) {
  const token = world.control.token();
  const child = spawn("psql", ["-X", "-v", "VERBOSITY=verbose", "-c", sql], {
    env: {
      PATH: process.env.PATH,
      PGHOST: "127.0.0.1",
      PGPORT: String(node.port),
      PGUSER: `foil_${token.id}`,
      PGPASSWORD: token.secret,
      PGDATABASE: "shop",
      PGSSLMODE: "verify-full",
      PGSSLROOTCERT: join(world.folder, "ca.pem"),
    },
  });
  const errors = child.stderr.toArray().then((chunks) => chunks.join(""));
  return { child, errors };
}

const COPIES = 'permit (principal, action == Action::"copy", resource);';

const failure = (query: Promise<unknown>) =>
  query.then(
    () => null,
    (error: pg.DatabaseError) => error,
  );
const ended = (client: pg.Client) => new Promise<void>((over) => client.once("end", over));
const runs = (text: string) =>
  world.control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes(text));

/** The ids of the sessions in which something like this ran, once there are so many. */
const sessionsOf = (text: string, count: number) =>
  world.control.until(() => {
    const told = world.control.records.filter(
      ({ fact }) => fact.case === "commandStarted" && fact.value.command!.statement.includes(text),
    );
    const ids = [...new Set(told.map(({ sessionId }) => sessionId))];
    return ids.length === count && ids;
  });

/** Each spool's records came without a gap. */
function expectDense(): void {
  for (const [source, sequences] of world.control.sequences) {
    const sorted = [...sequences].sort((a, b) => a - b);
    expect([source, sorted]).toEqual([source, sorted.map((_, n) => n + 1)]);
  }
}

/** What a login is answered up to its proof. */
async function challenge(tokenId: string): Promise<string> {
  const socket = dial(node.port, "127.0.0.1");
  try {
    socket.write(front.startup({ user: `foil_${tokenId}`, database: "shop" }));
    await once(socket, "data");
    socket.write(front.saslInitial("SCRAM-SHA-256", "n,,n=,r=nonce"));
    const [bytes] = (await once(socket, "data")) as [Buffer];
    return /s=([^,]*)/.exec(taken(bytes)[0]!.body)![1]!;
  } finally {
    socket.destroy();
  }
}

describe("a node of two processes", () => {
  test("cancels what runs, whichever process the request reaches", async () => {
    const sleepers = [401, 402, 403].map((seconds) => ({ seconds, psql: psql(`select pg_sleep(${seconds})`) }));
    for (const { seconds } of sleepers) await runs(`pg_sleep(${seconds})`);
    for (const { psql } of sleepers) {
      psql.child.kill("SIGINT");
      expect(await psql.errors).toMatch(/57014.*canceling statement due to user request/);
    }
  });

  test("one that is killed takes only its own sessions along, and is replaced; what it had recorded is shipped", async () => {
    const { control } = world;
    const open = await fourSessions();
    control.acknowledging = false;
    for (const [n, client] of open.entries()) await client.query(`insert into notes (body) values ('outlives ${n}')`);
    await sessionsOf("outlives", 4);
    const [victim] = childrenOf(node);
    process.kill(victim!, "SIGKILL");
    control.forget();
    control.records.length = 0;
    control.acknowledging = true;
    await control.recorded("spoolOpened");
    const answers = await Promise.all(open.map((client) => failure(client.query("select 1"))));
    const its = [...answers.keys()].filter((n) => answers[n] !== null);
    expect(its).toHaveLength(2);
    for (const n of its) await runs(`outlives ${n}`);
    expect(childrenOf(node)).not.toContain(victim);
    expect(childrenOf(node)).toHaveLength(2);
    for (const client of await fourSessions())
      expect((await client.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    expectDense();
  });

  test("a revocation, the end of one session and another policy reach both", async () => {
    const { control } = world;
    const token = control.token();
    const doomed = await fourSessions(token);
    const others = await fourSessions();
    const revoked = doomed.map(ended);
    control.push({ case: "revoked", value: { tokenIds: [token.id], sessionIds: [], reason: "leaked" } });
    await Promise.all(revoked);
    for (const client of others) await client.query("select 'still here'");
    const [first, second, ...rest] = await sessionsOf("still here", 4);
    control.push({ case: "revoked", value: { tokenIds: [], sessionIds: [first!, second!], reason: "runaway" } });
    await control.recorded("sessionEnded", 2, ({ cause }) => cause === "ended");
    expect(await control.recorded("sessionEnded", 4, ({ cause }) => cause === "revoked")).toHaveLength(4);
    control.change({
      policies: [...POLICIES, { name: "shut", text: 'forbid (principal, action == Action::"connect", resource);' }],
    });
    await control.recorded("sessionEnded", 4 + rest.length, ({ cause }) => cause === "revoked");
    control.change({ policies: POLICIES });
    // In force in both again.
    for (let row = 0; row < 4; ) row = (await failure(connect())) === null ? row + 1 : 0;
  });

  test("what a session changes in the schema is known to the others' sessions", async () => {
    const { control } = world;
    control.change({ policies: [...POLICIES, { name: "copies", text: COPIES }] });
    const [changer, ...readers] = await fourSessions();
    await world.direct("create view people as select name as who from customers");
    for (const reader of readers) await reader.query("select who from people");
    const changed = changer!.query("create or replace view people as select email as who from customers");
    control.decide(await control.pending(), approvalV1.ApprovalStatus.APPROVED);
    await changed;
    const seen = async (reader: pg.Client) => (await reader.query("select who from people limit 1")).rows[0].who;
    for (const reader of readers) while ((await seen(reader)) !== "[redacted]");
    control.change({ policies: POLICIES });
    // Sooner than what changes past the enforcer would be seen.
  }, 45_000);

  test("holds a command in either, and lets it go", async () => {
    const { control } = world;
    for (const [n, client] of (await fourSessions()).entries()) {
      const altered = client.query(`alter table notes add column held_${n} int`);
      control.decide(await control.pending(), approvalV1.ApprovalStatus.APPROVED);
      await altered;
    }
  });

  test("who tries a token that does not exist is answered by both as by one", async () => {
    const salts = new Set<string>();
    for (let n = 0; n < 4; n++) salts.add(await challenge("00000000000000aa"));
    expect(salts.size).toBe(1);
    expect(await challenge("00000000000000ab")).not.toBe([...salts][0]);
  });

  test("drains whole: every client is told, every record shipped", async () => {
    const sleepers = [411, 412, 413, 414].map((seconds) => ({ seconds, psql: psql(`select pg_sleep(${seconds})`) }));
    for (const { seconds } of sleepers) await runs(`pg_sleep(${seconds})`);
    expect(await stopProcess(node, "SIGTERM")).toBe(0);
    for (const { psql } of sleepers) expect(await psql.errors).toMatch(/The enforcer is shutting down/);
    await world.control.recorded("sessionEnded", 4, ({ cause }) => cause === "shutdown");
    expectDense();
  });

  test("whose parent ends while its second process begins, it ends in order, and none is left", async () => {
    node = await startProcess(config, { COUNTERFOIL_PARENT_PIPE: "1" });
    const pids = childrenOf(node);
    const over = once(node.child, "exit");
    node.child.stdin!.end();
    expect(await over).toEqual([0, null]);
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  test("killed, it leaves no process behind; what they had recorded is shipped by a node that has fewer", async () => {
    const { control } = world;
    await start(config);
    control.acknowledging = false;
    const open = await fourSessions();
    for (const client of open) await client.query("insert into notes (body) values ('left')");
    const over = open.map(ended);
    const pids = childrenOf(node);
    await stopProcess(node, "SIGKILL");
    await Promise.all(over);
    for (const pid of pids) await control.until(() => !existsSync(`/proc/${pid}`));
    control.forget();
    control.records.length = 0;
    control.acknowledging = true;
    const { folder, ...settings } = JSON.parse(readFileSync(config, "utf8"));
    node = await startProcess(await writeConfig(world, { ...settings, folder, workers: 1 }));
    await control.recorded("commandStarted", 4, ({ command }) => command!.statement.includes("left"));
    await control.until(() => !existsSync(join(folder, "spool-2")));
    expect(childrenOf(node)).toEqual([]);
    expectDense();
  });
});
