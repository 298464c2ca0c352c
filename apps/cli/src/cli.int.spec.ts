import { spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { approvalV1, auditV1, identityV1, policyV1, tokensV1 } from "#contracts";
import { Fixture } from "../../api/test/fixture.js";
import { readConfig } from "../../enforcer/src/enforcer.config.js";
import { answersOf, approval, SESSION } from "../test/answers.js";
import { Built, ended } from "../test/built.js";

let fixture: Fixture;
let built: Built;
beforeAll(async () => {
  [fixture, built] = await Promise.all([Fixture.start(), Built.make()]);
  answersOf(fixture.plane);
});
afterAll(async () => {
  built?.remove();
  await fixture?.stop();
});

beforeEach(() => {
  fixture.plane.forget();
  built.settings({ api: fixture.api.url, key: "cfk_admin" });
});

const asked = <T>(method: string) => fixture.plane.last(method).request as T;

describe("apply", () => {
  const policy = "policies: [{ name: p, text: 'permit (principal, action == Action::\"connect\", resource);' }]";
  test("shows the plan and carries it out", async () => {
    const file = join(built.home, "p.yaml");
    writeFileSync(file, policy);
    const dry = await built.run(["apply", "-f", file, "--dry-run"]);
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toMatch(/ACTION\s+KIND\s+NAME\s+CHANGES\ncreate\s+policy\s+p\s+-\n1 of 1 would change/);
    expect(fixture.plane.asked.some(({ method }) => method === "PutPolicy")).toBe(false);
    const done = await built.run(["apply", "-f", "-", "--json"], { input: policy });
    expect(JSON.parse(done.stdout).plan).toEqual([expect.objectContaining({ name: "p", outcome: "done" })]);
  });
  test("what can never match is warned of", async () => {
    const input = policy.replace("resource);", 'resource == Resource::"no");');
    const done = await built.run(["apply", "-f", "-", "--dry-run"], { input });
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\nwarning: policy p, line 1.*no resource no:/),
    });
    expect(JSON.parse((await built.run(["apply", "-f", "-", "--json"], { input })).stdout).warnings).toHaveLength(1);
  });
  test("a document that is wrong is refused with each place", async () => {
    const { code, stdout, stderr } = await built.run(["apply", "-f", "-"], {
      input: "policies: [{ name: P, text: 'permit' }]",
    });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^counterfoil: The request is not valid\n {2}\/policies\/0\/name: must be a name[^\n]*\n {2}\/policies\/0\/text: [^\n]*\n$/,
    );
  });
  test("no such file is wrong usage", async () => {
    expect((await built.run(["apply", "-f", "/nowhere"])).code).toBe(2);
  });
});

