import { timestampFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { identityV1, policyV1, tokensV1 } from "#contracts";
import { refuse } from "../../test/control-plane.js";
import { Fixture } from "../../test/fixture.js";
import { RefusedExchanges } from "./refused-exchanges.js";

const { Identity } = identityV1;
const { Policy } = policyV1;
const { Tokens } = tokensV1;
const PRINCIPAL = { id: "ci|job", issuer: "ci", subject: "job", name: "Jöb", groups: ["ci"], run: "17" };
const FORM = {
  grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
  subject_token: "a.b.c",
  subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
  resource: "shop",
};

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture?.stop());

beforeEach(() => {
  const { plane } = fixture;
  plane.forget();
  plane.on(Identity.method.verifySubject, () => ({ principal: PRINCIPAL }));
  plane.on(Policy.method.getResource, ({ name }) => ({
    ...{ name, protocol: "postgres", group: "edge" },
    upstream: { host: "db", port: 5432, database: "shop_db" },
  }));
  plane.on(Policy.method.authorizeConnect, () => ({ allowed: true }));
  plane.on(Identity.method.listEnforcers, () => ({
    enforcers: [
      { id: "e", listeners: [{ protocol: "postgres", host: "127.0.0.1", port: 7432 }], seenAt: timestampNow() },
    ],
  }));
  plane.on(Identity.method.getCertificateAuthority, () => ({ certificate: "PEM" }));
  plane.on(Tokens.method.recordRefusal, () => ({}));
  plane.on(Tokens.method.mint, ({ principal, resource, protocol, scope, mode }) => ({
    token: { id: "abc", principal, resource, protocol, scope, mode, expiresAt: timestampFromMs(Date.now() + 600_000) },
    text: "foil_abc_s3cret",
  }));
});

const noted = () =>
  fixture.plane.asked
    .filter(({ method }) => method === "RecordRefusal")
    .map(({ request }) => request as tokensV1.RecordRefusalRequest);

const exchange = (form: Record<string, string> = FORM, headers: Record<string, string> = {}) =>
  fixture.send("POST", "/v1/token", {
    ...{ key: null, headers, text: new URLSearchParams(form).toString(), type: "application/x-www-form-urlencoded" },
  });

test("an identity becomes a token with ready connection settings", async () => {
  const { status, body, headers } = await exchange({
    ...FORM,
    scope: "sql:read",
    use_mode: "run",
    lifetime_seconds: "60",
  });
  expect(status).toBe(200);
  expect(headers.get("cache-control")).toBe("no-store");
  expect(body).toMatchObject({
    ...{ access_token: "foil_abc_s3cret", token_type: "N_A", token_id: "abc", scope: "sql:read" },
    issued_token_type: "urn:counterfoil:token-type:foil",
    connection: {
      ...{ host: "127.0.0.1", port: 7432, user: "foil_abc", password: "s3cret", database: "shop_db", ca: "PEM" },
      environment: { PGHOST: "127.0.0.1", PGPORT: "7432", PGSSLROOTCERT: `\${ca}` },
    },
  });
  expect(body.connection.uri).toContain("foil_abc:s3cret@127.0.0.1:7432/shop_db");
  expect(body.expires_in).toBeGreaterThan(590);
  expect(body.expires_in).toBeLessThanOrEqual(600);
  const { request, actor } = fixture.plane.last("Mint");
  expect(request).toMatchObject({
    ...{ principal: PRINCIPAL, resource: "shop", protocol: "postgres", scope: ["sql:read"] },
    ...{ mode: tokensV1.UseMode.RUN, lifetimeSeconds: 60 },
  });
  expect(actor).toEqual({ id: "ci|job", name: "Jöb", roles: [] });
  expect(fixture.plane.last("ListEnforcers").request).toMatchObject({ group: "edge" });
});

const unminted = () => expect(fixture.plane.asked.some(({ method }) => method === "Mint")).toBe(false);

test("a subject token that is not good is invalid_request (RFC 8693 section 2.2.2)", async () => {
  fixture.plane.on(Identity.method.verifySubject, () => refuse("forbidden", 'the token "a" is expired — über'));
  const { status, body, headers } = await exchange();
  expect([status, body.error]).toEqual([400, "invalid_request"]);
  expect(body.error_description).toBe("the token 'a' is expired ? ?ber");
  expect(headers.get("cache-control")).toBe("no-store");
  unminted();
});

