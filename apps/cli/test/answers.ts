import { timestampFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { approvalV1, auditV1, identityV1, policyV1, tokensV1 } from "#contracts";
import { type ControlPlane, refuse } from "../../api/test/control-plane.js";

const principal = { id: "demo|ci", issuer: "demo", subject: "ci", name: "ci", groups: ["ci"], run: "17" };
export const SESSION = "5d7de4b6-89ab-4def-8123-456789abcdef";
export const approval = {
  ...{ id: "a1", status: approvalV1.ApprovalStatus.PENDING, requester: principal, resource: "shop", quorum: 2 },
  sessionId: SESSION,
  statement: "drop table t\u001b[2J; -- \u202egnp",
  ...{ expiresAt: timestampFromMs(Date.UTC(2026, 4, 1)), approvers: "dba" },
};
const session = { id: SESSION, status: "open", principal, resource: "shop", protocol: "postgres", commands: 1n };

/** The control plane answers as if it had one of each. */
export function answersOf(plane: ControlPlane): void {
  plane.on(identityV1.Identity.method.verifySubject, () => ({ principal }));
  plane.on(policyV1.Policy.method.getResource, ({ name }) =>
    name === "shop"
      ? { name, protocol: "postgres", group: "default", upstream: { database: "shop" } }
      : refuse("not_found", `there is no resource ${name}`),
  );
  plane.on(policyV1.Policy.method.authorizeConnect, () => ({ allowed: true }));
  plane.on(identityV1.Identity.method.listEnforcers, () => ({
    enforcers: [
      ...[{ id: "e", name: "edge", group: "default", seenAt: timestampNow() }].map((enforcer) => ({
        ...{ ...enforcer, listeners: [{ protocol: "postgres", host: "127.0.0.1", port: 7432 }] },
      })),
    ],
  }));
  plane.on(identityV1.Identity.method.getCertificateAuthority, () => ({ certificate: "THE CA" }));
  plane.on(tokensV1.Tokens.method.mint, (request) => ({
    token: { id: "abc", scope: request.scope, expiresAt: timestampFromMs(Date.now() + 60_000) },
    text: "foil_abc_s3cret",
  }));
  plane.on(approvalV1.Approvals.method.listApprovals, () => ({ approvals: [approval] }));
  plane.on(approvalV1.Approvals.method.getApproval, ({ id }) =>
    id === "a1" ? approval : refuse("not_found", `there is no approval ${id}`),
  );
  plane.on(approvalV1.Approvals.method.decide, ({ approve }) => ({
    ...approval,
    status: approve ? approvalV1.ApprovalStatus.APPROVED : approvalV1.ApprovalStatus.REJECTED,
  }));
  plane.on(auditV1.Audit.method.listSessions, () => ({ sessions: [session] }));
  plane.on(auditV1.Audit.method.getSession, ({ id }) => ({
    session: { ...session, id },
    commands: [
      { ordinal: 1n, statement: "select 1", verdict: "allow", status: "done", policies: ["p"] },
      { ordinal: 2n, statement: approval.statement, verdict: "hold", status: "done", approvalId: "a1" },
    ],
  }));
  plane.on(tokensV1.Tokens.method.endSession, () => ({}));
  plane.on(identityV1.Identity.method.listAdminKeys, () => ({
    keys: [{ id: "k1", name: "dana", roles: ["approver:dba"] }],
  }));
  plane.on(identityV1.Identity.method.createAdminKey, ({ name, roles }) => ({
    ...{ key: { id: "k2", name, roles }, secret: "cfk_new" },
  }));
  plane.on(identityV1.Identity.method.revokeAdminKey, ({ id }) => ({ id, name: "dana", roles: ["approver:dba"] }));
  plane.on(tokensV1.Tokens.method.listTokens, ({ page }) =>
    page?.cursor
      ? { tokens: [{ id: "second", principal, resource: "shop", used: 1 }] }
      : {
          tokens: [
            {
              id: "first",
              principal,
              resource: "shop",
              uses: 3,
              used: 3,
              status: tokensV1.TokenStatus.SPENT,
              openSessions: 1,
            },
          ],
          next: "more",
        },
  );
  const { REVOKED, REVOKED_BEFORE, SPENT, EXPIRED } = tokensV1.RevokedToken_Outcome;
  plane.on(tokensV1.Tokens.method.revoke, ({ tokenId, run }) => {
    if (tokenId !== "") return { tokens: [{ id: tokenId, outcome: REVOKED }] };
    if (run !== "17") return { tokens: [] };
    return {
      tokens: [
        { id: "a", outcome: REVOKED, sessionsEnded: 1 },
        { id: "b", outcome: SPENT },
        { id: "c", outcome: EXPIRED },
        { id: "d", outcome: REVOKED_BEFORE },
      ],
    };
  });
  plane.on(policyV1.Policy.method.simulate, () => ({
    ...{ verdict: "deny", reason: "say which rows", policies: ["say-which-rows"], actions: ["sql:delete"] },
    masks: [{ column: "email", labels: ["pii.email"], transform: "partial" }],
    uses: [
      { action: "filter", label: "pii.email", column: "public.customers.email", use: "pattern", permitted: false },
    ],
  }));
  plane.on(auditV1.Audit.method.listEntries, ({ after, limit }) => {
    const entries = Array.from({ length: 12 }, (_, n) => ({
      index: BigInt(n + 1),
      json: JSON.stringify({
        ...{ index: n + 1, time: "2026-05-01T09:30:00.000Z", type: "command.refused", session_id: "0123456789" },
        data: { command: { statement: "delete from t" }, reason: "say which rows" },
      }),
    }));
    return { entries: entries.slice(Number(after), Number(after) + (limit || 100)), head: 12n };
  });
  const resource = { name: "shop", protocol: "postgres", group: "default", reads: policyV1.Durability.OS, version: 1n };
  const upstream = { host: "db", port: 5432, tls: policyV1.TlsMode.REQUIRE };
  const credential = { username: "app", password: "env:PW" };
  plane.on(policyV1.Policy.method.listResources, () => ({ resources: [{ ...resource, upstream, credential }] }));
  plane.on(policyV1.Policy.method.listPolicies, () => ({}));
  plane.on(policyV1.Policy.method.listLabels, () => ({}));
  plane.on(identityV1.Identity.method.listIssuers, () => ({}));
  plane.on(policyV1.Policy.method.checkPolicy, () => ({}));
  plane.on(policyV1.Policy.method.putPolicy, ({ policy }) => ({ ...(policy as policyV1.PolicyDocument), version: 1n }));
}
