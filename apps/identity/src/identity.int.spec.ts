import "reflect-metadata";
import { randomUUID, webcrypto } from "node:crypto";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import * as x509 from "@peculiar/x509";
import { DataSource } from "typeorm";
import type { Bus } from "#bus";
import { type RunningService, startService } from "#bus/nest";
import { type CallContext, edgeV1, enforcerInbox, identityV1 } from "#contracts";
import { PostgresEventStore } from "#event-store-postgres";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { FirstAdminKey } from "./admin-keys/first-admin-key.js";
import { Presence } from "./bus-access/presence.js";
import { IdentityModule } from "./identity.module.js";
import { rebuildIdentity } from "./projections/rebuild.js";
import { LocalIssuer } from "./subjects/issuer.fixture.js";

const { method } = identityV1.Identity;
const JWT = "urn:ietf:params:oauth:token-type:jwt";
const SIGNING_KEY = "-----BEGIN PUBLIC KEY-----\nof the policy service\n-----END PUBLIC KEY-----\n";

let database: FreshDatabase;
let nats: FreshNats;
let keys: string;
let issuer: LocalIssuer;
let service: RunningService;
let client: Bus;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  undo.push(() => database.drop());
  nats = await freshNats();
  undo.push(() => nats.drop());
  keys = mkdtempSync(join(tmpdir(), "counterfoil-identity-"));
  undo.push(() => rmSync(keys, { recursive: true, force: true }));
  cpSync(nats.keys, join(keys, "nats"), { recursive: true });
  writeFileSync(join(keys, "signing.pub.pem"), SIGNING_KEY);
  issuer = await LocalIssuer.start();
  undo.push(() => issuer.stop());
  await issuer.addKey();
  client = await nats.connect("client");
  service = await startIdentity();
  undo.push(() => service.close());
});
afterAll(async () => {
  for (const one of undo.reverse()) await one();
});

const startIdentity = async () =>
  startService({
    bus: await nats.connect("identity"),
    modules: [IdentityModule.register({ databaseUrl: database.url, natsUrl: nats.url, keys, poolSize: 4 })],
    logger: false,
  });

const as = (commandId = randomUUID()): CallContext => ({
  actor: { id: "k1", name: "ops", roles: ["admin"] },
  commandId,
});
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => {
      throw new Error("it was answered");
    },
    (error: { code: string; message: string; details: Record<string, string> }) => error,
  );
const sql = (text: string, ...values: unknown[]) => service.app.get(DataSource, { strict: false }).query(text, values);

const ci = (changes: Omit<Partial<identityV1.Issuer>, "$typeName" | "$unknown"> = {}) =>
  create(identityV1.IssuerSchema, {
    name: "ci",
    url: issuer.url,
    audiences: ["counterfoil"],
    claims: create(identityV1.ClaimMappingSchema, { groups: "groups", run: "run" }),
    ...changes,
  });
const put = (definition: identityV1.Issuer, version?: bigint, call = as()) =>
  client.call(
    method.putIssuer,
    { issuer: definition, ...(version !== undefined && { precondition: { version } }) },
    call,
  );