test("an identity token that is exchanged once is used up with the minting, and not before", async () => {
  const { plane } = fixture;
  plane.on(Identity.method.verifySubject, () => ({ principal: PRINCIPAL, subjectTokenId: "jti-1" }));
  expect((await exchange()).status).toBe(200);
  expect(plane.last("Mint").request).toMatchObject({ subjectTokenId: "jti-1" });
  plane.on(Tokens.method.mint, () => refuse("conflict", "it has been exchanged already"));
  const { status, body } = await exchange();
  expect([status, body]).toEqual([
    400,
    { error: "invalid_request", error_description: "it has been exchanged already" },
  ]);
});

test("an unknown resource, and one the principal may not connect to, are invalid_target", async () => {
  fixture.plane.on(Policy.method.authorizeConnect, () => ({ allowed: false, reason: "no policy permits connect" }));
  const denied = await exchange();
  expect([denied.status, denied.body.error]).toEqual([400, "invalid_target"]);
  expect(denied.body.error_description).toContain("no policy permits connect");
  expect(denied.body).not.toHaveProperty("detail");
  // RFC 6749 section 5.2 keeps quotes out of the description; what is to be pasted into a policy has them.
  const advice = 'Ask for a policy that permits Action::"connect" on Resource::"shop".';
  fixture.plane.on(Policy.method.authorizeConnect, () => ({ allowed: false, reason: advice }));
  const { body } = await exchange();
  expect(body.detail).toMatch(new RegExp(`: ${advice}$`));
  expect(body.error_description).toBe(body.detail.replaceAll('"', "'"));
  fixture.plane.on(Policy.method.getResource, () => refuse("not_found", "there is no resource shop"));
  const unknown = { error: "invalid_target", error_description: "there is no resource shop", code: "not_found" };
  expect((await exchange()).body).toEqual(unknown);
  unminted();
});

test("an answer that does not say allowed is a denial", async () => {
  fixture.plane.on(Policy.method.authorizeConnect, () => ({}));
  expect((await exchange()).body.error).toBe("invalid_target");
  unminted();
});

test("no enforcer to reach it: nothing is minted, and trying again later is advised", async () => {
  fixture.plane.on(Identity.method.listEnforcers, () => ({ enforcers: [] }));
  const { status, body, headers } = await exchange();
  expect([status, body.error]).toEqual([503, "temporarily_unavailable"]);
  expect(headers.get("retry-after")).not.toBeNull();
  unminted();
});

test("the log is told who used an identity token again, and where from", async () => {
  const { plane } = fixture;
  plane.on(Identity.method.verifySubject, () => ({ principal: { ...PRINCIPAL, id: "ci|r" }, subjectTokenId: "jti-1" }));
  plane.on(Tokens.method.mint, () => refuse("conflict", "exchanged already", { reason: "exchanged_already" }));
  await exchange();
  expect(noted()).toMatchObject([
    {
      ...{ reason: "exchanged_already", message: "exchanged already", issuer: "ci", subject: "job" },
      ...{ principalId: "ci|r", subjectTokenId: "jti-1", resource: "shop", clientAddresses: ["127.0.0.1"], count: 1 },
    },
  ]);
});

test.each<[string, Record<string, string>, object]>([
  [
    "of what the issuer signed",
    { reason: "audience", issuer: "ci", subject: "j", subject_token_id: "t" },
    { reason: "audience", issuer: "ci", subject: "j", subjectTokenId: "t", principalId: "", resource: "shop" },
  ],
  ["of what nobody trusted signed", { reason: "untrusted_issuer" }, { reason: "untrusted_issuer", issuer: "" }],
])("the log is told %s, and is refused", async (_, details, expected) => {
  fixture.plane.on(Identity.method.verifySubject, () => refuse("invalid", "no", details));
  expect((await exchange()).status).toBe(400);
  expect(noted()).toMatchObject([expected]);
});

test("the log is told of what a principal may not have, and of what there is not, each by itself", async () => {
  const { plane } = fixture;
  plane.on(Identity.method.verifySubject, () => ({ principal: { ...PRINCIPAL, id: "ci|asks" } }));
  plane.on(Policy.method.authorizeConnect, () => ({ allowed: false }));
  await exchange();
  plane.on(Policy.method.getResource, () => refuse("not_found", "there is no resource shop"));
  await exchange();
  const principalId = "ci|asks";
  expect(noted()).toMatchObject([
    { reason: "not_permitted", principalId, resource: "shop" },
    { reason: "unknown_resource", principalId },
  ]);
});

test("a request that is only badly put is none for the log", async () => {
  fixture.plane.on(Tokens.method.mint, () => refuse("invalid", "at most 1800 seconds", { field: "lifetime_seconds" }));
  await exchange({ ...FORM, use_mode: "sometimes" });
  await exchange();
  expect(noted()).toEqual([]);
});

