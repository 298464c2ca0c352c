import { readFileSync } from "node:fs";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { identityV1, policyV1 } from "#contracts";
import { refuse } from "../../test/control-plane.js";
import { Fixture, type Loose } from "../../test/fixture.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture?.stop());

const { Identity } = identityV1;
const { Policy } = policyV1;
const KINDS = [
  [
    ...(["issuers", "issuer", Identity.method.listIssuers, Identity.method.putIssuer] as const),
    ...([Identity.method.deleteIssuer, Identity.method.checkIssuer] as const),
  ],
  [
    ...(["resources", "resource", Policy.method.listResources, Policy.method.putResource] as const),
    ...([Policy.method.deleteResource, Policy.method.checkResource] as const),
  ],
  [
    ...(["labels", "label", Policy.method.listLabels, Policy.method.putLabel] as const),
    ...([Policy.method.deleteLabel, Policy.method.checkLabel] as const),
  ],
  [
    ...(["policies", "policy", Policy.method.listPolicies, Policy.method.putPolicy] as const),
    ...([Policy.method.deletePolicy, Policy.method.checkPolicy] as const),
  ],
] as const;

const LISTENER = { protocol: "postgres", host: "127.0.0.1", port: 7432 };
const EDGE = { id: "e", group: "default", listeners: [LISTENER], seenAt: timestampNow() };

