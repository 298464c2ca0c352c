import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { type PrivatePostgres, removePostgres, startPostgres } from "./postgres.js";

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return Object.values((await client.query(sql)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}
const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("a private PostgreSQL", () => {
  let folder: string;
  const started: PrivatePostgres[] = [];
  const start = async (over: { port?: number } = {}) => {
    const server = await startPostgres({ folder, durable: false, ...over });
    started.push(server);
    return server;
  };
  const dataFolder = () => {
    const elsewhere = join(folder, "elsewhere");
    return join(existsSync(elsewhere) ? readFileSync(elsewhere, "utf8").trim() : folder, "data");
  };
  // One cluster for all: each test finds it stopped, and leaves it so that it can be started.
  beforeAll(() => {
    // mkdtemp gives 0700: started by root, the server's user can't reach it, and the cluster lives elsewhere.
    folder = join(mkdtempSync(join(tmpdir(), "counterfoil-postgres-")), "cluster");
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
  });
  afterAll(() => {
    removePostgres(folder);
    removePostgres(resolve(folder, ".."));
  });

  it("starts, keeps what it knew over a restart, and has its password in a file of ours alone", async () => {
    const first = await start();
    await first.createDatabase("shop");
    await first.createDatabase("shop");
    await ask(first.url("shop"), "CREATE TABLE t AS SELECT 7 AS n");
    expect(statSync(join(folder, "password")).mode & 0o777).toBe(0o600);
    await first.stop();
    await expect(first.exited).resolves.toEqual({ code: 0, signal: null });

    const second = await start();
    expect(second.port).toBe(first.port);
    expect(await ask(second.url("shop"), "SELECT n FROM t")).toBe(7);
  });

  it("lets nobody in without the password, and listens on 127.0.0.1 only", async () => {
    const server = await start();
    const url = new URL(server.url("postgres"));
    url.password = "wrong";
    await expect(ask(url.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
    expect(await ask(server.url("postgres"), "SHOW listen_addresses")).toBe("127.0.0.1");
    expect(await ask(server.url("postgres"), "SHOW unix_socket_directories")).toBe("");
  });

  it("takes another port where its old one is taken, and says so where the port was demanded", async () => {
    const first = await start();
    await first.stop();
    const squatter = createServer().listen(first.port, "127.0.0.1");
    await new Promise((listening) => squatter.once("listening", listening));
    try {
      await expect(start({ port: first.port })).rejects.toThrow(`port ${first.port} of 127.0.0.1 is taken`);
      expect((await start()).port).not.toBe(first.port);
    } finally {
      squatter.close();
    }
  });

  it("recovers from a lock file left by a crash whose pid now belongs to another process", async () => {
    await (await start()).stop();
    writeFileSync(join(dataFolder(), "postmaster.pid"), `${process.pid}\n${dataFolder()}\n`, { mode: 0o600 });
    expect(await ask((await start()).url("postgres"), "SELECT 1")).toBe(1);
  });

  it("tells the end of its log where it does not come up", async () => {
    await (await start()).stop();
    writeFileSync(join(dataFolder(), "postgresql.auto.conf"), "no_such_setting = 1\n");
    await expect(start()).rejects.toThrow(/did not come up.*no_such_setting/s);
    writeFileSync(join(dataFolder(), "postgresql.auto.conf"), "");
  });

  it("does not outlive a parent that is killed", async () => {
    const script = `
      import { startPostgres } from ${JSON.stringify(resolve("libs/embedded/src/postgres.ts"))};
      const server = await startPostgres({ folder: ${JSON.stringify(folder)}, durable: false });
      console.log(server.port);
      setInterval(() => {}, 1000);`;
    const { NODE_OPTIONS: _, ...env } = process.env;
    const parent = spawn(
      process.execPath,
      ["--import", resolve("test/typescript.mjs"), "--input-type=module", "-e", script],
      { stdio: ["ignore", "pipe", "inherit"], env },
    );
    await new Promise((said) => parent.stdout.once("data", said));
    const pid = Number(readFileSync(join(dataFolder(), "postmaster.pid"), "utf8").split("\n")[0]);
    expect(alive(pid)).toBe(true);
    parent.kill("SIGKILL");
    while (alive(pid)) await sleep(20);
    expect(await ask((await start()).url("postgres"), "SELECT 1")).toBe(1);
  });
});
