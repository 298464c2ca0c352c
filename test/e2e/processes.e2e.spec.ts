import { once } from "node:events";
import { cpSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { readApiConfig } from "../../apps/api/src/api.config.js";
import { readApprovalConfig } from "../../apps/approval/src/approval.config.js";
import { readAuditConfig } from "../../apps/audit/src/audit.config.js";
import { readIdentityConfig } from "../../apps/identity/src/identity.config.js";
import { readPolicyConfig } from "../../apps/policy/src/policy.config.js";
import { readTokensConfig } from "../../apps/tokens/src/tokens.config.js";
import { eventually } from "./installation.js";
import { Processes, SERVICES } from "./processes.js";

// Every service a process of its own, and each of them killed. The steps build on one another and run in order.

const SHOP = `
  create table customers (id int primary key, name text not null, email text not null);
  insert into customers select n, 'Name ' || n, 'user' || n || '@example.com' from generate_series(1, 20) n;
`;

let processes: Processes;
let connection: Awaited<ReturnType<Processes["exchange"]>>;
let port: number;

beforeAll(async () => {
  processes = await Processes.create();
  const client = new pg.Client({ connectionString: processes.shop.url });
  await client.connect();
  await client.query(SHOP).finally(() => client.end());
  port = await freePort();
}, 120_000);
afterAll(() => processes?.dispose());

describe("starting", () => {
  const wrong = { COUNTERFOIL_NATS_CREDENTIALS: "/nowhere", COUNTERFOIL_LEASE_SECONDS: "1", COUNTERFOIL_API_PORT: "x" };

  test.each([
    ["identity", readIdentityConfig, ["DATABASE_URL", "KEYS", "NATS_CREDENTIALS", "NATS_URL"]],
    ["tokens", readTokensConfig, ["DATABASE_URL", "KEYS", "NATS_CREDENTIALS", "NATS_URL"]],
    ["policy", readPolicyConfig, ["DATABASE_URL", "KEYS", "LEASE_SECONDS", "NATS_CREDENTIALS", "NATS_URL"]],
    ["approval", readApprovalConfig, ["DATABASE_URL", "NATS_CREDENTIALS", "NATS_URL"]],
    ["audit", readAuditConfig, ["DATABASE_URL", "NATS_CREDENTIALS", "NATS_URL"]],
    ["api", readApiConfig, ["API_PORT", "NATS_CREDENTIALS", "NATS_URL"]],
  ])("%s names all that is wrong with its environment", (_program, read, names) => {
    const message = messageOf(() => read(wrong));
    expect([...message.matchAll(/COUNTERFOIL_(\w+) must be/g)].map(([, name]) => name).sort()).toEqual(names);
  });

  test("a program says so and ends", async () => {
    const { code, stderr } = await processes.launch("policy", wrong).finished;
    expect(code).toBe(1);
    expect(stderr).toContain("COUNTERFOIL_LEASE_SECONDS must be a whole number from 5 to 86400");
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test("identity says which of the bus's keys is missing", async () => {
    rmSync(join(processes.keys, "nats"), { recursive: true });
    const { code, stderr } = await processes.launch("identity", processes.environment()).finished;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/there is no .*enforcers\.seed/)]);
    cpSync(processes.nats.keys, join(processes.keys, "nats"), { recursive: true });
  });

  test("all of them at once on an empty database, in any order", async () => {
    await processes.startControlPlane();
    await processes.api("POST", "/v1/apply", document());
    await processes.startEnforcer(port);
    const { items } = await processes.api<{ items: object[] }>("GET", "/v1/enforcers");
    expect(items).toMatchObject([{ name: "one", removed: false }]);
    connection = await processes.exchange();
  }, 240_000);
});