describe("issuers", () => {
  test("live from creation to deletion, under preconditions", async () => {
    expect((await failureOf(put(ci(), 1n))).code).toBe("version_conflict");
    const created = await put(ci(), 0n);
    expect(created).toMatchObject({ name: "ci", url: issuer.url, audiences: ["counterfoil"], version: 1n });
    expect((await failureOf(put(ci(), 0n))).code).toBe("version_conflict");
    expect((await put(ci())).version).toBe(1n);
    expect((await put(ci({ groups: ["ci"] }), 1n)).version).toBe(2n);
    expect((await failureOf(put(ci(), 1n))).code).toBe("version_conflict");
    expect(await client.call(method.getIssuer, { name: "ci" }, as())).toMatchObject({ groups: ["ci"], version: 2n });

    const remove = (version?: bigint) =>
      client.call(
        method.deleteIssuer,
        { name: "ci", ...(version !== undefined && { precondition: { version } }) },
        as(),
      );
    expect((await failureOf(remove(1n))).code).toBe("version_conflict");
    await remove(2n);
    expect((await failureOf(client.call(method.getIssuer, { name: "ci" }, as()))).code).toBe("not_found");
    expect((await failureOf(remove())).code).toBe("not_found");
    expect((await put(ci(), 0n)).version).toBe(4n);
  });

  test("are made once by a repeated command, and a reused command id is refused", async () => {
    const call = as();
    const one = ci({ name: "repeated", url: "https://repeated.example.org" });
    expect((await put(one, undefined, call)).version).toBe(1n);
    await put(ci({ name: one.name, url: one.url, groups: ["other"] }));
    expect((await put(one, undefined, call)).version).toBe(1n);
    expect((await failureOf(put(ci({ groups: ["new"] }), undefined, call))).code).toBe("conflict");
  });

  test("have a url each", async () => {
    expect(await failureOf(put(ci({ name: "twin" })))).toMatchObject({ code: "conflict", details: { field: "url" } });
    expect((await failureOf(client.call(method.getIssuer, { name: "twin" }, as()))).code).toBe("not_found");
  });

  test("that may not be are refused with the field", async () => {
    expect(await failureOf(put(ci({ algorithms: ["none"] })))).toMatchObject({ details: { field: "algorithms" } });
    expect(await failureOf(put(ci({ name: "a\u0000" })))).toMatchObject({
      code: "invalid",
      details: { field: "name" },
    });
    expect(await failureOf(client.call(method.putIssuer, {}, as()))).toMatchObject({ code: "invalid" });
  });

  test("are listed in pages", async () => {
    for (const name of ["page-1", "page-2", "page-3"]) await put(ci({ name, url: `https://${name}.example.org` }));
    const names: string[] = [];
    let cursor = "";
    do {
      const page = await client.call(method.listIssuers, { page: { limit: 2, cursor } }, as());
      expect(page.issuers.length).toBeLessThanOrEqual(2);
      names.push(...page.issuers.map(({ name }) => name));
      cursor = page.next;
    } while (cursor);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(["ci", "page-1", "page-2", "page-3"]));
  });

  test("vouch for subjects, until they are deleted", async () => {
    await put(ci({ name: "ci" }));
    const verify = async () =>
      client.call(
        method.verifySubject,
        { subjectToken: await issuer.token({ groups: ["dev"], run: "7" }), subjectTokenType: JWT },
        as(),
      );
    expect((await verify()).principal).toMatchObject({ id: "ci|job", groups: ["dev"], run: "7" });
    await client.call(method.deleteIssuer, { name: "ci" }, as());
    expect(await failureOf(verify())).toMatchObject({ code: "invalid", details: { reason: "untrusted_issuer" } });
  });
});

