import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identityV1, policyV1, tokensV1 } from "#contracts";
import { Fixture } from "../../api/test/fixture.js";
import { answersOf } from "../test/answers.js";
import { Built, ended, says } from "../test/built.js";
import { Issuer } from "../test/issuer.js";

/** How a workload comes to a token, and a command to a connection. */

let fixture: Fixture;
let built: Built;
let issuer: Issuer;
beforeAll(async () => {
  [fixture, built, issuer] = await Promise.all([Fixture.start(), Built.make(), Issuer.start()]);
  answersOf(fixture.plane);
});
afterAll(async () => {
  built?.remove();
  await fixture?.stop();
  await issuer?.stop();
});

const ci = () => ({
  token_endpoint: `${issuer.url}/token`,
  client_id: "ci:job",
  client_secret: "s+cret",
  audience: "counterfoil",
});
beforeEach(() => {
  fixture.plane.forget();
  built.settings({
    ...{ api: fixture.api.url, key: "cfk_admin" },
    identities: { ci: ci(), broken: { ...ci(), scope: "forbidden" }, empty: {} },
  });
});

const asked = <T>(method: string) => fixture.plane.last(method).request as T;

describe("token", () => {
  test("with an identity of cli.json (client credentials)", async () => {
    const args = ["token", "--as", "ci", "--resource", "shop", "--scope", "sql:read", "--mode", "burst", "--uses", "3"];
    const { code, stdout } = await built.run([...args, "--window", "9", "--lifetime", "60", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      access_token: "foil_abc_s3cret",
      connection: { user: "foil_abc", ca: "THE CA" },
    });
    const mint = { scope: ["sql:read"], mode: tokensV1.UseMode.BURST, uses: 3, windowSeconds: 9, lifetimeSeconds: 60 };
    expect(asked<tokensV1.MintRequest>("Mint")).toMatchObject(mint);
    const shown = subject();
    expect(new URLSearchParams(shown.body).get("grant_type")).toBe("client_credentials");
    expect(new URLSearchParams(shown.body).get("audience")).toBe("counterfoil");
    expect(Buffer.from(shown.authorization.slice(6), "base64").toString()).toBe("ci%3Ajob:s%2Bcret");
  });
  const subject = () =>
    JSON.parse(
      Buffer.from(asked<identityV1.VerifySubjectRequest>("VerifySubject").subjectToken, "base64url").toString(),
    );
  test("for people it is a list", async () => {
    const { stdout } = await built.run(["token", "--as", "ci", "--resource", "shop"]);
    expect(stdout).toMatch(/^token\s+abc\nexpires in\s+\d+ s\n/);
    expect(stdout).toContain("uri");
    expect(stdout).toMatch(/^ca\s.*sslrootcert/m);
  });
  test("from a file, from the environment", async () => {
    const file = join(built.home, "jwt");
    writeFileSync(file, "from.a.file\n");
    await built.run(["token", "--subject-token-file", file, "--resource", "shop"]);
    expect(asked<identityV1.VerifySubjectRequest>("VerifySubject").subjectToken).toBe("from.a.file");
    await built.run(["token", "--resource", "shop"], { env: { COUNTERFOIL_SUBJECT_TOKEN: "from.the.env" } });
    expect(asked<identityV1.VerifySubjectRequest>("VerifySubject").subjectToken).toBe("from.the.env");
    await built.run(["token", "--resource", "shop"], {
      env: { GITLAB_CI: "true", COUNTERFOIL_ID_TOKEN: "from.git.lab" },
    });
    expect(asked<identityV1.VerifySubjectRequest>("VerifySubject").subjectToken).toBe("from.git.lab");
  });
  test("in a GitHub job, from GitHub", async () => {
    const env = { ACTIONS_ID_TOKEN_REQUEST_URL: `${issuer.url}/id?v=1`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "runner" };
    expect((await built.run(["token", "--resource", "shop", "--audience", "x"], { env })).code).toBe(0);
    expect(subject()).toMatchObject({ url: "/id?v=1&audience=x", authorization: "Bearer runner" });
  });
  test("what is to be pasted into a policy has a policy's quotes", async () => {
    const reason = 'Ask for a policy that permits Action::"connect" on Resource::"shop".';
    fixture.plane.on(policyV1.Policy.method.authorizeConnect, () => ({ allowed: false, reason }));
    try {
      const { code, stderr } = await built.run(["token", "--as", "ci", "--resource", "shop"]);
      expect([code, stderr]).toEqual([3, expect.stringContaining(reason)]);
    } finally {
      answersOf(fixture.plane);
    }
  });
  test.each([
    ["no identity at all", ["token", "--resource", "shop"], 2, "no workload identity"],
    ["an unknown identity", ["token", "--resource", "shop", "--as", "x"], 2, "Known: ci, broken, empty"],
    ["Object's own names", ["token", "--resource", "shop", "--as", "constructor"], 2, "no identity constructor"],
    ["an incomplete identity", ["token", "--resource", "shop", "--as", "empty"], 2, "lacks token_endpoint"],
    ["an identity its issuer refuses", ["token", "--resource", "shop", "--as", "broken"], 3, "invalid_scope"],
    [
      "an unknown resource",
      ["token", "--resource", "shopp", "--as", "ci"],
      4,
      "shopp\n`counterfoil resources ls` lists",
    ],
    ["an unknown mode", ["token", "--resource", "shop", "--as", "ci", "--mode", "twice"], 2, "once, burst, run"],
    [
      "a lifetime that is no number",
      ["token", "--resource", "shop", "--as", "ci", "--lifetime", "1h"],
      2,
      "whole number",
    ],
  ])("%s", async (_, args, code, words) => {
    const got = await built.run(args);
    expect([got.code, got.stdout]).toEqual([code, ""]);
    expect(got.stderr).toContain(words);
    expect(got.stderr).not.toMatch(/\n\s+at /);
  });
});