describe("approvals, sessions, tokens", () => {
  test("what waits, with nothing in it that moves the cursor", async () => {
    const { code, stdout } = await built.run(["approvals", "ls"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ID\s+STATUS\s+EXPIRES\s+REQUESTER\s+RESOURCE\s+STATEMENT\na1\s+pending \(0 of 2 approved\)/,
    );
    expect(stdout).toContain("drop table t\\u001b[2J; -- \\u202egnp");
    for (const c of ["\u001b", "\u202e"]) expect(stdout).not.toContain(c);
    expect(asked<approvalV1.ListApprovalsRequest>("ListApprovals").status).toBe(approvalV1.ApprovalStatus.PENDING);
    expect(JSON.parse((await built.run(["approvals", "ls", "--json"])).stdout)[0].statement).toBe(approval.statement);
  });
  test("shown, approved, rejected, with the reason", async () => {
    expect((await built.run(["approvals", "show", "a1"])).stdout).toMatch(/requester\s+demo\|ci\nrun\s+17/);
    expect((await built.run(["approvals", "approve", "a1", "--reason", "ticket 42"])).stdout).toBe(
      "a1 is approved, and the command has run: drop table t\\u001b[2J; -- \\u202egnp\n",
    );
    expect(asked<approvalV1.DecideRequest>("Decide")).toMatchObject({ id: "a1", approve: true, reason: "ticket 42" });
    expect((await built.run(["approvals", "reject", "a1"])).stdout).toContain("a1 is rejected");
    expect((await built.run(["approvals", "show", "a2"])).code).toBe(4);
  });
  describe("what becomes of what was approved is told", () => {
    afterEach(() => answersOf(fixture.plane));
    const { APPROVED, CONSUMED, WITHDRAWN, PENDING } = approvalV1.ApprovalStatus;
    test.each([
      [CONSUMED, "", { status: "running" }, "is approved, and the command is running:"],
      [CONSUMED, "", null, "is approved, and the command has been let through:"],
      [CONSUMED, "", { status: "failed", errorCode: "42P01", reason: "no t" }, "the command failed (42P01 no t):"],
      [CONSUMED, "", { status: "unknown" }, "was let through, but its session ended before the answer:"],
      [WITHDRAWN, "it is another now", { status: "refused" }, "but the command did not run (it is another now):"],
      [WITHDRAWN, "the client has gone", null, "but the command did not run (the client has gone):"],
      [APPROVED, "", { status: "held" }, "its command has not run so far"],
    ])("%s %s %j", async (status, endedBecause, command, says) => {
      fixture.plane.on(approvalV1.Approvals.method.getApproval, () => ({ ...approval, status, endedBecause }));
      fixture.plane.on(auditV1.Audit.method.getSession, ({ id }) => ({
        session: { id },
        commands: command ? [{ ordinal: 1n, approvalId: "a1", ...command }] : [],
      }));
      const { code, stdout } = await built.run(["approvals", "approve", "a1"]);
      expect([code, stdout]).toEqual([0, expect.stringContaining(says)]);
    });
    test("one vote of two is not told as more", async () => {
      const votes = [{ by: { id: "k", name: "dana" }, approve: true }];
      fixture.plane.on(approvalV1.Approvals.method.decide, () => ({ ...approval, status: PENDING, votes }));
      expect((await built.run(["approvals", "approve", "a1"])).stdout).toMatch(/^a1 is pending \(1 of 2 approved\): /);
    });
    test("why it was withdrawn is shown", async () => {
      const gone = { ...approval, status: WITHDRAWN, endedBecause: "the client has gone" };
      fixture.plane.on(approvalV1.Approvals.method.getApproval, () => gone);
      expect((await built.run(["approvals", "show", "a1"])).stdout).toMatch(
        /^status +withdrawn \(the client has gone\)$/m,
      );
    });
  });
  test("the beginning of an approval's id will do, where only one begins so", async () => {
    const ids = [
      "7d0e2f10-0000-4000-8000-000000000001",
      "7d0e2f10-0000-4000-8000-000000000002",
      "de282379-b9cf-41f2-bce3-89978340b28f",
    ];
    fixture.plane.on(approvalV1.Approvals.method.listApprovals, () => ({
      approvals: ids.map((id) => ({ ...approval, id })),
    }));
    fixture.plane.on(approvalV1.Approvals.method.getApproval, ({ id }) => ({ ...approval, id }));
    try {
      expect((await built.run(["approvals", "show", "de28"])).stdout).toContain(ids[2]);
      expect((await built.run(["approvals", "reject", "de282379"])).code).toBe(0);
      expect(asked<approvalV1.DecideRequest>("Decide").id).toBe(ids[2]);
      fixture.plane.forget();
      for (const doing of ["show", "approve", "reject"]) {
        const { code, stderr } = await built.run(["approvals", doing, "7d0e2f10"]);
        expect([code, stderr]).toEqual([
          2,
          expect.stringContaining(`several approvals begin with 7d0e2f10: ${ids[0]}, ${ids[1]}`),
        ]);
      }
      expect(fixture.plane.asked.some(({ method }) => method === "Decide")).toBe(false);
      expect((await built.run(["approvals", "show", "7d0e2f10-0000-4000-8000-000000000002"])).stdout).toContain(ids[1]);
    } finally {
      answersOf(fixture.plane);
    }
  });
  test("an auditor may look, not decide", async () => {
    const env = { COUNTERFOIL_KEY: "cfk_auditor" };
    expect((await built.run(["approvals", "ls"], { env })).code).toBe(0);
    const { code, stderr } = await built.run(["approvals", "approve", "a1"], { env });
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^counterfoil: Not permitted: This needs the role admin or approver .*\nA key with .* approver:dba is enough/,
    );
  });
  test("keys, of approvers of one group too", async () => {
    expect((await built.run(["keys", "ls"])).stdout).toMatch(/\nk1\s+dana\s+approver:dba\s+-\s+-\n/);
    const { stdout } = await built.run(["keys", "create", "dana", "--role", "approver:dba", "auditor"]);
    expect(stdout).toBe("cfk_new\n");
    expect(asked<identityV1.CreateAdminKeyRequest>("CreateAdminKey").roles).toEqual(["approver:dba", "auditor"]);
    expect((await built.run(["keys", "create", "dana", "--role", "root"])).code).toBe(1);
    expect((await built.run(["keys", "revoke", "k1"])).stdout).toBe("revoked dana (k1)\n");
    expect((await built.run(["keys", "ls"], { env: { COUNTERFOIL_KEY: "cfk_auditor" } })).code).toBe(3);
  });
  test("sessions", async () => {
    expect((await built.run(["sessions", "ls", "--status", "open"])).stdout).toMatch(
      new RegExp(`\n${SESSION}\\s+open`),
    );
    expect((await built.run(["sessions", "show", "s1"])).stdout).toMatch(/1\s+allow\s+done\s+0\s+0\s+p\s+select 1/);
    expect((await built.run(["sessions", "show", "5d7de4b6"])).stdout).toContain(SESSION);
    expect((await built.run(["sessions", "show", "01234567"])).stdout).toMatch(/^id +01234567\n/);
    expect((await built.run(["sessions", "end", "s1", "--reason", "over"])).code).toBe(0);
    expect(asked<tokensV1.EndSessionRequest>("EndSession")).toMatchObject({ sessionId: "s1", reason: "over" });
  });
  test("tokens, over all pages", async () => {
    expect((await built.run(["tokens", "ls"])).stdout).toMatch(/\nfirst +spent \(1 open\) .*3\/3.*\nsecond /);
    expect((await built.run(["tokens", "revoke", "foil_abc_s3cret", "--reason", "leaked"])).stdout).toBe(
      "abc is revoked\n",
    );
    expect(asked<tokensV1.RevokeRequest>("Revoke")).toMatchObject({ tokenId: "abc", reason: "leaked" });
    expect((await built.run(["tokens", "revoke", "--run", "17"])).stdout.split("\n")).toEqual([
      "a is revoked, and ended 1 open session",
      "without effect on 3 others: 1 spent, 1 expired, 1 revoked before",
      "",
    ]);
    expect((await built.run(["tokens", "revoke", "--run", "18"])).stdout).toBe("nothing was live\n");
    for (const args of [[], ["abc", "--run", "17"], ["--run", "1", "--issuer", "x"]]) {
      expect((await built.run(["tokens", "revoke", ...args])).code).toBe(2);
    }
  });
});

