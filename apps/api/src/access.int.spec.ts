import { create } from "@bufbuild/protobuf";
import { approvalV1, identityV1, policyV1 } from "#contracts";
import { refuse } from "../test/control-plane.js";
import { Fixture } from "../test/fixture.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start({ failedKeys: { burst: 3, perSecond: 0.001 } });
  const { plane } = fixture;
  plane.on(identityV1.Identity.method.listIssuers, () => ({}));
  plane.on(identityV1.Identity.method.listAdminKeys, () => ({}));
  plane.on(identityV1.Identity.method.deleteIssuer, () => ({}));
  plane.on(policyV1.Policy.method.simulate, () => ({ verdict: "allow" }));
  plane.on(approvalV1.Approvals.method.decide, ({ id }) => ({
    id,
    status: approvalV1.ApprovalStatus.APPROVED,
    version: 2n,
  }));
});
afterAll(() => fixture?.stop());

const simulation = { principal: { id: "ci|a" }, resource: "shop", statement: "select 1" };
const MATRIX = [
  ["GET", "/v1/issuers", undefined, { admin: 200, approver: 200, "approver:dba": 200, auditor: 200 }],
  ["POST", "/v1/policies/simulate", simulation, { admin: 200, approver: 200, "approver:dba": 200, auditor: 200 }],
  [
    "POST",
    "/v1/approvals/a/decision",
    { decision: "approve" },
    { admin: 200, approver: 200, "approver:dba": 200, auditor: 403 },
  ],
  ["DELETE", "/v1/issuers/ci", undefined, { admin: 204, approver: 403, "approver:dba": 403, auditor: 403 }],
  ["GET", "/v1/admin-keys", undefined, { admin: 200, approver: 403, "approver:dba": 403, auditor: 403 }],
] as const;

test.each(MATRIX)("%s %s", async (method, path, json, expected) => {
  for (const key of ["admin", "approver", "approver:dba", "auditor"] as const) {
    const { status } = await fixture.send(method, path, { key, json });
    expect([key, status]).toEqual([key, expected[key]]);
  }
});

test("the service hears who asks", async () => {
  await fixture.send("GET", "/v1/issuers", { key: "auditor" });
  expect(fixture.plane.last("ListIssuers").actor).toEqual({ id: "key-auditor", name: "auditor", roles: ["auditor"] });
});

test("a key that is known is not asked about at every request", async () => {
  await fixture.send("GET", "/v1/issuers");
  fixture.plane.forget();
  await fixture.send("GET", "/v1/issuers");
  expect(fixture.plane.asked.map(({ method }) => method)).toEqual(["ListIssuers"]);
});

test.each([
  ["no key", {}, "no Authorization header"],
  ["another scheme", { authorization: "Basic YTpi" }, "not `Bearer cfk_"],
  ["a token instead of a key", { authorization: "Bearer foil_abc_def" }, "not `Bearer cfk_"],
  ["an unknown key", { authorization: "Bearer cfk_unknown" }, "unknown or revoked"],
])("%s is refused", async (_, headers, says) => {
  const { status, body, headers: answered } = await fixture.send("GET", "/v1/issuers", { key: null, headers });
  expect(status).toBe(401);
  expect(body.detail).toContain(says);
  expect(answered.get("www-authenticate")).toContain("Bearer");
});

test("an actor without a role may nothing", async () => {
  fixture.plane.on(identityV1.Identity.method.authenticateAdminKey, () => ({
    actor: { id: "k", name: "nobody", roles: [] },
  }));
  const { status, body } = await fixture.send("GET", "/v1/issuers", {
    key: null,
    headers: { authorization: "Bearer cfk_nobody" },
  });
  expect([status, body.code]).toEqual([403, "forbidden"]);
});

test("an answer without an actor is no key, and guessing keys is slowed down, but not for those who have one", async () => {
  fixture.plane.on(identityV1.Identity.method.authenticateAdminKey, () =>
    create(identityV1.AuthenticateAdminKeyResponseSchema),
  );
  const guess = (n: number) =>
    fixture.send("GET", "/v1/issuers", { key: null, headers: { authorization: `Bearer cfk_guess${n}` } });
  const answers = [await guess(1), await guess(2), await guess(3), await guess(4)];
  expect(answers[0]?.status).toBe(401);
  expect(answers.at(-1)?.status).toBe(429);
  expect(Number(answers.at(-1)?.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await fixture.send("GET", "/v1/issuers")).status).toBe(200);
});

test("a failing identity service is no reason to let anyone in", async () => {
  const other = await Fixture.start();
  try {
    other.plane.on(identityV1.Identity.method.authenticateAdminKey, () => refuse("internal", "secret stack trace"));
    const { status, text } = await other.send("GET", "/v1/issuers");
    expect(status).toBe(500);
    expect(text).not.toContain("secret stack trace");
  } finally {
    await other.stop();
  }
});