/** Services that keep what they are given, in pages of one. */
const kept: Record<string, Map<string, Loose>> = {};
beforeEach(() => {
  fixture.plane.forget();
  fixture.plane.on(Identity.method.listEnforcers, ({ group }) => ({ enforcers: group === "default" ? [EDGE] : [] }));
  for (const [many, one, list, put, remove, check] of KINDS as readonly Loose[]) {
    fixture.plane.on(check, () => ({}));
    const objects = (kept[many] = new Map());
    fixture.plane.on(list, ({ page }: Loose) => {
      const all = [...objects.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      const at = Number(page?.cursor || 0);
      return { [many]: all.slice(at, at + 1), next: at + 1 < all.length ? String(at + 1) : "" };
    });
    fixture.plane.on(put, (request: Loose) => {
      const object = request[one];
      const version = BigInt(objects.get(object.name)?.version ?? 0);
      if (request.precondition && request.precondition.version !== version) refuse("version_conflict", "it moved");
      objects.set(object.name, { ...object, version: version + 1n });
      return objects.get(object.name);
    });
    fixture.plane.on(remove, ({ name }: Loose) => {
      objects.delete(name);
      return {};
    });
  }
});

const DOCUMENT = `
issuers:
  - name: ci
    url: https://ci.example.com
    audiences: [counterfoil]
    groups: [ci]
resources:
  - name: shop
    protocol: postgres
    group: default
    upstream: { host: db, port: 5432, database: shop }
    credential: { username: app, password: "env:SHOP" }
labels:
  - name: pii.email
    columns: [{ resource: shop, table: customers, column: email }]
    transform: { kind: redact }
policies:
  - name: ci-connects
    text: |
      permit (principal in Group::"ci", action == Action::"connect", resource == Resource::"shop");
`;
const apply = (text: string, query = "") =>
  fixture.send("POST", `/v1/apply${query}`, { text, type: "application/yaml" });
const told = (got: { body: { plan: { kind: string; name: string; action: string; outcome: string }[] } }) =>
  got.body.plan.map(({ kind, name, action, outcome }) => `${action} ${kind} ${name} ${outcome}`);
const writes = () =>
  fixture.plane.asked.filter(({ method }) => /^(Put|Delete)/.test(method)).map(({ method }) => method);

test("everything is created in the order of its references, and a second time nothing changes", async () => {
  const first = await apply(DOCUMENT);
  expect(told(first)).toEqual([
    "create issuer ci done",
    "create resource shop done",
    "create label pii.email done",
    "create policy ci-connects done",
  ]);
  expect(writes()).toEqual(["PutIssuer", "PutResource", "PutLabel", "PutPolicy"]);
  fixture.plane.forget();
  const second = await apply(DOCUMENT);
  expect(told(second).every((step) => step.startsWith("unchanged "))).toBe(true);
  expect(second.body.plan[0].version).toBe(1);
  expect(writes()).toEqual([]);
});

test("the example with several hosts is a document, and says what it means", async () => {
  await apply(readFileSync("deploy/several-hosts/counterfoil.yaml", "utf8"));
  const { hosts, targetSessionAttrs } = kept.resources!.get("shop-reports")!.upstream;
  expect(hosts.map(({ host }: Loose) => host)).toEqual(["db-2.internal", "db-3.internal", "db-1.internal"]);
  expect(targetSessionAttrs).toBe(policyV1.TargetSessionAttrs.PREFER_STANDBY);
  expect(kept.policies!.get("shop-agents")!.text).toContain("analysts");
});

test("JSON says the same", async () => {
  await apply(DOCUMENT);
  const json = { issuers: [{ name: "ci", url: "https://ci.example.com", audiences: ["counterfoil"], groups: ["ci"] }] };
  expect(told(await fixture.send("POST", "/v1/apply", { json }))).toEqual(["unchanged issuer ci done"]);
});

test("a dry run answers the plan and writes nothing", async () => {
  const got = await apply(DOCUMENT, "?dry_run=true");
  expect(got.body.plan).toHaveLength(4);
  expect(got.body.plan.every(({ outcome }: { outcome: string }) => outcome === "planned")).toBe(true);
  expect(writes()).toEqual([]);
});

test("an update says which fields differ and is written on the version the plan saw", async () => {
  await apply(DOCUMENT);
  fixture.plane.forget();
  const got = await apply(DOCUMENT.replace("port: 5432", "port: 5433").replace("groups: [ci]", "groups: [ci, ops]"));
  const changed = got.body.plan.filter(({ action }: { action: string }) => action === "update");
  expect(changed.map(({ name, changes, version }: Loose) => [name, changes, version])).toEqual([
    ["ci", ["groups"], 2],
    ["shop", ["upstream.port"], 2],
  ]);
  expect((fixture.plane.last("PutResource").request as policyV1.PutResourceRequest).precondition?.version).toBe(1n);
});

test("prune deletes what the document leaves out, of the kinds it lists, users before what they use", async () => {
  await apply(DOCUMENT);
  fixture.plane.forget();
  expect(told(await apply("resources: []\nlabels: []"))).toEqual([]);
  const got = await apply("resources: []\nlabels: []", "?prune=true");
  expect(told(got)).toEqual(["delete label pii.email done", "delete resource shop done"]);
  expect(kept.policies?.size).toBe(1);
});

test("a failing step stops the rest, and the answer says exactly what was done", async () => {
  fixture.plane.on(Policy.method.putLabel, () =>
    refuse("invalid", "the column cannot be hashed", { field: "columns" }),
  );
  const { status, body } = await apply(DOCUMENT);
  expect(status).toBe(400);
  expect(told({ body })).toEqual([
    "create issuer ci done",
    "create resource shop done",
    "create label pii.email failed",
    "create policy ci-connects skipped",
  ]);
  expect(body.detail).toContain("create the label pii.email failed, after 2 other changes were made");
  expect(body.detail).toContain("cannot be hashed");
  // Which names no place of the document.
  expect(body.errors).toBeUndefined();
});

test("a writer in between is noticed", async () => {
  fixture.plane.on(Policy.method.putPolicy, () => refuse("version_conflict", "it moved"));
  const { status, body } = await apply(DOCUMENT);
  expect([status, body.plan.at(-1).outcome]).toEqual([409, "failed"]);
});

test("all that is wrong is said before anything is written", async () => {
  const { status, body } = await apply(`
issuers: [{ name: ci, url: "ftp://x", audiences: [] }]
resources: nothing
labels:
  - { name: a, columns: [{ resource: nowhere, table: t, column: c }], transform: { kind: rot13 } }
policies:
  - { name: p, text: "permit (principal, action == Action::\\"sql:selct\\", resource);" }
  - { name: p, text: "permit (" }
polices: []
`);
  expect(status).toBe(400);
  const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer);
  expect(pointers).toEqual(
    expect.arrayContaining([
      ...["/polices", "/issuers/0/url", "/issuers/0/audiences", "/resources", "/labels/0/transform/kind"],
      ...["/policies/0/text", "/policies/1/name", "/policies/1/text"],
    ]),
  );
  expect(JSON.stringify(body.errors)).toMatch(/line 1, column \d+/);
  expect(writes()).toEqual([]);
});