test.each([
  ["events --limit 0", "from 1 to 1000000"],
  ["events --after -1", "from 0 to"],
  ["tokens ls --limit 0", "from 1 to 1000000"],
  ["sessions ls --limit 1e3", "from 1 to 1000000"],
  ["token --resource shop --lifetime 0", "from 1 to 3600"],
  ["token --resource shop --mode burst --uses 1", "from 2 to 1000"],
  ["token --resource shop --uses 3", "--uses can only be given with --mode burst, and the mode is once"],
  ["run --resource shop --mode run --uses 3 --window 9 -- true", "leave --uses and --window out"],
  ["run --resource shop --window 3601 -- true", "from 1 to 3600"],
  ["enforcers register e --group g --nats nats://h --out o --listener postgres:h:65536", "port from 1 to 65535"],
])("counterfoil %s is wrong usage, and says what would do", async (line, says) => {
  const { code, stdout, stderr } = await built.run(line.split(" "));
  expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(says)]);
});

describe("events", () => {
  test("lines for people, objects for programs", async () => {
    const { stdout } = await built.run(["events", "--after", "10"]);
    expect(stdout.split("\n")[0]).toBe(
      "    11  2026-05-01 09:30:00  command.refused      01234567  delete from t · say which rows",
    );
    const lines = (await built.run(["events", "--json", "--limit", "3"])).stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).index)).toEqual([1, 2, 3]);
    expect(lines[0]).toMatch(/^\{"index":1,/);
  });
  test("following goes on after a lost connection, without a gap or a repetition", async () => {
    let connections = 0;
    const server = createServer((request, response) => {
      const after = Number(new URL(request.url ?? "", "http://x").searchParams.get("after"));
      connections += 1;
      if (connections === 2) return void response.writeHead(503).end();
      const next = [1, 2].map((n) => `{"index":${after + n},"type":"t"}\n`).join("");
      // The last line is cut off in the middle.
      response.write(`\n${next}{"index":${after + 3},"ty`, () => request.socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      built.settings({ api: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, key: "cfk_x" });
      const { code, stdout, stderr } = await built.run([
        "events",
        "--follow",
        "--json",
        "--after",
        "5",
        "--limit",
        "5",
      ]);
      expect(code).toBe(0);
      expect(stderr).toMatch(/^counterfoil: the connection broke after entry 7; trying again until it is back$/m);
      expect(
        stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line).index),
      ).toEqual([6, 7, 8, 9, 10]);
      expect(connections).toBeGreaterThanOrEqual(4);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
  test("a key that is refused is not tried for ever, and whence it came is said", async () => {
    const { code, stderr } = await built.run(["events", "--follow"], { env: { COUNTERFOIL_KEY: "cfk_wrong" } });
    expect([code, stderr]).toEqual([3, expect.stringMatching(/\nThe key came from COUNTERFOIL_KEY: ask/)]);
    const file = built.settings({ api: fixture.api.url, key: "cfk_wrong" });
    expect((await built.run(["approvals", "ls"])).stderr).toContain(`The key came from ${file}: ask`);
  });
  test("a reader that has had enough ends it quietly", async () => {
    const command = `"${process.execPath}" "${built.program}" events --follow 2>&1 | head -n 1; exit $\{PIPESTATUS[0]}`;
    const child = spawn("bash", ["-c", command], {
      cwd: built.home,
      env: { PATH: process.env.PATH, HOME: built.home },
    });
    const done = ended(child);
    // What is written after the reader has left is what meets the closed pipe.
    const pump = setInterval(() => fixture.bus.nats.publish("audit.appended"), 20);
    fixture.plane.on(auditV1.Audit.method.listEntries, ({ after }) => ({
      entries: [{ index: after + 1n, json: JSON.stringify({ index: Number(after) + 1 }) }],
    }));
    try {
      const { code, stdout } = await done;
      expect([code, stdout.trim()]).toEqual([0, "1"]);
    } finally {
      clearInterval(pump);
      answersOf(fixture.plane);
    }
  });
});

describe("what is declared", () => {
  test("listed and shown", async () => {
    expect((await built.run(["resources", "ls"])).stdout).toMatch(/\nshop\s+postgres\s+default\s+db:5432\s+os\s+1/);
    expect((await built.run(["policies", "ls"])).stdout).toBe("no policies\n");
    expect((await built.run(["enforcers", "ls"])).stdout).toContain("127.0.0.1:7432");
    expect(JSON.parse((await built.run(["resources", "get", "shop"])).stdout).name).toBe("shop");
    expect((await built.run(["resources", "get", "x"])).code).toBe(4);
  });
  test("an enforcer is registered, with all it needs in one private folder", async () => {
    fixture.plane.on(identityV1.Identity.method.registerEnforcer, ({ name, group, listeners }) => ({
      ...{ enforcer: { id: "node-1", name, group, listeners, version: 1n } },
      ...{ busCredentials: "THE CREDENTIALS", signingKey: "THE KEY" },
    }));
    const out = join(built.home, "nodes/one");
    const args = ["enforcers", "register", "one", "--group", "edge", "--nats", "nats://bus:4222", "--out", out];
    const listener = ["--listener", "postgres:[::1]:5432"];
    expect((await built.run([...args, "--listener", "5432"])).code).toBe(2);
    expect((await built.run([...args, ...listener])).stdout).toBe(`one is node-1: ${out}/enforcer.json\n`);
    const listeners = [{ protocol: "postgres", host: "::1", port: 5432 }];
    const {
      name,
      group,
      listeners: asked,
    } = fixture.plane.last("RegisterEnforcer").request as {
      [field: string]: unknown;
    };
    expect([name, group, asked]).toEqual(["one", "edge", [expect.objectContaining(listeners[0])]]);
    expect(readConfig({ COUNTERFOIL_ENFORCER_CONFIG: join(out, "enforcer.json") })).toMatchObject({
      ...{ id: "node-1", group: "edge", natsUrl: "nats://bus:4222", folder: join(out, "state") },
      listeners: [{ ...listeners[0], bind: "0.0.0.0" }],
    });
    expect(readFileSync(join(out, "enforcer.creds"), "utf8")).toBe("THE CREDENTIALS");
    for (const file of readdirSync(out)) expect(statSync(join(out, file)).mode & 0o777).toBe(0o600);
    const again = await built.run([...args, ...listener]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("is there already")]);
  });
  test("a simulation names the policy", async () => {
    const args = ["--principal", "demo|ci", "--groups", "ci, ops", "--resource", "shop", "delete from t"];
    const { code, stdout } = await built.run(["policies", "simulate", ...args]);
    expect([code, stdout]).toEqual([3, expect.stringMatching(/^deny\npolicies\s+say-which-rows\n/)]);
    expect(stdout).toMatch(/^uses +filter pii.email \(public.customers.email, pattern\): not permitted$/m);
    expect(asked<policyV1.SimulateRequest>("Simulate").principal?.groups).toEqual(["ci", "ops"]);
  });
});

