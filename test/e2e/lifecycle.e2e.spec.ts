import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { eventually, Installation } from "./installation.js";

// How an installation starts, ends, comes back, and says what is wrong.

let installation: Installation;

beforeEach(async () => {
  installation = await Installation.create();
});
afterEach(() => installation.dispose());

/** The processes that work for this installation: its folder is in their command line or their working folder's name. */
const processesOf = ({ folder }: Installation): string[] =>
  execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(folder) && !line.includes("ps -eo"));

const eventCount = async (): Promise<number> => {
  const text = await (await installation.api("GET", "/v1/events?after=0&limit=1000")).text();
  return text.split("\n").filter((line) => line !== "").length;
};

test("what was known is known after a restart, and nothing runs in between", async () => {
  await installation.start();
  const key = installation.key;
  expect((await installation.psql("update orders set status = 'returned' where id = 2")).stdout.trim()).toBe(
    "UPDATE 1",
  );
  const events = await eventually(async () => {
    const count = await eventCount();
    return count > 15 && count;
  });
  await installation.stop();
  expect(processesOf(installation)).toEqual([]);

  const again = await installation.start();
  expect(again.stdout).not.toContain("cfk_");
  expect(installation.key).toBe(key);
  expect(await eventCount()).toBeGreaterThanOrEqual(events);
  expect((await installation.psql("select status from orders where id = 2")).stdout.trim()).toBe("returned");
}, 120_000);

test("killed without warning it leaves no process behind, and comes back", async () => {
  const server = await installation.start();
  const before = installation.key;
  const enforcer = enforcerPid();
  server.child.kill("SIGKILL");
  await server.finished;
  await eventually(async () => processesOf(installation).length === 0);
  await installation.start();
  expect(() => process.kill(enforcer, 0)).toThrow("ESRCH");
  expect(installation.key).toBe(before);
  expect((await installation.psql("select 1")).stdout.trim()).toBe("1");
}, 120_000);

test("a killed enforcer is started again, and what it had recorded arrives", async () => {
  await installation.start();
  const running = installation.begin([
    ...["run", "--as", "ci", "--resource", "shop", "--", "psql", "-X", "-A", "-t"],
    ...["-c", "select 'started'", "-c", "select count(*) from generate_series(1, 100000000000) n"],
  ]);
  await running.says(/started/);
  process.kill(enforcerPid(), "SIGKILL");
  expect((await running.finished).code).not.toBe(0);
  const { stdout } = await eventually(async () => {
    const tried = await installation.psql("select 'again'");
    return tried.code === 0 && tried;
  });
  expect(stdout.trim()).toBe("again");
  await eventually(async () => {
    const text = await (await installation.api("GET", "/v1/events?after=0&limit=1000")).text();
    return text.includes("select 'started'") && text.includes("select 'again'");
  });
}, 120_000);

/** The installation's own enforcer: the child of the process that holds the lock. */
function enforcerPid(): number {
  const owner = readFileSync(join(installation.state, "lock"), "utf8").split(" ")[0];
  const children = execFileSync("ps", ["--ppid", String(owner), "-o", "pid=,args="], { encoding: "utf8" }).split("\n");
  return Number(
    children
      .find((line) => line.includes("apps/enforcer/src/main.js"))
      ?.trim()
      .split(" ")[0],
  );
}

test("--reset begins anew", async () => {
  await installation.start();
  const key = installation.key;
  await installation.stop();
  await installation.start(["--reset"]);
  expect(installation.key).not.toBe(key);
  expect((await installation.psql("select count(*) from customers")).stdout.trim()).toBe("2000");
}, 120_000);

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s to npm ends all of it, in order",
  async (signal) => {
    const server = installation.launchByNpm();
    await server.says(/^ready$/m);
    expect(server.stdout).toContain(`export COUNTERFOIL_STATE='${installation.state}'`);
    server.child.kill(signal);
    await server.finished;
    expect(server.stdout).toContain("… stopping");
    await eventually(async () => processesOf(installation).length === 0);
  },
  120_000,
);

test("a second one on the same state says which process has it", async () => {
  await installation.start();
  const second = await installation.launch().finished;
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(`already runs on ${installation.state}`);
}, 120_000);

test("a taken port is a clear error that names the setting", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(installation.ports.postgres, "127.0.0.1", resolve));
  try {
    const { code, stderr } = await installation.launch().finished;
    expect(code).toBe(1);
    expect(stderr).toContain(`127.0.0.1:${installation.ports.postgres} is taken`);
    expect(stderr).toContain("COUNTERFOIL_POSTGRES_PORT");
    expect(stderr).not.toContain("    at ");
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
  expect(processesOf(installation)).toEqual([]);
}, 60_000);

test.each([
  ["a state folder that is a file", (state: string) => writeFileSync(state, ""), /cannot be written/],
  [
    "a state folder whose lock cannot be made",
    (state: string) => {
      mkdirSync(join(state, "lock"), { recursive: true });
      chmodSync(state, 0o700);
    },
    /lock cannot be read; remove it/,
  ],
])("%s is one sentence on what to do", async (_name, spoil, says) => {
  spoil(installation.state);
  const { code, stderr } = await installation.launch().finished;
  expect(code).toBe(1);
  expect(stderr).toMatch(says);
  expect(stderr).not.toContain("    at ");
});

test.each([
  [{ COUNTERFOIL_API_PORT: "seventy" }, [], /COUNTERFOIL_API_PORT must be a port/],
  [{ COUNTERFOIL_API_PORT: "7071", COUNTERFOIL_ISSUER_PORT: "7071" }, [], /API_PORT and \w+ISSUER_PORT are both 7071/],
  [{ COUNTERFOIL_HOST: "999.1.1.1" }, [], /999.1.1.1 is no address of this machine: set COUNTERFOIL_HOST/],
  [{}, ["--rest"], /unknown option --rest/],
  [{ COUNTERFOIL_STATE: "/proc/counterfoil/state" }, [], /\/proc\/counterfoil\/state cannot be written/],
])("bad settings are named: %j %j", async (env, args, says) => {
  const { code, stderr } = await installation.launch(args, env as NodeJS.ProcessEnv).finished;
  expect([code, says.test(stderr)]).toEqual([1, true]);
});

test("SIGTERM in the middle of the start ends all of it", async () => {
  const starting = installation.launch();
  await starting.says(/… nats-server/);
  starting.child.kill("SIGTERM");
  await starting.finished;
  await eventually(async () => processesOf(installation).length === 0);
}, 60_000);
