import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { EnforcedShop, failure, sessionError } from "./enforced-shop.fixture.js";
import { Enforcer } from "./enforcer.js";
import { killProcesses, startProcess, writeConfig } from "./enforcer-process.fixture.js";
import { ListenFailed } from "./listener/listener.js";

/** What goes away around an enforcer, and the enforcer itself. */

let shop: EnforcedShop;
beforeAll(async () => {
  shop = await EnforcedShop.start();
});
afterEach(() => shop.settled());
afterAll(() => shop?.drop());

describe("the resource", () => {
  test.each([
    ["cannot be reached", { upstream: { hosts: [{ host: "127.0.0.1", port: 1 }] } }, /cannot be reached/],
    ["has no credential here", { credential: { password: "env:NOT_SET_ANYWHERE" } }, /no credential/],
    ["refuses the credential", { credential: { password: "env:COUNTERFOIL_TEST_WRONG" } }, /./],
  ])("%s: said without a secret", async (_name, change, message) => {
    process.env.COUNTERFOIL_TEST_WRONG = "hunter2-hunter2";
    const before = shop.control.resource;
    const node = await Enforcer.start(await shop.world.config());
    try {
      shop.control.change({
        resource: {
          ...before,
          upstream: { ...before.upstream, ...("upstream" in change ? change.upstream : {}) },
          credential: { ...before.credential, ...("credential" in change ? change.credential : {}) },
        },
      });
      let error = await failure(shop.connect({ port: node.ports[0]! }));
      while (error.message.includes("control plane")) error = await failure(shop.connect({ port: node.ports[0]! }));
      expect(error.message).toMatch(message);
      const everything = JSON.stringify({ ...error, message: error.message });
      for (const secret of ["hunter2", before.credential.username, "127.0.0.1"])
        expect(everything).not.toContain(secret);
    } finally {
      shop.control.change({ resource: before });
      await node.drain();
    }
  });
});