test("mistakes do not come in rounds: form, references and what the services would not take are said together", async () => {
  const refused = (field: string, message: string) => ({ field, message: `${field}: ${message}` });
  const faults = [refused("upstream.host", "no host"), refused("upstream.port", "no port")];
  fixture.plane.on(policyV1.Policy.method.checkResource, () =>
    refuse("invalid", "no host; no port", { field: "upstream.host", faults: JSON.stringify(faults) }),
  );
  const text = DOCUMENT.replace("audiences: [counterfoil]", "audience: x")
    .replace("resource: shop, table", "resource: shopp, table")
    .replace("name: ci-connects", "name: CI");
  const { status, body } = await apply(text.replace('resource == Resource::"shop"', "resource = 1"));
  expect(status).toBe(400);
  expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
    "/issuers/0/audience",
    "/issuers/0/audiences",
    "/labels/0/columns/0/resource",
    "/policies/0/name",
    "/policies/0/text",
    "/resources/0/upstream/host",
    "/resources/0/upstream/port",
  ]);
  expect(body.errors).toContainEqual({ pointer: "/resources/0/upstream/host", detail: "no host" });
  expect(writes()).toEqual([]);
});

test("a label of a resource that is declared, and is wrong, is not wrong for that", async () => {
  const { body } = await apply(DOCUMENT.replace("port: 5432", "port: 0"));
  expect(body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(["/resources/0/upstream/port"]);
});

test("an option that a transform does not have is found by a dry run too", async () => {
  const text = DOCUMENT.replace("{ kind: redact }", '{ kind: partial, options: { keep_frist: "1" } }');
  const { status, body } = await apply(text, "?dry_run=true");
  expect([status, body.errors[0].pointer]).toEqual([400, "/labels/0/transform"]);
  expect(body.errors[0].detail).toContain("has no option `keep_frist`");
  expect((await apply(text)).status).toBe(400);
  expect(writes()).toEqual([]);
});

test("what can never match is warned of, by a dry run too, and refuses nothing", async () => {
  const policy = 'permit (principal, action == Action::"reveal", resource == Label::"pii.mail");';
  const text = `${DOCUMENT}  - { name: typo, text: '${policy}' }`;
  const warning = {
    pointer: "/policies/1/text",
    detail: expect.stringMatching(/^policy typo, line 1, column 60: there is no label pii\.mail/),
  };
  expect((await apply(text, "?dry_run=true")).body.warnings).toEqual([warning]);
  const { status, body } = await apply(text);
  expect([status, body.warnings]).toEqual([200, [warning]]);
  const rightly = `policies: [{ name: typo, text: '${policy.replace("pii.mail", "pii.email")}' }]`;
  expect((await apply(rightly)).body.warnings).toEqual([]);
  expect((await apply(`labels: []\n${rightly}`, "?prune=true")).body.warnings).toHaveLength(1);
});

test("a group that no issuer puts anybody in is warned of, unless an issuer's tokens say which there are", async () => {
  const mistyped = DOCUMENT.replace('Group::"ci"', 'Group::"cj"');
  const { status, body } = await apply(mistyped);
  expect([status, body.warnings]).toEqual([
    200,
    [
      {
        pointer: "/policies/0/text",
        detail: expect.stringContaining("in a group cj: what is asked of it never matches"),
      },
    ],
  ]);
  const mapped = mistyped.replace("groups: [ci]", "claims: { groups: teams }");
  expect((await apply(mapped)).body.warnings).toEqual([]);
});

test.each<[string, object[], string]>([
  ["nobody is in its group", [], "no enforcer is in the group default, so nobody can reach it"],
  ["none of the group has been started", [{ ...EDGE, seenAt: undefined }], "has ever been started"],
  ["none of the group listens for it", [{ ...EDGE, listeners: [] }], "listens for postgres"],
])("a resource is warned of, and declared, where %s", async (_, enforcers, says) => {
  fixture.plane.on(Identity.method.listEnforcers, () => ({ enforcers }));
  const { status, body } = await apply(DOCUMENT);
  expect([status, body.warnings]).toEqual([
    200,
    [{ pointer: "/resources/0/group", detail: expect.stringMatching(new RegExp(`^resource shop: .*${says}`)) }],
  ]);
});

test("what a service would refuse is refused before anything is written, in a dry run too", async () => {
  fixture.plane.on(Identity.method.checkIssuer, () => refuse("invalid", "url must be https", { field: "url" }));
  fixture.plane.on(Policy.method.checkLabel, () =>
    refuse("invalid", "columns[0].table: it is named twice", { field: "columns[0].table" }),
  );
  for (const query of ["", "?dry_run=true"]) {
    const { status, body } = await apply(DOCUMENT, query);
    expect([status, body.errors]).toEqual([
      400,
      [
        { pointer: "/issuers/0/url", detail: "url must be https" },
        { pointer: "/labels/0/columns/0/table", detail: "it is named twice" },
      ],
    ]);
  }
  expect(writes()).toEqual([]);
});

test("a URL is one issuer's, in the order in which they are written", async () => {
  const issuer = (name: string, host: string) => ({ name, url: `https://${host}.example.com`, audiences: ["a"] });
  const applied = async (...issuers: object[]) =>
    (await fixture.send("POST", "/v1/apply?prune=true", { json: { issuers } })).body.errors;
  expect(await applied(issuer("a", "x"), issuer("b", "x"))).toEqual([
    { pointer: "/issuers/1/url", detail: "the issuer a has this url" },
  ]);
  expect(await applied(issuer("a", "x"))).toBeUndefined();
  // What is pruned goes last.
  expect(await applied(issuer("b", "x"))).toMatchObject([{ pointer: "/issuers/0/url" }]);
  expect(await applied(issuer("a", "y"), issuer("b", "x"))).toBeUndefined();
});

test("a transform as people write YAML: null is the word, other scalars are asked to be quoted", async () => {
  const nulled = DOCUMENT.replace("{ kind: redact }", "{ kind: null }");
  expect((await apply(nulled)).status).toBe(200);
  const { label } = fixture.plane.last("PutLabel").request as policyV1.PutLabelRequest;
  expect(label?.transform?.kind).toBe("null");
  const bare = DOCUMENT.replace("{ kind: redact }", "{ kind: partial, options: { keep_first: 1 } }");
  const { status, body } = await apply(bare);
  expect([status, body.errors]).toEqual([
    400,
    [{ pointer: "/labels/0/transform/options", detail: 'must hold texts: write keep_first: "1", in quotes' }],
  ]);
});

test("a label of a resource that is nowhere is refused", async () => {
  const labels =
    "labels: [{ name: a, columns: [{ resource: nowhere, table: t, column: c }], transform: { kind: redact } }]";
  const { status, body } = await apply(labels);
  expect([status, body.errors[0].pointer]).toEqual([400, "/labels/0/columns/0/resource"]);
});

test.each([
  ["not YAML", "a: [", "malformed"],
  ["a duplicate key", "labels: []\nlabels: []", "malformed"],
  ["two documents", "labels: []\n---\nlabels: []", "malformed"],
  [
    "an alias bomb",
    `a: &a [x]\n${[..."bcdefgh"].map((c, i) => `${c}: &${c} [${`*${"abcdefg"[i]},`.repeat(10)}]`).join("\n")}`,
    "malformed",
  ],
  ["a list", "- a", "invalid"],
  ["nothing", "", "invalid"],
  ["an empty object", "{}", "invalid"],
])("%s is refused", async (_, text, code) => {
  const { status, body } = await apply(text);
  expect([status, body.code]).toEqual([400, code]);
});

test("the same Idempotency-Key repeats each step's command", async () => {
  const ids = async () => {
    for (const objects of Object.values(kept)) objects.clear();
    fixture.plane.forget();
    const headers = { "idempotency-key": "once" };
    await fixture.send("POST", "/v1/apply", { text: DOCUMENT, type: "application/yaml", headers });
    return fixture.plane.asked.filter(({ method }) => method.startsWith("Put")).map(({ commandId }) => commandId);
  };
  const first = await ids();
  expect(new Set(first).size).toBe(4);
  expect(await ids()).toEqual(first);
});