describe("settings", () => {
  const ls = (options: object = {}) => built.run(["approvals", "ls"], options);
  const nested = () => {
    const folder = join(built.home, "project/src/deep");
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  test.each([0o640, 0o604, 0o660, 0o777])("a file of mode %o is refused", async (mode) => {
    const file = built.settings({ api: fixture.api.url, key: "cfk_admin" }, mode);
    chmodSync(file, mode);
    const { code, stderr } = await ls();
    expect(code).toBe(1);
    expect(stderr).toContain(`chmod 600 ${file}`);
    expect(stderr).not.toContain("cfk_admin");
  });
  test("the nearest .counterfoil/cli.json upwards comes before the home's", async () => {
    const folder = nested();
    const file = join(built.home, "project/.counterfoil/cli.json");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ api: fixture.api.url, key: "cfk_wrong" }), { mode: 0o600 });
    expect((await ls({ cwd: folder })).code).toBe(3);
    expect((await ls()).code).toBe(0);
    expect((await ls({ cwd: folder, env: { COUNTERFOIL_KEY: "cfk_admin" } })).code).toBe(0);
  });
  test("a state that is named and not there is no reason to use another", async () => {
    const missing = join(built.home, "nothing-here");
    const { code, stdout, stderr } = await ls({ env: { COUNTERFOIL_STATE: missing } });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`COUNTERFOIL_STATE is ${missing}, but there is no ${missing}/cli.json`);
  });
  test("a file's key goes only to the file's API", async () => {
    built.settings({ api: "http://127.0.0.1:1", key: "cfk_admin" });
    const { code, stderr } = await built.run(["--api", fixture.api.url, "approvals", "ls"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/there is no key for the API at .*\n.* is for http:..127.0.0.1:1, and/),
    ]);
    const env = { COUNTERFOIL_KEY: "cfk_admin", COUNTERFOIL_API: fixture.api.url };
    expect((await ls({ env })).code).toBe(0);
  });
  test.each([
    ["broken", "{", 1, "cannot be read"],
    ["of another shape", '["cfk_x"]', 1, "is not like"],
    ["with a wrong address", '{"api":"ftp://x","key":"k"}', 2, "not the API's address"],
    ["empty", "{}", 2, "there is no key"],
  ])("a file %s", async (_, content, code, words) => {
    built.settings(content);
    const got = await ls();
    expect([got.code, got.stdout]).toEqual([code, ""]);
    expect(got.stderr).toContain(words);
    expect(got.stderr).not.toMatch(/\n\s+at /);
  });
});

