import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { eventually, Installation, type Running } from "./installation.js";

// How an installation starts, ends, comes back, and says what is wrong.

let installation: Installation;

/** The processes that work for this installation: its folder is in their command line or their working folder's name. */
const processesOf = ({ folder }: Installation): string[] =>
  execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(folder) && !line.includes("ps -eo"));

const eventCount = async (): Promise<number> => {
  const text = await (await installation.api("GET", "/v1/events?after=0&limit=1000")).text();
  return text.split("\n").filter((line) => line !== "").length;
};

/** The process that holds the installation's lock. */
const ownerPid = () => Number(readFileSync(join(installation.state, "lock"), "utf8").split(" ")[0]);

/** The installation's own enforcer: a child of that process. */
function enforcerPid(): number {
  const children = execFileSync("ps", ["--ppid", String(ownerPid()), "-o", "pid=,args="], { encoding: "utf8" });
  return Number(
    children
      .split("\n")
      .find((line) => line.includes("apps/enforcer/src/main.js"))
      ?.trim()
      .split(" ")[0],
  );
}

describe("one that runs", () => {
  // Each test finds it running and leaves it running.
  let server: Running;
  beforeAll(async () => {
    installation = await Installation.create();
    server = await installation.startByNpm();
    expect(server.stdout).toContain(`export COUNTERFOIL_STATE='${installation.state}'`);
  }, 120_000);
  afterAll(() => installation?.dispose());

  test("a second one on the same state says which process has it", async () => {
    const second = await installation.launch().finished;
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`already runs on ${installation.state} (process ${ownerPid()})`);
  }, 120_000);

  test("a killed enforcer is started again, and what it had recorded arrives", async () => {
    const running = installation.begin([
      ...["run", "--as", "ci", "--resource", "shop", "--", "psql", "-X", "-A", "-t"],
      ...["-c", "select 'started'", "-c", "select pg_sleep(3600)"],
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

  test.each([
    ["SIGTERM", "returned"],
    ["SIGINT", "new"],
  ] as const)(
    "%s to npm ends all of it, in order, and what was known is known after a restart",
    async (signal, status) => {
      const { key } = installation;
      const updated = await installation.psql(`update orders set status = '${status}' where id = 2`);
      expect(updated.stdout.trim()).toBe("UPDATE 1");
      const events = await eventually(async () => {
        const count = await eventCount();
        return count > 15 && count;
      });
      await installation.stop(signal);
      expect(server.stdout).toContain("… stopping");
      expect(processesOf(installation)).toEqual([]);

      server = await installation.startByNpm();
      expect(server.stdout).not.toContain("cfk_");
      expect(installation.key).toBe(key);
      expect(await eventCount()).toBeGreaterThanOrEqual(events);
      const { stdout } = await installation.psql("select status from orders where id = 2");
      expect(stdout.trim()).toBe(status);
    },
    120_000,
  );

  test("killed without warning it leaves no process behind, and comes back", async () => {
    const { key } = installation;
    const enforcer = enforcerPid();
    process.kill(ownerPid(), "SIGKILL");
    await server.finished;
    await eventually(async () => processesOf(installation).length === 0);
    server = await installation.startByNpm();
    expect(() => process.kill(enforcer, 0)).toThrow("ESRCH");
    expect(installation.key).toBe(key);
    expect((await installation.psql("select 1")).stdout.trim()).toBe("1");
  }, 120_000);

  test("--reset begins anew", async () => {
    const { key } = installation;
    await installation.stop();
    server = await installation.start(["--reset"]);
    expect(installation.key).not.toBe(key);
    expect((await installation.psql("select count(*) from customers")).stdout.trim()).toBe("2000");
  }, 120_000);
});

describe("one that does not start", () => {
  beforeEach(async () => {
    installation = await Installation.create();
  });
  afterEach(() => installation.dispose());

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
    [
      { COUNTERFOIL_API_PORT: "7071", COUNTERFOIL_ISSUER_PORT: "7071" },
      [],
      /API_PORT and \w+ISSUER_PORT are both 7071/,
    ],
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
});
