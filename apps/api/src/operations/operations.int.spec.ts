import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { approvalV1, auditV1, identityV1, tokensV1 } from "#contracts";
import { refuse } from "../../test/control-plane.js";
import { Fixture } from "../../test/fixture.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture?.stop());
beforeEach(() => fixture.plane.forget());

const AT = timestampFromMs(Date.UTC(2026, 4, 1));
const principal = { id: "ci|job", issuer: "ci", subject: "job", name: "job", groups: ["ci"], run: "17" };
const last = <T>(method: string) => fixture.plane.last(method).request as T;

describe("sessions", () => {
  const session = {
    id: "s1",
    status: "open",
    principal,
    resource: "shop",
    protocol: "postgres",
    startedAt: AT,
    commands: 2n,
  };
  beforeAll(() => {
    fixture.plane.on(auditV1.Audit.method.listSessions, () => ({ sessions: [session] }));
    fixture.plane.on(auditV1.Audit.method.getSession, ({ id }) =>
      id === "s1"
        ? { session, commands: [{ ordinal: 1n, statement: "select 1", verdict: "allow", status: "done", at: AT }] }
        : {},
    );
    fixture.plane.on(tokensV1.Tokens.method.endSession, ({ sessionId }) =>
      sessionId === "s1" ? {} : refuse("gone", "the session is over"),
    );
  });
  test("listed by status, resource and principal", async () => {
    const { body } = await fixture.send("GET", "/v1/sessions?status=open&resource=shop&principal=ci%7Cjob");
    expect(body.items[0]).toMatchObject({ id: "s1", commands: 2, started_at: "2026-05-01T00:00:00.000Z" });
    expect(body.next).toBeUndefined();
    const asked = { status: "open", resource: "shop", principalId: "ci|job" };
    expect(last<auditV1.ListSessionsRequest>("ListSessions")).toMatchObject(asked);
    expect((await fixture.send("GET", "/v1/sessions?status=closed")).status).toBe(400);
  });
  test("one with its commands", async () => {
    const { body } = await fixture.send("GET", "/v1/sessions/s1");
    expect(body.command_log).toEqual([
      expect.objectContaining({ ordinal: 1, statement: "select 1", verdict: "allow" }),
    ]);
    expect(body.ended_at).toBeUndefined();
    expect((await fixture.send("GET", "/v1/sessions/s2")).status).toBe(404);
  });
  test("ended on the wire, with the reason", async () => {
    expect((await fixture.send("DELETE", "/v1/sessions/s1?reason=runaway%20job")).status).toBe(204);
    expect(last<tokensV1.EndSessionRequest>("EndSession")).toMatchObject({ sessionId: "s1", reason: "runaway job" });
    expect((await fixture.send("DELETE", "/v1/sessions/s2")).status).toBe(410);
  });
});

describe("approvals", () => {
  const approval = {
    ...{ id: "a1", status: approvalV1.ApprovalStatus.PENDING, requester: principal, statement: "drop table t" },
    ...{ digest: Uint8Array.of(0, 255), quorum: 1, requestedAt: AT, version: 4n },
    votes: [{ by: { id: "k", name: "alice", roles: ["approver"] }, approve: true, at: AT }],
  };
  beforeAll(() => {
    fixture.plane.on(approvalV1.Approvals.method.listApprovals, () => ({ approvals: [approval] }));
    fixture.plane.on(approvalV1.Approvals.method.getApproval, () => approval);
    fixture.plane.on(approvalV1.Approvals.method.decide, ({ approve }) => ({
      ...approval,
      status: approve ? approvalV1.ApprovalStatus.APPROVED : approvalV1.ApprovalStatus.REJECTED,
    }));
  });
  test("listed by status", async () => {
    const { body } = await fixture.send("GET", "/v1/approvals?status=pending");
    expect(body.items[0]).toMatchObject({ id: "a1", status: "pending", digest: "00ff", votes: [{ approve: true }] });
    expect(last<approvalV1.ListApprovalsRequest>("ListApprovals").status).toBe(approvalV1.ApprovalStatus.PENDING);
    await fixture.send("GET", "/v1/approvals");
    expect(last<approvalV1.ListApprovalsRequest>("ListApprovals").status).toBe(0);
  });
  test.each([
    ["approve", true, "approved"],
    ["reject", false, "rejected"],
  ])("%s", async (decision, approve, status) => {
    const json = { decision, reason: "ticket 42" };
    const sent = { key: "approver" as const, json, headers: { "if-match": '"4"' } };
    const { body } = await fixture.send("POST", "/v1/approvals/a1/decision", sent);
    expect(body.status).toBe(status);
    const asked = last<approvalV1.DecideRequest>("Decide");
    expect(asked).toMatchObject({ id: "a1", approve, reason: "ticket 42", precondition: { version: 4n } });
    expect(fixture.plane.last("Decide").actor.id).toBe("key-approver");
  });
  test("neither yes nor no is refused", async () => {
    const send = (json: unknown) => fixture.send("POST", "/v1/approvals/a1/decision", { json });
    for (const json of [{}, { decision: "yes" }, { decision: true }, { decision: "approve", reasn: "x" }]) {
      expect((await send(json)).status).toBe(400);
    }
    expect(fixture.plane.asked.some(({ method }) => method === "Decide")).toBe(false);
  });
  test("too late is said as the service says it", async () => {
    fixture.plane.on(approvalV1.Approvals.method.decide, () => refuse("conflict", "it is expired"));
    const got = await fixture.send("POST", "/v1/approvals/a1/decision", { json: { decision: "approve" } });
    expect([got.status, got.body.detail]).toEqual([409, "it is expired"]);
  });
});