test("however many come, the log has few entries, which count them; what befalls another principal has its own", async () => {
  const refusals = new RefusedExchanges(fixture.bus);
  const one = { message: "no", subject: "", subjectTokenId: "", resource: "shop" };
  const forged = { ...one, reason: "signature", issuer: "ci", principalId: "" };
  const replayed = (principalId: string) => ({ ...one, reason: "exchanged_already", issuer: "ci", principalId });
  for (let n = 0; n < 50; n++) await refusals.note({ ...forged, resource: `r${n}`, clientAddress: `10.0.0.${n}` });
  await refusals.note({ ...replayed("ci|a"), clientAddress: "10.0.1.1" });
  await refusals.note({ ...replayed("ci|b"), clientAddress: "10.0.1.2" });
  expect(noted().map(({ reason, count }) => [reason, count])).toEqual([
    ["signature", 1],
    ["exchanged_already", 1],
    ["exchanged_already", 1],
  ]);
  fixture.plane.forget();
  await refusals.onApplicationShutdown();
  expect(noted()).toMatchObject([{ reason: "signature", count: 49, resource: "r49" }]);
  expect(noted()[0]!.clientAddresses).toHaveLength(10);
});

test("what cannot be told is told later, and the refusal does not wait for it", async () => {
  const { plane } = fixture;
  plane.on(Tokens.method.recordRefusal, () => refuse("unavailable", "not now"));
  const refusals = new RefusedExchanges(fixture.bus);
  const one = { ...{ message: "no", subject: "", subjectTokenId: "", resource: "shop" }, clientAddress: "10.0.0.1" };
  await refusals.note({ ...one, reason: "expired", issuer: "ci", principalId: "" });
  plane.on(Tokens.method.recordRefusal, () => ({}));
  plane.forget();
  await refusals.onApplicationShutdown();
  expect(noted()).toMatchObject([{ reason: "expired", count: 1 }]);
});

test("a scope or a lifetime the tokens service refuses", async () => {
  fixture.plane.on(Tokens.method.mint, () => refuse("invalid", "no such action", { field: "scope" }));
  expect((await exchange({ ...FORM, scope: "sql:read" })).body.error).toBe("invalid_scope");
  fixture.plane.on(Tokens.method.mint, () => refuse("invalid", "at most 1800 seconds"));
  expect((await exchange({ ...FORM, lifetime_seconds: "3600" })).body).toEqual({
    error: "invalid_request",
    error_description: "at most 1800 seconds",
  });
});

test("a failing service is server_error and tells nothing", async () => {
  fixture.plane.on(Tokens.method.mint, () => refuse("internal", "inner words"));
  const { status, text } = await exchange();
  expect(status).toBe(500);
  expect(text).toContain("server_error");
  expect(text).not.toContain("inner words");
});

test("JSON, a broken form and a huge one are refused in the standard's words", async () => {
  const json = await fixture.send("POST", "/v1/token", { key: null, json: FORM });
  expect([json.status, json.body.error]).toEqual([415, "invalid_request"]);
  const huge = await exchange({ ...FORM, subject_token: "x".repeat(2 ** 20) });
  expect([huge.status, huge.body.error]).toEqual([413, "invalid_request"]);
  expect((await exchange({})).body.error).toBe("invalid_request");
});

test("too many requests from one address are 429; a forwarded address counts only behind a trusted proxy", async () => {
  const limited = await Fixture.start({ tokenRequests: { burst: 2, perSecond: 0.001 } });
  const behind = await Fixture.start({ tokenRequests: { burst: 1, perSecond: 0.001 }, trustedProxies: ["127.0.0.1"] });
  const ask = (to: Fixture, address: string) =>
    to.send("POST", "/v1/token", {
      ...{ key: null, text: "a=b", type: "application/x-www-form-urlencoded", headers: { "x-forwarded-for": address } },
    });
  try {
    const statuses = [await ask(limited, "10.0.0.1"), await ask(limited, "10.0.0.2"), await ask(limited, "10.0.0.3")];
    expect(statuses.map(({ status }) => status)).toEqual([400, 400, 429]);
    expect(Number(statuses[2]?.headers.get("retry-after"))).toBeGreaterThan(0);
    const proxied = [await ask(behind, "10.0.0.1"), await ask(behind, "10.0.0.2"), await ask(behind, "10.0.0.1")];
    expect(proxied.map(({ status }) => status)).toEqual([400, 400, 429]);
  } finally {
    await limited.stop();
    await behind.stop();
  }
});