describe("the main job", () => {
  test("an identity token is exchanged once, where its issuer is declared so", async () => {
    await processes.exchange("7-1");
    await expect(processes.exchange("7-1")).rejects.toThrow(/^400 .*has been exchanged already/);
    const told = { reason: "exchanged_already", issuer: "ci", subject_token_id: "7-1", resource: "shop", count: 1 };
    const entry = await eventually(async () =>
      (await processes.events()).find(({ type }) => type === "exchange.refused"),
    );
    expect(entry.data).toMatchObject({ event: { ...told, client_addresses: ["127.0.0.1"] } });
  });

  test("what a service would refuse, a dry run refuses, each in its place", async () => {
    const { issuers, resources, labels } = document() as Record<string, Record<string, unknown>[]>;
    const wrong = {
      issuers: [{ ...issuers![0], url: "http://issuer.example.com" }],
      resources: [{ ...resources![0], upstream: { host: "db:5432", port: 5432 } }],
      labels: [{ ...labels![0], columns: Array(2).fill({ resource: "shop", table: "customers", column: "email" }) }],
      policies: [{ name: "p", description: "x".repeat(1_001), text: "permit (principal, action, resource);" }],
    };
    const refused = processes.api("POST", "/v1/apply?dry_run=true", wrong);
    for (const place of [
      "/issuers/0/url",
      "/resources/0/upstream/host",
      "/labels/0/columns/1",
      "/policies/0/description",
    ]) {
      await expect(refused).rejects.toThrow(place);
    }
  });

  test("a select is masked", async () => {
    const { code, stdout, stderr } = await processes.query(
      connection,
      "select name, email from customers where id = 1",
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Name 1\|/);
    expect(stdout).not.toContain("user1@");
  });

  test("a command is blocked", async () => {
    const { code, stderr } = await processes.query(connection, "delete from customers");
    expect([code, stderr]).toEqual([1, expect.stringContaining("42501")]);
  });

  test("a command waits for a person", async () => {
    const { finished } = processes.psql(connection, "-c", "alter table customers add column note text");
    await approve();
    expect(await finished).toMatchObject({ code: 0, stdout: "ALTER TABLE\n" });
  });
});

describe("the tokens service is killed", () => {
  test("who is in stays in, who comes is told to try again; then all is well", async () => {
    const session = await open();
    await processes.kill("tokens");
    expect(await session.ask("select count(*) from customers")).toBe("20");
    // psql does not say the SQLSTATE.
    const [{ code, stderr }, sqlstate] = await Promise.all([processes.query(connection, "select 1"), loginCode()]);
    expect([code, stderr, sqlstate]).toEqual([2, expect.stringMatching(/control plane.*Try again/s), "57P03"]);
    await processes.start("tokens");
    expect(await processes.query(connection, "select 1")).toMatchObject({ code: 0, stdout: "1\n" });
    expect(await session.ask("select 'still here'")).toBe("still here");
    await session.leave();
  });
});

describe("the policy service is killed for longer than the lease", () => {
  test("nothing is decided by an old policy; then all is well", async () => {
    const session = await open();
    // It is told of late: none open would else be true before it is known at all.
    await eventually(async () => (await openApplications()).includes("stays"));
    await processes.kill("policy");
    await eventually(async () => (await openApplications()).length === 0);
    const { stderr } = await session.end("select 1;\n");
    expect(stderr).toMatch(/57P01.*longer than the policy permits/s);
    expect(await loginCode()).toBe("57P03");
    await processes.start("policy");
    await eventually(async () => (await processes.query(connection, "select 1")).code === 0);
  });
});

describe("the enforcer is killed in the middle of a command", () => {
  test("its records arrive once it is back, each of them and in order, and its session is known to be lost", async () => {
    const statement = "select 'in the middle', pg_sleep(3600)";
    const psql = processes.psql(connection, "-c", "select 'begun'", "-c", statement);
    await psql.says(/begun/);
    await running(statement);
    await processes.kill("audit");
    await processes.kill("enforcer");
    expect((await psql.finished).code).toBe(2);
    await processes.start("audit");
    await processes.start("enforcer");
    await eventually(async () => (await processes.query(connection, "select 1")).code === 0);
    const events = await eventually(async () => {
      const found = await processes.events();
      const begun = found.find((event) => event.type === "command.started" && text(event).includes("in the middle"));
      // Said by whoever has its spool now, behind everything it had recorded.
      return (await sessions("lost")).some(({ id }) => id === begun?.session_id) && found;
    });
    expect(events.map(({ index }) => index)).toEqual(events.map((_, n) => n + 1));
    const records = events.filter(({ origin }) => origin === "edge");
    for (const source of new Set(records.map((record) => record.source))) {
      const sequences = records.filter((record) => record.source === source).map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.map((_, n) => n + 1));
    }
  });
});