describe("tokens", () => {
  const token = {
    ...{ id: "abc", principal, resource: "shop", protocol: "postgres", mode: tokensV1.UseMode.BURST, uses: 5, used: 1 },
    ...{ status: tokensV1.TokenStatus.ACTIVE, mintedAt: AT, expiresAt: AT, version: 2n },
  };
  beforeAll(() => {
    fixture.plane.on(tokensV1.Tokens.method.listTokens, () => ({ tokens: [token], next: "n" }));
    fixture.plane.on(tokensV1.Tokens.method.getToken, ({ id }) =>
      id === "abc" ? token : refuse("not_found", "no token"),
    );
    fixture.plane.on(tokensV1.Tokens.method.revoke, () => ({
      tokens: [{ id: "abc", outcome: tokensV1.RevokedToken_Outcome.REVOKED_BEFORE }],
    }));
  });
  test("listed and read", async () => {
    const { body } = await fixture.send("GET", "/v1/tokens?status=active&run=17&resource=shop&principal=p");
    expect(body.items[0]).toMatchObject({ id: "abc", mode: "burst", status: "active" });
    const asked = { status: tokensV1.TokenStatus.ACTIVE, run: "17", resource: "shop", principalId: "p" };
    expect(last<tokensV1.ListTokensRequest>("ListTokens")).toMatchObject(asked);
    expect((await fixture.send("GET", "/v1/tokens/abc")).body.id).toBe("abc");
    expect((await fixture.send("GET", "/v1/tokens/xyz")).status).toBe(404);
  });
  test("one revoked", async () => {
    expect((await fixture.send("DELETE", "/v1/tokens/abc?reason=leaked")).body).toEqual({
      tokens: [{ id: "abc", outcome: "revoked-before", sessions_ended: 0 }],
    });
    expect(last<tokensV1.RevokeRequest>("Revoke")).toMatchObject({ tokenId: "abc", reason: "leaked", run: "" });
  });
  test.each([
    ["token", "tokenId"],
    ["principal", "principalId"],
    ["run", "run"],
    ["resource", "resource"],
    ["issuer", "issuer"],
  ])("many revoked by %s", async (by, field) => {
    await fixture.send("POST", "/v1/tokens/revoke", { json: { by, value: "x", reason: "r" } });
    const { tokenId, principalId, run, resource, issuer } = last<tokensV1.RevokeRequest>("Revoke");
    const set = Object.entries({ tokenId, principalId, run, resource, issuer }).filter(([, value]) => value !== "");
    expect(set).toEqual([[field, "x"]]);
  });
  test("a revocation of nothing in particular is refused", async () => {
    for (const json of [{ by: "run", value: "" }, { by: "everything", value: "x" }, { value: "x" }]) {
      expect((await fixture.send("POST", "/v1/tokens/revoke", { json })).status).toBe(400);
    }
  });
});

