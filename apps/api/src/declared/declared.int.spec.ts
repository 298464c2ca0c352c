import { create } from "@bufbuild/protobuf";
import { identityV1, policyV1 } from "#contracts";
import { refuse } from "../../test/control-plane.js";
import { Fixture, type Loose } from "../../test/fixture.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture?.stop());
beforeEach(() => fixture.plane.forget());

const { Identity } = identityV1;
const { Policy } = policyV1;

const CASES = [
  {
    many: "issuers",
    calls: [
      Identity.method.listIssuers,
      Identity.method.getIssuer,
      Identity.method.putIssuer,
      Identity.method.deleteIssuer,
    ],
    field: "issuer",
    name: "github",
    body: {
      ...{ url: "https://ci.example.com", jwks_uri: "https://ci.example.com/keys", audiences: ["counterfoil"] },
      ...{ algorithms: ["ES256"], required_claims: { repository: "acme/shop" }, groups: ["ci"] },
      exchange_once: true,
      claims: { subject: "sub", name: "n", groups: "groups", run: "run_id", on_behalf_of: "act.sub" },
    },
  },
  {
    many: "resources",
    calls: [
      Policy.method.listResources,
      Policy.method.getResource,
      Policy.method.putResource,
      Policy.method.deleteResource,
    ],
    field: "resource",
    name: "shop",
    body: {
      ...{ protocol: "postgres", group: "default", reads: "disk" },
      upstream: {
        ...{
          hosts: [
            { host: "db-1", port: 5432 },
            { host: "db-2", port: 5433 },
          ],
        },
        ...{ target_session_attrs: "prefer-standby", database: "shop", tls: "verify-full", ca: "PEM" },
      },
      credential: { username: "app", password: "file:/run/secrets/shop" },
    },
  },
  {
    many: "labels",
    calls: [Policy.method.listLabels, Policy.method.getLabel, Policy.method.putLabel, Policy.method.deleteLabel],
    field: "label",
    name: "pii.email",
    body: {
      description: "E-mail",
      columns: [{ resource: "shop", schema: "crm", table: "customers", column: "email" }],
      transform: { kind: "partial", options: { keep_last: "4" } },
    },
  },
  {
    many: "policies",
    calls: [Policy.method.listPolicies, Policy.method.getPolicy, Policy.method.putPolicy, Policy.method.deletePolicy],
    field: "policy",
    name: "ci-reads",
    body: { description: "CI reads", text: "permit (principal, action, resource);" },
  },
] as const;

describe.each(CASES)("$many", ({ many, calls, field, name, body }) => {
  const [list, get, put, remove] = calls as readonly Loose[];
  /** What the service would keep of what it was put. */
  let kept: Loose;
  beforeAll(() => {
    fixture.plane.on(put, (request: Loose) => (kept = { ...request[field], version: 7n }));
    fixture.plane.on(get, () => kept);
    fixture.plane.on(list, () => ({ [many]: [kept], next: "more/+=" }));
    fixture.plane.on(remove, () => ({}));
  });
  const path = `/v1/${many}/${name}`;

  test("what is put reads the same, with its version as the ETag", async () => {
    const written = await fixture.send("PUT", path, { json: body });
    expect(written.status).toBe(200);
    expect(written.headers.get("etag")).toBe('"7"');
    const read = await fixture.send("GET", path);
    expect(read.body).toEqual({ ...body, name, version: 7 });
    expect(read.headers.get("etag")).toBe('"7"');
    expect((await fixture.send("GET", path, { headers: { "if-none-match": '"7"' } })).status).toBe(304);
    expect((await fixture.send("GET", path, { headers: { "if-none-match": '"6"' } })).status).toBe(200);
  });

  test("a name in the body is the path's or refused", async () => {
    expect((await fixture.send("PUT", path, { json: { ...body, name } })).status).toBe(200);
    const other = await fixture.send("PUT", path, { json: { ...body, name: `${name}x` } });
    expect([other.status, other.body.errors[0].pointer]).toEqual([400, "/name"]);
  });

  test("preconditions go with the write and the deletion", async () => {
    const version = () => (fixture.plane.last(put.name).request as Loose).precondition?.version;
    await fixture.send("PUT", path, { json: body });
    expect(version()).toBeUndefined();
    await fixture.send("PUT", path, { json: body, headers: { "if-match": '"3"' } });
    expect(version()).toBe(3n);
    await fixture.send("PUT", path, { json: body, headers: { "if-match": "*" } });
    expect(version()).toBe(7n);
    const created = await fixture.send("PUT", path, { json: body, headers: { "if-none-match": "*" } });
    expect([created.status, version()]).toEqual([201, 0n]);
    expect((await fixture.send("DELETE", path, { headers: { "if-match": '"7"' } })).status).toBe(204);
    expect((fixture.plane.last(remove.name).request as Loose).precondition.version).toBe(7n);
  });

  test.each([
    [{ "if-match": '"3", "4"' }],
    [{ "if-match": 'W/"3"' }],
    [{ "if-match": "3" }],
    [{ "if-none-match": '"3"' }],
    [{ "if-match": '"3"', "if-none-match": "*" }],
  ])("%j is refused before anything is asked", async (headers) => {
    expect((await fixture.send("PUT", path, { json: body, headers })).status).toBe(400);
    expect(fixture.plane.asked.filter(({ method }) => method === put.name)).toEqual([]);
  });

  test("pages say where the next one is", async () => {
    const { body: answered, headers } = await fixture.send("GET", `/v1/${many}?limit=1&cursor=${many}.a`);
    expect(answered).toEqual({ items: [expect.objectContaining({ name })], next: `${many}.more/+=` });
    expect(headers.get("link")).toBe(`</v1/${many}?limit=1&cursor=${many}.more%2F%2B%3D>; rel="next"`);
    expect((fixture.plane.last(list.name).request as Loose).page).toMatchObject({ limit: 1, cursor: "a" });
    for (const query of ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "page=2"]) {
      const refused = await fixture.send("GET", `/v1/${many}?${query}`);
      expect([query, refused.status]).toEqual([query, 400]);
    }
  });

  test("the same Idempotency-Key makes the same command, another key, route or actor another one", async () => {
    const put1 = async (headers: Record<string, string>, at = path) => {
      await fixture.send("PUT", at, { json: body, headers });
      return fixture.plane.last(put.name).commandId;
    };
    const first = await put1({ "idempotency-key": "k1" });
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(await put1({ "idempotency-key": "k1" })).toBe(first);
    const others = [
      await put1({ "idempotency-key": "k2" }),
      await put1({ "idempotency-key": "k1" }, `${path}x`),
      await put1({}),
    ];
    expect(new Set([first, ...others]).size).toBe(4);
    expect((await fixture.send("PUT", path, { json: body, headers: { "idempotency-key": "a b" } })).status).toBe(400);
  });
});

