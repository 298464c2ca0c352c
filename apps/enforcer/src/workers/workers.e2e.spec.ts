import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { approvalV1 } from "#contracts";
import { createWorld, POLICIES, type World } from "../enforcer.fixture.js";
import { NodeProcess, writeConfig } from "../node-process.fixture.js";

let world: World;
let config: string;
let node: NodeProcess;
let port: number;
const clients: pg.Client[] = [];

beforeAll(async () => {
  world = await createWorld();
  config = await writeConfig(world, { workers: 2 });
  await start(config);
});
beforeEach(() => {
  world.control.records.length = 0;
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
});
afterAll(async () => {
  await stop("SIGTERM");
  await world?.drop();
});

/** Returns when both its workers are there. */
async function start(file: string): Promise<void> {
  world.control.records.length = 0;
  node = new NodeProcess(file);
  port = await node.ready;
  await world.control.recorded("spoolOpened", 2);
}

async function stop(signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(node.child, "exit");
  if (!node.child.kill(signal)) return null;
  const [code] = await ended;
  return code;
}

const workers = () =>
  readFileSync(`/proc/${node.child.pid}/task/${node.child.pid}/children`, "latin1").trim().split(" ").map(Number);

/** Connections are handed out in turns: the two workers have two each. */
async function fourSessions(token = world.control.token()): Promise<pg.Client[]> {
  const open: pg.Client[] = [];
  for (let n = 0; n < 4; n++) open.push(await connect(token));
  return open;
}

async function connect(token = world.control.token()): Promise<pg.Client> {
  const ssl = { ca: readFileSync(join(world.folder, "ca.pem"), "utf8") };
  const user = `foil_${token.id}`;
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
      PGPORT: String(port),
      PGUSER: `foil_${token.id}`,
      PGPASSWORD: token.secret,
      PGDATABASE: "shop",
      PGSSLMODE: "verify-full",
      PGSSLROOTCERT: join(world.folder, "ca.pem"),
    },
  });
  const errors = child.stderr.toArray().then((chunks) => chunks.join(""));
  return { child, errors, ended: once(child, "close").then(([code]) => code as number) };
}

const failure = (query: Promise<unknown>) =>
  query.then(
    () => null,
    (error: pg.DatabaseError) => error,
  );
const runs = (text: string) =>
  world.control.recorded("commandStarted", 1, ({ command }) => command!.statement.includes(text));

/** Each spool's records came without a gap. */
function expectDense(): void {
  for (const [source, sequences] of world.control.sequences) {
    const sorted = [...sequences].sort((a, b) => a - b);
    expect([source, sorted]).toEqual([source, sorted.map((_, n) => n + 1)]);
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

  test("one that is killed takes only its own sessions along, and is replaced", async () => {
    const open = await fourSessions();
    const [victim] = workers();
    process.kill(victim!, "SIGKILL");
    await world.control.recorded("spoolOpened");
    const answers = await Promise.all(open.map((client) => failure(client.query("select 1"))));
    expect(answers.filter((error) => error === null)).toHaveLength(2);
    expect(workers()).not.toContain(victim);
    expect(workers()).toHaveLength(2);
    for (const client of await fourSessions())
      expect((await client.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    expectDense();
  });

  test("a revocation and another policy reach the sessions of both", async () => {
    const { control } = world;
    const token = control.token();
    const doomed = await fourSessions(token);
    const others = await fourSessions();
    const ends = doomed.map((client) => new Promise<void>((ended) => client.once("end", ended)));
    control.push({ case: "revoked", value: { tokenIds: [token.id], sessionIds: [], reason: "leaked" } });
    await Promise.all(ends);
    control.change({
      policies: [...POLICIES, { name: "shut", text: 'forbid (principal, action == Action::"connect", resource);' }],
    });
    for (const client of others) while ((await failure(client.query("select 1"))) === null);
    control.change({ policies: POLICIES });
    await connectedAgain();
  });

  test("holds a command in either, and lets it go", async () => {
    const { control } = world;
    for (const [n, client] of (await fourSessions()).entries()) {
      const altered = client.query(`alter table notes add column held_${n} int`);
      control.decide(await control.pending(), approvalV1.ApprovalStatus.APPROVED);
      await altered;
    }
  });

  test("drains whole: every client is told, every record shipped", async () => {
    const sleepers = [411, 412, 413, 414].map((seconds) => ({ seconds, psql: psql(`select pg_sleep(${seconds})`) }));
    for (const { seconds } of sleepers) await runs(`pg_sleep(${seconds})`);
    expect(await stop("SIGTERM")).toBe(0);
    for (const { psql } of sleepers) expect(await psql.errors).toMatch(/The enforcer is shutting down/);
    await world.control.recorded("sessionEnded", 4, ({ cause }) => cause === "shutdown");
    expectDense();
  });

  test("what is left of a process is shipped when the node has fewer", async () => {
    const { control } = world;
    await start(config);
    control.acknowledging = false;
    for (const client of await fourSessions()) await client.query("insert into notes (body) values ('left')");
    const pids = workers();
    await stop("SIGKILL");
    for (const pid of pids) await control.until(() => !existsSync(`/proc/${pid}`));
    control.forget();
    control.acknowledging = true;
    const { folder, ...settings } = JSON.parse(readFileSync(config, "utf8"));
    await start(await writeConfig(world, { ...settings, folder, workers: 1 }));
    await control.recorded("commandStarted", 4, ({ command }) => command!.statement.includes("left"));
    await control.until(() => !existsSync(join(folder, "spool-2")));
    expectDense();
  });
});

/** The policy of before is in force in both. */
async function connectedAgain(): Promise<void> {
  for (let row = 0; row < 4; ) row = (await failure(connect())) === null ? row + 1 : 0;
}