describe("enforcers", () => {
  const listeners = [{ protocol: "postgres", host: "127.0.0.1", port: 7432 }];
  const enforcer = { id: "e1", name: "edge-1", group: "default", listeners, version: 3n };
  beforeAll(() => {
    fixture.plane.on(identityV1.Identity.method.listEnforcers, () => ({ enforcers: [enforcer] }));
    fixture.plane.on(identityV1.Identity.method.getEnforcer, () => enforcer);
    fixture.plane.on(identityV1.Identity.method.removeEnforcer, () => ({ ...enforcer, removed: true, version: 4n }));
    fixture.plane.on(identityV1.Identity.method.registerEnforcer, ({ name, group, listeners }) => ({
      ...{ enforcer: { ...enforcer, name, group, listeners }, busCredentials: "CREDS", signingKey: "PEM" },
    }));
  });
  test("registered with credentials shown once", async () => {
    const { status, body, headers } = await fixture.send("POST", "/v1/enforcers", {
      json: { name: "edge-1", group: "default", listeners },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ enforcer: { id: "e1", listeners }, bus_credentials: "CREDS", signing_key: "PEM" });
    expect([headers.get("location"), headers.get("cache-control")]).toEqual(["/v1/enforcers/e1", "no-store"]);
    for (const host of ["", "a b", "host/path"]) {
      const json = { name: "edge-1", group: "default", listeners: [{ ...listeners[0], host }] };
      expect((await fixture.send("POST", "/v1/enforcers", { json })).status).toBe(400);
    }
  });
  test("listed by group, read, removed", async () => {
    expect((await fixture.send("GET", "/v1/enforcers?group=default")).body.items).toHaveLength(1);
    expect(last<identityV1.ListEnforcersRequest>("ListEnforcers").group).toBe("default");
    expect((await fixture.send("GET", "/v1/enforcers/e1")).headers.get("etag")).toBe('"3"');
    const removed = await fixture.send("DELETE", "/v1/enforcers/e1", { headers: { "if-match": "*" } });
    expect(removed.body).toMatchObject({ removed: true, version: 4 });
    expect(last<identityV1.RemoveEnforcerRequest>("RemoveEnforcer").precondition?.version).toBe(3n);
  });
});

describe("admin keys", () => {
  const key = (id: string) => ({ id, name: "alice", roles: ["approver"], createdAt: AT, version: 1n });
  beforeAll(() => {
    fixture.plane.on(identityV1.Identity.method.listAdminKeys, ({ page }) =>
      page?.cursor ? { keys: [key("k2")] } : { keys: [key("k1")], next: "more" },
    );
    fixture.plane.on(identityV1.Identity.method.createAdminKey, ({ name, roles }) => ({
      ...{ key: { ...key("k3"), name, roles }, secret: "cfk_new" },
    }));
    fixture.plane.on(identityV1.Identity.method.revokeAdminKey, ({ id }) => ({
      ...key(id),
      revokedAt: AT,
      version: 2n,
    }));
  });
  test("created, with the secret shown once", async () => {
    const { status, body, headers } = await fixture.send("POST", "/v1/admin-keys", {
      json: { name: "bob", roles: ["auditor"] },
    });
    expect([status, body.secret, body.key.name]).toEqual([201, "cfk_new", "bob"]);
    expect(headers.get("cache-control")).toBe("no-store");
    for (const json of [
      { name: "bob", roles: [] },
      { name: "bob", roles: ["root"] },
      { name: "bob", roles: ["approver:"] },
      { name: "bob", roles: ["approver:dba\n"] },
      { name: "bob", roles: ["approvers:dba"] },
      { name: "", roles: ["admin"] },
    ]) {
      expect((await fixture.send("POST", "/v1/admin-keys", { json })).status).toBe(400);
    }
  });
  test("found on any page, revoked, never with a secret", async () => {
    const { body, text } = await fixture.send("GET", "/v1/admin-keys/k2");
    expect(body).toEqual({
      id: "k2",
      name: "alice",
      roles: ["approver"],
      created_at: "2026-05-01T00:00:00.000Z",
      version: 1,
    });
    expect(text).not.toContain("cfk_");
    expect((await fixture.send("GET", "/v1/admin-keys/k9")).status).toBe(404);
    expect((await fixture.send("DELETE", "/v1/admin-keys/k1")).body.revoked_at).toBeDefined();
  });
});
