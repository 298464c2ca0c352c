import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { type Bus, connectBus, ensureStreams } from "#bus";
import { startNats } from "./nats.js";
import { findNats, type NatsSources } from "./nats-binary.js";
import { releaseFor } from "./nats-release.js";

let folder: string;
const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "counterfoil-nats-"));
});
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: { port?: number } = {}) {
  const server = await startNats({ folder, ...options });
  cleanup.push(() => server.stop());
  return server;
}
async function connect(server: Awaited<ReturnType<typeof start>>): Promise<Bus> {
  const credentials = readFileSync(server.credentials.control, "utf8");
  const bus = await connectBus({ url: server.url, credentials, name: "test" });
  cleanup.push(() => bus.close());
  return bus;
}

test("a second start has the port, the keys and the stream's content of the first", async () => {
  const first = await start();
  const bus = await connect(first);
  await ensureStreams(bus);
  await ensureStreams(bus);
  await jetstream(bus.nats).publish("events.test.Happened", "kept");
  await bus.close();
  await first.stop();

  const second = await start();
  expect(second.port).toBe(first.port);
  const again = await connect(second);
  const message = await (await jetstream(again.nats).streams.get("EVENTS")).getMessage({ seq: 1 });
  expect(message?.string()).toBe("kept");
});

test("keys and configuration are for their owner's eyes", async () => {
  const server = await start();
  const files = [...readdirSync(server.keys).map((name) => join(server.keys, name)), join(folder, "nats.conf")];
  expect(files.length).toBeGreaterThanOrEqual(7);
  for (const file of files) expect([file, statSync(file).mode & 0o077]).toEqual([file, 0]);
});

test("it listens on the loopback only", async () => {
  const server = await start();
  const outside = Object.values(networkInterfaces())
    .flat()
    .filter((it) => it && !it.internal && it.family === "IPv4");
  for (const address of outside) {
    const url = `nats://${address!.address}:${server.port}`;
    await expect(connectBus({ url, name: "outside", patienceMs: 0 })).rejects.toThrow(/there is no bus/);
  }
  expect(readFileSync(join(folder, "nats.conf"), "utf8")).toContain(`listen: "127.0.0.1:${server.port}"`);
});

test("a taken port is an error that names it; a remembered one that is taken is another port", async () => {
  const holder = createServer();
  const port = await new Promise<number>((resolve) => {
    holder.listen(0, "127.0.0.1", () => resolve((holder.address() as { port: number }).port));
  });
  cleanup.push(() => holder.close());
  await expect(startNats({ folder, port })).rejects.toThrow(`port ${port} of 127.0.0.1 is taken`);
  writeFileSync(join(folder, "port"), String(port));
  expect((await start()).port).not.toBe(port);
});

test("a server that can't start says why, with its log", async () => {
  writeFileSync(join(folder, "jetstream"), "not a folder");
  await expect(startNats({ folder })).rejects.toThrow(/did not come up[\s\S]*nats\.log/);
});

describe("the binary", () => {
  const fake = (path: string) => {
    writeFileSync(path, "#!/bin/sh\necho 'nats-server: v2.99.1'\n");
    chmodSync(path, 0o755);
  };
  const nothing: NatsSources = {
    folders: [],
    release: null,
    run: (program) => {
      throw new Error(`${program}: no network`);
    },
  };

  test("is taken from the first folder that has a working one", async () => {
    const [broken, working] = [join(folder, "a"), join(folder, "b")];
    for (const path of [broken, working]) mkdirSync(path);
    writeFileSync(join(broken, "nats-server"), "no program");
    fake(join(working, "nats-server"));
    expect(await findNats(join(folder, "stage"), { ...nothing, folders: [broken, working] })).toEqual({
      path: join(working, "nats-server"),
      version: "2.99.1",
    });
  });

  test("is unpacked from the distribution's package, once", async () => {
    const stage = join(folder, "stage");
    const runs: string[] = [];
    const run = (program: string, args: readonly string[], cwd: string) => {
      runs.push([program, ...args].join(" "));
      if (args[0] === "download") writeFileSync(join(cwd, "nats-server_2.deb"), "");
      if (program === "dpkg-deb") {
        mkdirSync(join(cwd, "usr", "sbin"), { recursive: true });
        fake(join(cwd, "usr", "sbin", "nats-server"));
      }
    };
    expect((await findNats(stage, { ...nothing, run })).path).toBe(join(stage, "nats-server"));
    expect(runs).toEqual(["apt-get download nats-server", "dpkg-deb -x nats-server_2.deb ."]);
    await findNats(stage, { ...nothing, run });
    expect(runs).toHaveLength(2);
    expect(readdirSync(stage)).toEqual(["nats-server"]);
  });

  test("is the pinned release where there is no package, if its checksum is right", async () => {
    const made = join(folder, "nats-server-v2.99.1-linux-amd64");
    mkdirSync(made);
    fake(join(made, "nats-server"));
    execFileSync("tar", ["-czf", "release.tar.gz", "nats-server-v2.99.1-linux-amd64"], { cwd: folder });
    const archive = readFileSync(join(folder, "release.tar.gz"));
    const front = createHttpServer((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/release" }).end();
      else response.writeHead(request.url === "/release" ? 200 : 404).end(archive);
    });
    await new Promise<void>((listening) => front.listen(0, "127.0.0.1", listening));
    cleanup.push(() => front.close());
    const at = `http://127.0.0.1:${(front.address() as { port: number }).port}`;
    const run: NatsSources["run"] = (program, args, cwd) => {
      if (program !== "tar") throw new Error("no package");
      execFileSync(program, args, { cwd });
    };
    const sha256 = createHash("sha256").update(archive).digest("hex");
    const stage = join(folder, "stage");

    const wrong = { url: `${at}/release`, sha256: sha256.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) };
    for (const release of [wrong, { url: `${at}/nowhere`, sha256 }]) {
      await expect(findNats(stage, { ...nothing, run, release })).rejects.toThrow(/no nats-server found/);
      expect(existsSync(join(stage, "nats-server"))).toBe(false);
    }
    const found = await findNats(stage, { ...nothing, run, release: { url: `${at}/moved`, sha256 } });
    expect(found).toEqual({ path: join(stage, "nats-server"), version: "2.99.1" });
    expect(readdirSync(stage)).toEqual(["nats-server"]);
  });

  test("is pinned for the machines the project runs on", () => {
    for (const arch of ["x64", "arm64"]) {
      expect(releaseFor("linux", arch)?.url).toMatch(/^https:\/\/github\.com\/nats-io\/.*\.tar\.gz$/);
      expect(releaseFor("linux", arch)?.sha256).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(releaseFor("win32", "x64")).toBeNull();
  });

  test("that is nowhere to be had is one sentence that says what to do", async () => {
    await expect(findNats(join(folder, "stage"), nothing)).rejects.toThrow(/apt-get install nats-server/);
  });
});