describe("administrators' keys", () => {
  const make = (call = as()) => client.call(method.createAdminKey, { name: "deploy", roles: ["approver"] }, call);
  const authenticate = (secret: string) => client.call(method.authenticateAdminKey, { secret }, as());

  test("the first is made once, by whoever of several starts first", async () => {
    const first = service.app.get(FirstAdminKey, { strict: false });
    const made = (await Promise.all([first.ensure(), first.ensure(), first.ensure()])).filter((text) => text !== null);
    expect(made).toHaveLength(1);
    expect(await first.ensure()).toBeNull();
    expect((await authenticate(made[0]!)).actor?.roles).toEqual(["admin", "approver", "auditor"]);
  });

  test("authenticate until they are revoked", async () => {
    const { key, secret } = await make();
    expect(key).toMatchObject({ name: "deploy", roles: ["approver"], version: 1n });
    expect((await authenticate(secret)).actor).toMatchObject({ id: key?.id, name: "deploy", roles: ["approver"] });
    const revoked = await client.call(method.revokeAdminKey, { id: key!.id, precondition: { version: 1n } }, as());
    expect(revoked).toMatchObject({ version: 2n });
    expect(revoked.revokedAt).toBeDefined();
    expect((await failureOf(authenticate(secret))).code).toBe("forbidden");
    expect((await client.call(method.revokeAdminKey, { id: key!.id }, as())).version).toBe(2n);
  });

  test("the last that may administer is not revoked, nor the last two at once", async () => {
    const revoke = (id: string) => client.call(method.revokeAdminKey, { id }, as());
    const [last] = await sql("SELECT id FROM identity.admin_key WHERE 'admin' = ANY (roles) AND revoked_at IS NULL");
    expect(await failureOf(revoke(last.id))).toMatchObject({ code: "conflict", details: { id: last.id } });

    const { key } = await client.call(method.createAdminKey, { name: "ops", roles: ["admin"] }, as());
    const both = await Promise.allSettled([revoke(last.id), revoke(key!.id)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("wrong, cut and foreign texts are refused alike", async () => {
    const [one, two] = [(await make()).secret, (await make()).secret];
    const crossed = `${two.slice(0, 21)}${one.slice(21)}`;
    const said = new Set<string>();
    for (const text of ["", "x", one.slice(0, -1), crossed, "cfk_", `${one}\u0000`]) {
      const failure = await failureOf(authenticate(text));
      expect(failure.code).toBe("forbidden");
      said.add(failure.message);
    }
    expect(said.size).toBe(1);
  });

  test("are shown once: a repeated command doesn't say the secret again", async () => {
    const call = as();
    const { key } = await make(call);
    expect(await failureOf(make(call))).toMatchObject({ code: "conflict", details: { id: key?.id } });
  });

  test("leave no secret in the events or the tables", async () => {
    const { secret } = await make();
    const half = secret.slice(21, 69);
    const [{ found }] = await sql(
      `SELECT (SELECT count(*) FROM es.event WHERE position($1 in body::text) > 0) +
         (SELECT count(*) FROM identity.admin_key k WHERE position($1 in k::text) > 0) AS found`,
      half,
    );
    expect(Number(found)).toBe(0);
    const { keys: listed } = await client.call(method.listAdminKeys, {}, as());
    expect(JSON.stringify(listed, (_, value) => (typeof value === "bigint" ? String(value) : value))).not.toContain(
      half,
    );
  });
});

describe("enforcers", () => {
  const register = (name: string, call = as(), group = "default") =>
    client.call(
      method.registerEnforcer,
      { name, group, listeners: [{ protocol: "postgres", host: "localhost", port: 7432 }] },
      call,
    );
  async function certificateRequest(): Promise<string> {
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const pair = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
    const signingAlgorithm = { ...algorithm, hash: "SHA-256" };
    const made = await x509.Pkcs10CertificateRequestGenerator.create({ name: "CN=x", keys: pair, signingAlgorithm });
    return made.toString("pem");
  }
  const connectAs = (id: string, credentials: string, patienceMs = 5000) =>
    nats.connect(id, { credentials, inboxPrefix: enforcerInbox(id), patienceMs });

  test("join with the credentials they were given, enrol, and are cut off when removed", async () => {
    const { enforcer, busCredentials, signingKey } = await register("edge-1");
    expect(enforcer).toMatchObject({ name: "edge-1", group: "default", removed: false, version: 1n });
    expect(enforcer?.seenAt).toBeUndefined();
    expect(signingKey).toBe(SIGNING_KEY);
    const id = enforcer!.id;

    const node = await connectAs(id, busCredentials);
    const enroll = { certificateRequest: await certificateRequest(), softwareVersion: "0.1.0" };
    const enrolled = await node.callEdge(edgeV1.EdgeIdentity.method.enroll, id, enroll);
    expect(enrolled.enforcer).toMatchObject({ id, softwareVersion: "0.1.0", version: 2n });
    expect(enrolled.enforcer?.seenAt).toBeDefined();
    expect(enrolled.ca).toBe((await client.call(method.getCertificateAuthority, {}, as())).certificate);
    expect(new x509.X509Certificate(enrolled.certificate).subject).toBe("CN=edge-1");

    const cut = (async () => {
      for await (const status of node.nats.status()) if (status.type === "disconnect") return;
    })();
    const removed = await client.call(method.removeEnforcer, { id, precondition: { version: 2n } }, as());
    expect(removed).toMatchObject({ removed: true, version: 3n });
    await cut;
    await expect(connectAs(id, busCredentials, 0)).rejects.toThrow(/refused the credentials/);
    const late = failureOf(client.callEdge(edgeV1.EdgeIdentity.method.enroll, id, enroll));
    expect((await late).code).toBe("gone");
    const { enforcers } = await client.call(method.listEnforcers, {}, as());
    expect(enforcers.map((it) => it.id)).not.toContain(id);
    // Its name is free again.
    expect((await register("edge-1")).enforcer?.id).not.toBe(id);
  });

  test("are seen for as long as they are connected", async () => {
    const { enforcer, busCredentials } = await register("edge-5");
    const id = enforcer!.id;
    const presence = service.app.get(Presence, { strict: false });
    const seen = async () => (await client.call(method.getEnforcer, { id }, as())).seenAt;
    await presence.note();
    expect(await seen()).toBeUndefined();
    const node = await connectAs(id, busCredentials);
    await presence.note();
    const first = timestampMs((await seen())!);
    await presence.note();
    expect(timestampMs((await seen())!)).toBeGreaterThan(first);
    await node.close();
  });

  test("have a name each, and are made once by a repeated command", async () => {
    const call = as();
    const { enforcer } = await register("edge-2", call, "west");
    expect(await failureOf(register("edge-2"))).toMatchObject({ code: "exists", details: { field: "name" } });
    expect(await failureOf(register("edge-2", call, "west"))).toMatchObject({
      code: "conflict",
      details: { id: enforcer?.id },
    });
    const listed = await client.call(method.listEnforcers, { group: "west" }, as());
    expect(listed.enforcers.map(({ name }) => name)).toEqual(["edge-2"]);
    expect(await client.call(method.getEnforcer, { id: enforcer!.id }, as())).toMatchObject({ name: "edge-2" });
  });

  test("that may not be are refused, and leave nothing", async () => {
    expect((await failureOf(register("Edge"))).code).toBe("invalid");
    expect((await failureOf(register("edge-3", as(), "*"))).code).toBe("invalid");
    expect((await failureOf(client.call(method.getEnforcer, { id: randomUUID() }, as()))).code).toBe("not_found");
    const stranger = randomUUID();
    const ask = client.callEdge(edgeV1.EdgeIdentity.method.enroll, stranger, { certificateRequest: "x" });
    expect((await failureOf(ask)).code).toBe("not_found");
  });

  test("leave no credentials in the events or the tables", async () => {
    const { busCredentials } = await register("edge-4");
    const seed = /SU[A-Z0-9]{56}/.exec(busCredentials)?.[0];
    expect(seed).toBeDefined();
    const [{ found }] = await sql("SELECT count(*) AS found FROM es.event WHERE position($1 in body::text) > 0", seed);
    expect(Number(found)).toBe(0);
  });
});

test("the read models made anew from the log are the same", async () => {
  const tables = async () => ({
    issuers: await sql("SELECT * FROM identity.issuer ORDER BY name"),
    keys: await sql("SELECT * FROM identity.admin_key ORDER BY id"),
    enforcers: await sql("SELECT * FROM identity.enforcer ORDER BY id"),
  });
  const before = await tables();
  expect(before.keys.length).toBeGreaterThan(0);
  await sql("UPDATE identity.admin_key SET roles = '{admin}', version = 99");
  await sql("DELETE FROM identity.enforcer");
  // The log's order is given to events a moment after their append.
  const [{ events }] = await sql("SELECT count(*) AS events FROM es.event");
  const store = service.app.get(PostgresEventStore, { strict: false });
  while ((await store.readAll(Number(events) - 1, 1)).length === 0) await new Promise((soon) => setTimeout(soon, 10));
  await rebuildIdentity(store, service.app.get(DataSource, { strict: false }));
  expect(await tables()).toEqual(before);
});

test("a second start has everything the first knew", async () => {
  await put(ci({ name: "kept", url: "https://kept.example.org" }));
  const authority = (await client.call(method.getCertificateAuthority, {}, as())).certificate;
  await service.close();
  service = await startIdentity();
  expect((await client.call(method.getIssuer, { name: "kept" }, as())).url).toBe("https://kept.example.org");
  expect((await client.call(method.getCertificateAuthority, {}, as())).certificate).toBe(authority);
  expect(await service.app.get(FirstAdminKey, { strict: false }).ensure()).toBeNull();
});