describe("the control plane is away", () => {
  test("new sessions get a retryable error, open ones go on for the lease, then all is well again", async () => {
    const { control } = shop;
    const node = await Enforcer.start(await shop.world.config());
    try {
      control.change({ leaseSeconds: 2 });
      const open = await shop.connect({ port: node.ports[0]! });
      const told = sessionError(open);
      control.silent.add("beat").add("GetBundle").add("Lookup");
      expect((await open.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      expect(await told).toMatchObject({ severity: "FATAL", code: "57P01" });
      expect(await failure(shop.connect({ port: node.ports[0]! }))).toMatchObject({ code: "57P03" });
      control.silent.clear();
      control.change({ leaseSeconds: 15 });
      for (;;) {
        const client = await shop.connect({ port: node.ports[0]! }).catch(() => null);
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
    const { control } = shop;
    const client = await shop.connect();
    const told = sessionError(client);
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
    const { control } = shop;
    const forged = control.bundle();
    forged.signature[3]! ^= 1;
    control.push({ case: "bundle", value: forged });
    const beat = control.beat();
    beat.signature[3]! ^= 1;
    control.push({ case: "beat", value: beat });
    expect((await (await shop.connect()).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });
});

describe("the node", () => {
  test("says which port is taken", async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as { port: number };
    try {
      const listeners = [{ protocol: "postgres", host: "127.0.0.1", bind: "127.0.0.1", port }];
      const starting = Enforcer.start(await shop.world.config({ listeners }));
      await expect(starting).rejects.toThrow(ListenFailed);
      await expect(starting).rejects.toThrow(new RegExp(`port ${port}`));
    } finally {
      server.close();
    }
  });

  test("a full spool stops commands, never ends and decisions; acknowledged, it goes on", async () => {
    const node = await Enforcer.start(await shop.world.config({ spoolLimitBytes: 1 << 20 }));
    shop.control.acknowledging = false;
    try {
      const client = await shop.connect({ port: node.ports[0]! });
      let error: pg.DatabaseError | null = null;
      const text = `select 1 -- ${"x".repeat(20_000)}`;
      for (let n = 0; n < 200 && !error; n++) await client.query(text).catch((thrown) => (error = thrown));
      expect(error).not.toBeNull();
      expect(error!.message).toMatch(/could not be recorded/);
      expect(await failure(shop.connect({ port: node.ports[0]! }))).toMatchObject({ code: "57P03" });
      shop.control.acknowledging = true;
      for (;;) {
        const again = await shop.connect({ port: node.ports[0]! }).catch(() => null);
        if (again) break;
        await sleep(100);
      }
      await shop.control.recorded("sessionEnded", 1, ({ cause }) => cause === "fault");
    } finally {
      shop.control.acknowledging = true;
      await node.drain();
    }
  });

  // A small file system to fill takes root.
  (process.getuid?.() === 0 ? test : test.skip)(
    "a full disk stops commands; what is on it is shipped all the same after a restart, which frees it",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "full-disk-"));
      expect(spawnSync("sh", ["-c", `mount -t tmpfs -o size=2m none ${folder}`]).status).toBe(0);
      const config = await shop.world.config({ folder: join(folder, "node") });
      let node = await Enforcer.start(config);
      try {
        const client = await shop.connect({ port: node.ports[0]! });
        shop.control.acknowledging = false;
        await client.query("insert into notes (body) values ('on a full disk')");
        // Nothing else may have space either.
        expect(() => writeFileSync(join(folder, "else"), Buffer.alloc(4 << 20))).toThrow(/ENOSPC/);
        let error: pg.DatabaseError | null = null;
        const text = `select 1 -- ${"x".repeat(20_000)}`;
        for (let n = 0; n < 200 && !error; n++) await client.query(text).catch((thrown) => (error = thrown));
        expect(error!.message).toMatch(/could not be recorded/);
        await node.drain();
        shop.control.forget();
        shop.control.records.length = 0;
        shop.control.acknowledging = true;
        node = await Enforcer.start(config);
        await shop.control.recorded("commandStarted", 1, ({ command }) =>
          command!.statement.includes("on a full disk"),
        );
        for (let again: pg.Client | null = null; !again; await sleep(50)) {
          again = await shop.connect({ port: node.ports[0]! }).catch(() => null);
          await again?.query("select 'again'");
        }
      } finally {
        shop.control.acknowledging = true;
        await node.drain();
        spawnSync("sh", ["-c", `umount ${folder}`]);
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  test("drains: sessions are told natively, and everything is shipped", async () => {
    const node = await Enforcer.start(await shop.world.config());
    const client = await shop.connect({ port: node.ports[0]! });
    const told = sessionError(client);
    await client.query("select 1");
    await node.drain();
    expect((await told).message).toContain("shutting down");
    await shop.control.recorded("sessionEnded", 1, ({ cause }) => cause === "shutdown");
  });

  describe("as a process", () => {
    afterEach(killProcesses);

    test("killed in the middle, it ships what it had recorded when it is back, and its listeners need no control plane to open", async () => {
      const path = await writeConfig(shop.world);
      const { control } = shop;
      const first = await startProcess(path);
      control.acknowledging = false;
      const client = await shop.connect({ port: first.port });
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
      expect((await (await shop.connect({ port: second.port })).query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      control.silent.clear();
      second.child.kill("SIGTERM");
      const [code] = await once(second.child, "exit");
      expect(code).toBe(0);
    });

    test("follows its parent's end", async () => {
      const { child } = await startProcess(await writeConfig(shop.world), { COUNTERFOIL_PARENT_PIPE: "1" });
      child.stdin!.end();
      const [code] = await once(child, "exit");
      expect(code).toBe(0);
    });

    test("one that follows another on the same folder waits until that has drained", async () => {
      const path = await writeConfig(shop.world);
      const before = await startProcess(path);
      const after = startProcess(path);
      before.child.kill("SIGTERM");
      expect((await after).child.exitCode).toBeNull();
    });

    test("two never share a folder", async () => {
      const path = await writeConfig(shop.world);
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
      await expect(startProcess(await writeConfig(shop.world, change))).rejects.toThrow(message);
    });
  });
});