test("nobody at the address is worth another try", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  built.settings({ api: `http://127.0.0.1:${port}`, key: "cfk_x" });
  const { code, stderr } = await built.run(["approvals", "ls"]);
  expect([code, stderr]).toEqual([5, expect.stringContaining("cannot be reached (ECONNREFUSED)")]);
});

describe("the program", () => {
  test("help says all commands and what the exit codes mean", async () => {
    const { code, stdout } = await built.run(["--help"]);
    expect(code).toBe(0);
    for (const word of [
      "run",
      "token",
      "apply",
      "approvals",
      "sessions",
      "tokens",
      "events",
      "policies",
      "5 unavailable",
    ]) {
      expect(stdout).toContain(word);
    }
  });
  test.each([[["nonsense"]], [["apply"]], [["events", "--after", "-1"]], [["approvals", "show"]], [["--nonsense"]]])(
    "%j is wrong usage",
    async (args) => {
      expect((await built.run(args)).code).toBe(2);
    },
  );
  test("not built yet: one clear sentence", async () => {
    const bare = join(built.folder, "bare/apps/cli/bin");
    cpSync(dirname(built.program), bare, { recursive: true });
    const child = spawn(process.execPath, [join(bare, "counterfoil.mjs")]);
    expect(await ended(child)).toMatchObject({ code: 1, stderr: expect.stringContaining("npm run build") });
    expect(existsSync(join(built.folder, "bare/dist"))).toBe(false);
  });
});
