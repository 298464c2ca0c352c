import { statSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { edgeV1, policyV1, pushSubject } from "#contracts";
import { Declaring } from "./handlers/declaring.js";
import { admin, email, RunningPolicy, shop } from "./policy.fixture.js";

const { method } = policyV1.Policy;

let policy: RunningPolicy;
beforeAll(async () => {
  policy = await RunningPolicy.start();
});
afterAll(() => policy?.drop());

test("a change is pushed with a higher epoch, and verifies", async () => {
  const heard = policy.listen();
  const made = await policy.putShop({}, 0n);
  expect(made).toMatchObject({ name: "shop", version: 1n, reads: policyV1.Durability.OS });
  const first = await heard.bundle(({ resources }) => resources.length === 1);
  await policy.putPolicy("base", 'permit(principal, action == Action::"connect", resource);');
  const second = await heard.bundle(({ policies }) => policies.length === 1);
  expect(second.epoch).toBe(first.epoch + 1);
  await policy.bus.call(method.putLabel, { label: email() }, admin());
  const third = await heard.bundle(({ labels }) => labels.length === 1);
  expect(third).toMatchObject({
    group: "default",
    epoch: first.epoch + 2,
    leaseSeconds: 15,
    labels: [
      { name: "pii.email", columns: [{ resource: "shop", schema: "public", table: "customers", column: "email" }] },
    ],
    resources: [
      {
        name: "shop",
        upstream: { hosts: [{ host: "127.0.0.1", port: 5432 }], targetSessionAttrs: "any", tls: "disable" },
        credential: { password: "env:SHOP_PASSWORD" },
        reads: "os",
      },
    ],
    policies: [{ name: "base" }],
  });
  expect(third.resources[0]).not.toHaveProperty("group");
  await heard.beat(({ epoch }) => epoch === third.epoch);
  heard.end();
});

test("the signing key is its owner's alone", () => {
  expect(statSync(join(policy.keys, "signing.key.pem")).mode & 0o777).toBe(0o600);
});

test("what is there already changes nothing: no event, no epoch", async () => {
  const before = await policy.getBundle();
  expect(await policy.putShop()).toMatchObject({ version: 1n });
  expect((await policy.getBundle()).bundle?.epoch).toBe(before.bundle?.epoch);
  expect((await policy.getBundle(BigInt(before.bundle!.epoch))).bundle).toBeUndefined();
});

test("a tampered bundle does not verify", async () => {
  const { signed } = await policy.getBundle();
  const part = signed!.parts.find(({ name }) => name === "policies")!;
  part.content[part.content.length - 3]! ^= 1;
  expect(() => policy.readBundle(signed!)).toThrow("part policies of the bundle is not what its manifest names");
});

test("versions guard changes; a repeated command has its first answer", async () => {
  await expect(policy.putShop({}, 0n)).rejects.toMatchObject({ code: "version_conflict" });
  await expect(policy.putShop({ reads: policyV1.Durability.DISK }, 7n)).rejects.toMatchObject({
    code: "version_conflict",
  });
  const call = admin();
  const request = { resource: shop({ reads: policyV1.Durability.DISK }), precondition: { version: 1n } };
  expect(await policy.bus.call(method.putResource, request, call)).toMatchObject({ version: 2n });
  expect(await policy.bus.call(method.putResource, request, call)).toMatchObject({ version: 2n });
  await expect(policy.bus.call(method.putResource, { resource: shop({ group: "edge" }) }, call)).rejects.toMatchObject({
    code: "conflict",
  });
  expect(await policy.bus.call(method.getResource, { name: "shop" }, admin())).toMatchObject({
    version: 2n,
    reads: policyV1.Durability.DISK,
  });
});

test("bad input is refused with what to do about it, and changes nothing", async () => {
  const { bundle } = await policy.getBundle();
  const refused = (asked: Promise<unknown>, message: RegExp, code = "invalid") =>
    expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  await refused(policy.putShop({ protocol: "gopher" }), /protocol: "gopher" is not known; known: .*postgres/);
  await refused(
    policy.putShop({ credential: { username: "a", password: "hunter2" } }),
    /^credential.password: (?!.*hunter2).*never the secret itself/,
  );
  await refused(policy.bus.call(method.putResource, {}, admin()), /resource: is missing/);
  await refused(policy.putPolicy("bad", "\n\npermit(principal, acton, resource);"), /text: line 3, column 19: .*acton/);
  await refused(
    policy.putPolicy("bad", '@aproval permit(principal, action in Action::"sql:ddl", resource);'),
    /@aproval/,
  );
  await refused(
    policy.bus.call(method.putLabel, { label: email({ transform: { kind: "shuffle" } }) }, admin()),
    /transform: .*shuffle/,
  );
  const elsewhere = email({ columns: [{ resource: "shpo", table: "customers", column: "email" }] });
  await refused(policy.bus.call(method.putLabel, { label: elsewhere }, admin()), /there is no resource shpo/);
  await refused(policy.bus.call(method.getPolicy, { name: "nope" }, admin()), /no policy nope/, "not_found");
  await refused(policy.bus.call(method.deleteLabel, { name: "nope" }, admin()), /no such label/, "not_found");
  expect((await policy.getBundle()).bundle?.epoch).toBe(bundle?.epoch);
});

test("pages list by name", async () => {
  for (const name of ["p3", "p1", "p2"])
    await policy.putPolicy(name, 'permit(principal, action == Action::"connect", resource);');
  const names: string[] = [];
  let cursor = "";
  do {
    const page = await policy.bus.call(method.listPolicies, { page: { limit: 2, cursor } }, admin());
    names.push(...page.policies.map(({ name }) => name));
    cursor = page.next;
  } while (cursor);
  expect(names).toEqual(["base", "p1", "p2", "p3"]);
  for (const name of ["p1", "p2", "p3"]) await policy.bus.call(method.deletePolicy, { name }, admin());
});

test("a resource that moves leaves one group's bundle and enters the other's", async () => {
  const [left, entered] = [policy.listen("default"), policy.listen("edge")];
  await policy.putShop({ group: "edge" });
  const [gone, come] = await Promise.all([
    left.bundle(({ resources }) => resources.length === 0),
    entered.bundle(({ resources }) => resources.length === 1),
  ]);
  expect(gone.labels).toEqual([]);
  expect(come.labels).toHaveLength(1);
  await policy.putShop();
  left.end();
  entered.end();
});

test("deleted and declared again, it is new to its writer and newer to the rest", async () => {
  await policy.putPolicy("passing", 'permit(principal, action == Action::"connect", resource);');
  await policy.bus.call(method.deletePolicy, { name: "passing", precondition: { version: 1n } }, admin());
  await expect(policy.bus.call(method.getPolicy, { name: "passing" }, admin())).rejects.toMatchObject({
    code: "not_found",
  });
  const passing = {
    name: "passing",
    text: 'forbid(principal, action == Action::"connect", resource) when { context.run == "x" };',
  };
  const again = await policy.bus.call(method.putPolicy, { policy: passing, precondition: { version: 0n } }, admin());
  expect(again.version).toBe(3n);
  await policy.bus.call(method.deletePolicy, { name: "passing" }, admin());
});

test("concurrent writers: epochs only rise, without a gap, and the last bundle has everything", async () => {
  const before = (await policy.getBundle()).bundle!.epoch;
  const seen: number[] = [];
  const end = policy.bus.subscribePush([pushSubject.group("default")], ({ message }) => {
    if (message.case === "bundle") seen.push(policy.readBundle(message.value).epoch);
  });
  const names = Array.from({ length: 20 }, (_, n) => `many-${String(n).padStart(2, "0")}`);
  await Promise.all(
    names.map((name) =>
      policy.putPolicy(name, `permit(principal in Group::"${name}", action in Action::"sql:read", resource);`),
    ),
  );
  const { bundle } = await policy.getBundle();
  expect(bundle!.epoch).toBe(before + names.length);
  expect(bundle!.policies.map(({ name }) => name)).toEqual(["base", ...names]);
  await policy.bus.nats.flush();
  end();
  expect(seen.length).toBeGreaterThan(0);
  expect(Math.max(...seen)).toBe(bundle!.epoch);
  await Promise.all(names.map((name) => policy.bus.call(method.deletePolicy, { name }, admin())));
});

test("a restart keeps the epoch, the key and everything declared", async () => {
  const { bundle } = await policy.getBundle();
  const key = policy.publicPem();
  await policy.close();
  await policy.start();
  expect(policy.publicPem()).toBe(key);
  expect((await policy.getBundle()).bundle).toEqual({ ...bundle, issuedAt: expect.any(Number) });
});

test("another lease is another bundle, and beats come in its time", async () => {
  const { bundle } = await policy.getBundle();
  await policy.close();
  const heard = policy.listen();
  await policy.start(5);
  const after = (await policy.getBundle()).bundle!;
  expect(after).toMatchObject({ epoch: bundle!.epoch + 1, leaseSeconds: 5 });
  const first = await heard.beat(({ epoch }) => epoch === after.epoch);
  const second = await heard.beat(({ issuedAt }) => issuedAt > first.issuedAt);
  expect(second.epoch).toBe(after.epoch);
  heard.end();
  await policy.close();
  await policy.start();
});

test("what is declared can be made anew from the log, under a newer epoch", async () => {
  const { bundle } = await policy.getBundle();
  const client = new pg.Client({ connectionString: policy.databaseUrl });
  await client.connect();
  try {
    await client.query("DELETE FROM policy.declared");
  } finally {
    await client.end();
  }
  const heard = policy.listen();
  await policy.app.get(Declaring, { strict: false }).rebuild();
  const again = await heard.bundle(({ epoch }) => epoch > bundle!.epoch);
  heard.end();
  expect(again).toEqual({ ...bundle, epoch: bundle!.epoch + 1, issuedAt: expect.any(Number) });
  expect(await policy.bus.call(method.getResource, { name: "shop" }, admin())).toMatchObject({ name: "shop" });
});

test("an enforcer of a group nobody declared anything for gets an empty bundle; a removed one nothing", async () => {
  policy.group = "lonely";
  expect((await policy.getBundle()).bundle).toMatchObject({ group: "lonely", epoch: 1, resources: [], labels: [] });
  policy.group = "default";
  const gone = policy.bus.callEdge(edgeV1.EdgePolicy.method.getBundle, "gone", { haveEpoch: 0n });
  await expect(gone).rejects.toMatchObject({ code: "gone" });
});

test("a bundle the bus could not carry is refused when it is made", async () => {
  const columns = (n: number) =>
    Array.from({ length: 9_000 }, (_, i) => ({
      resource: "shop",
      schema: "s".repeat(60),
      table: `t${n}_${i}`.padEnd(60, "t"),
      column: "c".repeat(60),
    }));
  const made: string[] = [];
  const put = async (n: number) => {
    await policy.bus.call(method.putLabel, { label: email({ name: `big-${n}`, columns: columns(n) }) }, admin(), {
      timeoutMs: 30_000,
    });
    made.push(`big-${n}`);
  };
  const failed = await (async () => {
    for (let n = 0; n < 10; n++) await put(n);
    return null;
  })().catch((error) => error);
  expect(failed).toMatchObject({
    code: "invalid",
    message: expect.stringMatching(/bundle would have \d+ bytes, over the limit/),
  });
  expect(made.length).toBeGreaterThan(0);
  expect((await policy.getBundle()).bundle?.labels.map(({ name }) => name)).toEqual([...made, "pii.email"]);
  for (const name of made) await policy.bus.call(method.deleteLabel, { name }, admin());
}, 120_000);

describe("verdicts without a session", () => {
  const principal = { id: "ci|job", issuer: "ci", subject: "job", name: "Job", groups: ["ci"], run: "1" };
  const simulate = (statement: string, resource = "shop") =>
    policy.bus.call(method.simulate, { principal, resource, statement }, admin());

  beforeAll(async () => {
    await policy.putPolicy(
      "rules",
      `@id("reads") permit(principal in Group::"ci", action in Action::"sql:read", resource == Resource::"shop");
       permit(principal in Group::"ci", action == Action::"sql:update", resource) when { context.tables_written.contains("public.orders") };
       @id("where") @reason("Say which rows") forbid(principal, action in [Action::"sql:update", Action::"sql:delete"], resource) unless { context.bounded };
       @id("ddl") @approval("dba") @quorum("2") permit(principal, action in Action::"sql:ddl", resource);`,
    );
  });

  test("connecting", async () => {
    expect(await policy.bus.call(method.authorizeConnect, { principal, resource: "shop" }, admin())).toMatchObject({
      allowed: true,
    });
    await policy.putPolicy("closed", 'forbid(principal in Group::"ci", action == Action::"connect", resource);');
    expect(await policy.bus.call(method.authorizeConnect, { principal, resource: "shop" }, admin())).toMatchObject({
      allowed: false,
      reason: expect.stringContaining("Policy closed forbids connect"),
    });
    await policy.bus.call(method.deletePolicy, { name: "closed" }, admin());
    await expect(
      policy.bus.call(method.authorizeConnect, { principal, resource: "nope" }, admin()),
    ).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("a read is allowed, with the columns that come masked", async () => {
    const verdict = await simulate("select id, email as e, lower(email), count(*) over () from customers where id = 3");
    expect(verdict).toMatchObject({
      verdict: "allow",
      policies: ["rules#reads"],
      actions: ["sql:select"],
      masks: [
        { column: "e", labels: ["pii.email"], transform: "redact" },
        { column: "lower", labels: ["pii.email"], transform: "redact" },
      ],
    });
    expect(verdict.epoch).toBeGreaterThan(0n);
    expect(verdict.caveats.join(" ")).toContain("public.customers");
  });

  test("what a read asks of a label is said, and denied unless a policy permits it", async () => {
    const use = { action: "filter", label: "pii.email", column: "public.customers.email" };
    expect(await simulate("select id from customers where email = 'a@b.c'")).toMatchObject({
      verdict: "deny",
      reason: expect.stringContaining('when { context.use == "equality" }'),
      uses: [{ ...use, use: "equality", permitted: false }],
    });
    await policy.putPolicy(
      "look-up",
      'permit(principal, action == Action::"filter", resource == Label::"pii.email") when { context.use == "equality" };',
    );
    expect(await simulate("select id from customers where email = 'a@b.c'")).toMatchObject({
      verdict: "allow",
      policies: ["rules#reads", "look-up"],
      uses: [{ ...use, use: "equality", permitted: true }],
    });
    expect(await simulate("select id from customers where email like 'a%'")).toMatchObject({ verdict: "deny" });
    await policy.bus.call(method.deletePolicy, { name: "look-up" }, admin());
  });

  test("an update with WHERE is allowed, without it forbidden with the reason", async () => {
    expect(await simulate("update orders set state = 'sent' where id = 4")).toMatchObject({ verdict: "allow" });
    expect(await simulate("update orders set state = 'sent'")).toMatchObject({
      verdict: "deny",
      policies: ["rules#where"],
      reason: expect.stringContaining("Say which rows"),
    });
  });

  test("a change of the schema is held, a drop of a role denied, nonsense not understood", async () => {
    expect(await simulate("alter table orders add column x int")).toMatchObject({
      verdict: "hold",
      approvers: "dba",
      quorum: 2,
      policies: ["rules#ddl"],
    });
    expect(await simulate("drop role app")).toMatchObject({
      verdict: "deny",
      reason: expect.stringContaining("No policy permits sql:role"),
    });
    expect(await simulate("selec 1")).toMatchObject({
      verdict: "deny",
      reason: expect.stringContaining("not understood"),
    });
  });
});

test("events say who did what", async () => {
  const client = new pg.Client({ connectionString: policy.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      "SELECT type, body, meta FROM es.event WHERE stream_id = 'resource/shop' ORDER BY stream_pos LIMIT 1",
    );
    expect(rows[0]).toMatchObject({
      type: "ResourceDeclared",
      body: shopAsDeclared,
      meta: { actor: { id: "key-1", name: "Ann" } },
    });
  } finally {
    await client.end();
  }
});

const shopAsDeclared = {
  name: "shop",
  protocol: "postgres",
  group: "default",
  upstream: { host: "127.0.0.1", port: 5432, database: "shop", tls: "disable", ca: "" },
  credential: { username: "app", password: "env:SHOP_PASSWORD" },
  reads: "os",
};