test("a reused Idempotency-Key is 422", async () => {
  const reused = () => refuse("conflict", "command id was used", { reason: "command_id_reused" });
  fixture.plane.on(Policy.method.putPolicy, reused);
  const json = { text: "permit (principal, action, resource);" };
  const got = await fixture.send("PUT", "/v1/policies/p", { json, headers: { "idempotency-key": "k" } });
  expect([got.status, got.body.code]).toEqual([422, "key_reused"]);
});

test("If-Match: * on nothing is 412", async () => {
  fixture.plane.on(Policy.method.getPolicy, () => refuse("not_found", "there is no policy p"));
  const json = { text: "permit (principal, action, resource);" };
  expect((await fixture.send("PUT", "/v1/policies/p", { json, headers: { "if-match": "*" } })).status).toBe(412);
  expect((await fixture.send("GET", "/v1/policies/p")).status).toBe(404);
});

test("what is left out goes to its default", async () => {
  fixture.plane.on(Policy.method.putResource, ({ resource }) => ({ ...(resource as policyV1.Resource), version: 1n }));
  const json = {
    protocol: "postgres",
    group: "default",
    upstream: { host: "db", port: 5432 },
    credential: { username: "app", password: "env:PW" },
  };
  const { status, body } = await fixture.send("PUT", "/v1/resources/shop", { json });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    upstream: {
      host: "db",
      port: 5432,
      hosts: [],
      target_session_attrs: "any",
      database: "",
      tls: "verify-full",
      ca: "",
    },
    reads: "os",
  });
});

describe("simulate", () => {
  test("says so where the principal is of no issuer", async () => {
    fixture.plane.on(policyV1.Policy.method.simulate, () => ({ verdict: "deny", caveats: ["no catalog"] }));
    const json = { principal: { id: "ci" }, resource: "shop", statement: "select 1" };
    const { body } = await fixture.send("POST", "/v1/policies/simulate", { json });
    expect(body.caveats).toEqual(["no catalog", expect.stringContaining("<issuer>|<subject>")]);
  });

  test("the verdict, with the principal filled in from its id", async () => {
    fixture.plane.on(Policy.method.simulate, () =>
      create(policyV1.SimulateResponseSchema, {
        ...{ verdict: "deny", reason: "no WHERE", policies: ["say-which-rows"], epoch: 9n, actions: ["sql:delete"] },
        masks: [{ column: "email", labels: ["pii.email"], transform: "partial" }],
        uses: [
          { action: "filter", label: "pii.email", column: "public.customers.email", use: "pattern", permitted: false },
        ],
      }),
    );
    const json = {
      principal: { id: "github|repo:acme|x", groups: ["ci"] },
      resource: "shop",
      statement: "delete from t",
    };
    const { status, body } = await fixture.send("POST", "/v1/policies/simulate", { json });
    expect(status).toBe(200);
    expect(body).toMatchObject({ verdict: "deny", policies: ["say-which-rows"], epoch: 9 });
    expect(body.uses).toEqual([
      {
        ...{ action: "filter", label: "pii.email", column: "public.customers.email", use: "pattern", permitted: false },
        target: "",
      },
    ]);
    const { principal } = fixture.plane.last("Simulate").request as policyV1.SimulateRequest;
    expect(principal).toMatchObject({ issuer: "github", subject: "repo:acme|x", groups: ["ci"] });
  });
  test("without a statement it is refused", async () => {
    const json = { principal: { id: "a|b" }, resource: "shop", statement: "" };
    expect((await fixture.send("POST", "/v1/policies/simulate", { json })).status).toBe(400);
  });
});

test("with an issuer go the tokens of those it vouched for, with a policy none", async () => {
  const { plane } = fixture;
  plane.on(Identity.method.deleteIssuer, () => ({}));
  plane.on(Policy.method.deletePolicy, () => ({}));
  plane.forget();
  expect((await fixture.send("DELETE", "/v1/issuers/ci")).status).toBe(204);
  expect(plane.last("Revoke").request).toMatchObject({ issuer: "ci", reason: "the issuer ci is no longer trusted" });
  plane.forget();
  expect((await fixture.send("DELETE", "/v1/policies/ci-reads")).status).toBe(204);
  expect(plane.asked.map(({ method }) => method)).not.toContain("Revoke");
});

test("a DELETE that names a type and has no body is taken", async () => {
  fixture.plane.on(Policy.method.deletePolicy, () => ({}));
  const headers = { "content-type": "application/json" };
  expect((await fixture.send("DELETE", "/v1/policies/ci-reads", { headers })).status).toBe(204);
});