describe("run", () => {
  const shop = ["run", "--as", "ci", "--resource", "shop", "--"];
  const node = (script: string) => [...shop, process.execPath, "-e", script];
  const leftovers = () => readdirSync(built.folder).filter((name) => name.startsWith("counterfoil-"));

  test("the command has the connection, the CA in a private file, and none of our secrets", async () => {
    const script = `
      const fs = require("fs"), ca = process.env.PGSSLROOTCERT;
      const { PGHOST, PGUSER, PGPASSWORD, COUNTERFOIL_KEY, COUNTERFOIL_SUBJECT_TOKEN, OTHER } = process.env;
      const modes = [ca, require("path").dirname(ca)].map((path) => (fs.statSync(path).mode & 0o777).toString(8));
      console.log(JSON.stringify({ PGHOST, PGUSER, PGPASSWORD, COUNTERFOIL_KEY, COUNTERFOIL_SUBJECT_TOKEN, OTHER, modes,
        ca: fs.readFileSync(ca, "utf8"), argv: process.argv.slice(1) }));`;
    const env = { COUNTERFOIL_KEY: "cfk_admin", COUNTERFOIL_SUBJECT_TOKEN: "secret", OTHER: "kept" };
    const { code, stdout, stderr } = await built.run([...node(script), "a", "--resource", "b"], { env });
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toEqual({
      ...{ PGHOST: "127.0.0.1", PGUSER: "foil_abc", PGPASSWORD: "s3cret", OTHER: "kept" },
      ...{ ca: "THE CA", modes: ["600", "700"], argv: ["a", "--resource", "b"] },
    });
    expect(leftovers()).toEqual([]);
  });
  test("Node gets the CA, beside those that it was given already", async () => {
    const script = `
      const fs = require("fs"), { NODE_EXTRA_CA_CERTS: more, PGSSLROOTCERT: ca } = process.env;
      console.log(JSON.stringify({ text: fs.readFileSync(more, "utf8"), same: more === ca,
        mode: (fs.statSync(more).mode & 0o777).toString(8) }));`;
    const theirs = join(built.home, "theirs.pem");
    writeFileSync(theirs, "THEIR CA\n");
    const given = async (env: NodeJS.ProcessEnv) => JSON.parse((await built.run(node(script), { env })).stdout);
    expect(await given({})).toEqual({ text: "THE CA", same: true, mode: "600" });
    const both = await given({ NODE_EXTRA_CA_CERTS: theirs });
    expect(both).toEqual({ text: "THEIR CA\nTHE CA", same: false, mode: "600" });
    expect((await given({ NODE_EXTRA_CA_CERTS: "/nowhere" })).text).toBe("THE CA");
    expect(leftovers()).toEqual([]);
  });
  test("it reads our input and exits as it exits", async () => {
    const args = node("process.stdin.on('data', (d) => process.stdout.write(d)).on('end', () => process.exit(42))");
    const { code, stdout } = await built.run(args, { input: "hello" });
    expect([code, stdout]).toEqual([42, "hello"]);
  });
  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s reaches it, and nothing stays behind", async (signal) => {
    const caught = built.begin(
      node(`process.on("${signal}", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up")`),
    );
    await says(caught, /up/);
    caught.kill(signal);
    expect((await ended(caught)).code).toBe(7);
    const killed = built.begin(node(`setInterval(() => {}, 1000); console.log("up")`));
    await says(killed, /up/);
    killed.kill(signal);
    expect((await ended(killed)).code).toBe({ SIGTERM: 143, SIGINT: 130, SIGHUP: 129 }[signal]);
    expect(leftovers()).toEqual([]);
  });
  test("a command that is not there", async () => {
    const { code, stderr } = await built.run([...shop, "no-such-program"]);
    expect([code, stderr]).toEqual([127, expect.stringContaining("no-such-program is not found")]);
    expect(leftovers()).toEqual([]);
    expect((await built.run([...shop, built.home])).code).toBe(126);
    expect((await built.run(["run", "--as", "ci", "--resource", "shop"])).code).toBe(2);
  });
  test("no token, no command", async () => {
    const args = ["run", "--as", "ci", "--resource", "nowhere", "--", process.execPath, "-e", "console.log('ran')"];
    expect(await built.run(args)).toMatchObject({ code: 4, stdout: "" });
  });
});
