import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identityV1 } from "#contracts";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let nats: FreshNats;
let database: FreshDatabase;
let keys: string;
let child: ChildProcess | undefined;

beforeAll(async () => {
  [nats, database] = await Promise.all([freshNats(), freshDatabase()]);
  keys = mkdtempSync(join(tmpdir(), "counterfoil-test-keys-"));
  cpSync(nats.keys, join(keys, "nats"), { recursive: true });
});

afterAll(async () => {
  child?.kill("SIGKILL");
  await nats?.drop();
  await database?.drop();
  if (keys) rmSync(keys, { recursive: true, force: true });
});

function run(env: NodeJS.ProcessEnv) {
  const started = spawn(
    process.execPath,
    ["--no-warnings", "--import", "./test/typescript.mjs", "apps/identity/src/main.ts"],
    {
      cwd: root,
      env: { PATH: process.env.PATH, ...env },
    },
  );
  let output = "";
  for (const stream of [started.stdout, started.stderr]) stream.on("data", (chunk) => (output += chunk));
  const ready = new Promise<void>((resolve, reject) => {
    started.stdout.on("data", () => output.includes("ready") && resolve());
    started.once("exit", () => reject(new Error(output)));
  });
  ready.catch(() => {});
  return { process: started, ready, output: () => output };
}

test("starts as a process of its own, answers, and ends in order", async () => {
  const service = run({
    COUNTERFOIL_DATABASE_URL: database.url,
    COUNTERFOIL_NATS_URL: nats.url,
    COUNTERFOIL_NATS_CREDENTIALS: nats.credentials.control,
    COUNTERFOIL_KEYS: keys,
  });
  child = service.process;
  await service.ready;
  const bus = await nats.connect("test");
  const call = { actor: { id: "t", name: "t", roles: [] }, commandId: randomUUID() };
  expect(await bus.call(identityV1.Identity.method.listIssuers, {}, call)).toMatchObject({ issuers: [] });
  service.process.kill("SIGTERM");
  const [code] = await once(service.process, "exit");
  expect(code).toBe(0);
});

test("says so where the bus's keys are missing", async () => {
  rmSync(join(keys, "nats"), { recursive: true });
  const service = run({
    COUNTERFOIL_DATABASE_URL: database.url,
    COUNTERFOIL_NATS_URL: nats.url,
    COUNTERFOIL_NATS_CREDENTIALS: nats.credentials.control,
    COUNTERFOIL_KEYS: keys,
  });
  child = service.process;
  await expect(service.ready).rejects.toThrow(/there is no .*enforcers\.seed/);
});

test("says what is wrong with its environment, by name", async () => {
  const service = run({ COUNTERFOIL_NATS_CREDENTIALS: "/nowhere" });
  child = service.process;
  await expect(service.ready).rejects.toThrow();
  for (const name of ["DATABASE_URL", "NATS_URL", "NATS_CREDENTIALS", "KEYS"]) {
    expect(service.output()).toContain(`COUNTERFOIL_${name}`);
  }
});