test("each of them ends in order when asked", async () => {
  for (const program of ["enforcer", "api", ...SERVICES] as const) {
    const { child, finished } = processes.running.get(program)!;
    child.kill("SIGTERM");
    expect([program, (await finished).code]).toEqual([program, 0]);
  }
});

const text = (event: object) => JSON.stringify(event);

function messageOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it was right");
}

/** Those the audit log knows of. */
async function sessions(status: "open" | "lost"): Promise<{ id: string; client_application: string }[]> {
  const { items } = await processes.api<{ items: { id: string; client_application: string }[] }>(
    ...(["GET", `/v1/sessions?status=${status}`] as const),
  );
  return items;
}

const openApplications = async () => (await sessions("open")).map(({ client_application }) => client_application);

function document() {
  const { hostname, port: shopPort, pathname, username } = new URL(processes.shop.url);
  return {
    issuers: [
      {
        ...{ name: "ci", url: processes.issuer.url, audiences: ["counterfoil"], exchange_once: true },
        claims: { groups: "groups", run: "run" },
      },
    ],
    resources: [
      {
        ...{ name: "shop", protocol: "postgres", group: "demo" },
        upstream: { host: hostname, port: Number(shopPort), database: pathname.slice(1), tls: "disable" },
        credential: { username, password: "env:SHOP_PASSWORD" },
      },
    ],
    labels: [
      {
        name: "pii.email",
        transform: { kind: "redact" },
        columns: [{ resource: "shop", table: "customers", column: "email" }],
      },
    ],
    policies: [
      {
        name: "shop",
        text: `permit (principal in Group::"ci", action == Action::"connect", resource);
          permit (principal in Group::"ci", action in [Action::"sql:read", Action::"sql:write"], resource);
          @approval("dba") @ttl("15m") @reason("Schema changes need a second pair of eyes.")
          permit (principal in Group::"ci", action in Action::"sql:ddl", resource);
          @reason("Say which rows.") forbid (principal, action == Action::"sql:delete", resource) unless { context.bounded };`,
      },
    ],
  };
}

/** A psql that stays. */
async function open() {
  const { environment, ca } = connection;
  const psql = processes.psql({ environment: { ...environment, PGAPPNAME: "stays" }, ca });
  let asked = 0;
  const ask = async (sql: string): Promise<string> => {
    const mark = `answer ${++asked}`;
    const before = psql.stdout.length;
    psql.type(`${sql};\n\\echo ${mark}\n`);
    await psql.says(new RegExp(`^${mark}$`, "m"));
    return psql.stdout.slice(before).split("\n")[0] ?? "";
  };
  expect(await ask("select 'in'")).toBe("in");
  return {
    ask,
    leave: async () => {
      psql.child.stdin?.end();
      expect((await psql.finished).code).toBe(0);
    },
    end: (last: string) => {
      psql.type(last);
      psql.child.stdin?.end();
      return psql.finished;
    },
  };
}

/** The SQLSTATE a new session is refused with. */
async function loginCode(): Promise<string | undefined> {
  const { environment, ca } = connection;
  const client = new pg.Client({
    ...{ host: environment.PGHOST, port: Number(environment.PGPORT), database: environment.PGDATABASE },
    ...{ user: environment.PGUSER, password: environment.PGPASSWORD, ssl: { ca } },
  });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.end();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

async function approve(): Promise<void> {
  const pending = await eventually(async () => {
    const { items } = await processes.api<{ items: { id: string }[] }>("GET", "/v1/approvals?status=pending");
    return items[0];
  });
  await processes.api("POST", `/v1/approvals/${pending.id}/decision`, { decision: "approve", reason: "ticket 42" });
}

/** Waits until the server itself runs it. */
async function running(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: processes.shop.url });
  await client.connect();
  try {
    await eventually(async () => {
      const { rows } = await client.query("select 1 from pg_stat_activity where state = 'active' and query = $1", [
        statement,
      ]);
      return rows.length > 0;
    });
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
