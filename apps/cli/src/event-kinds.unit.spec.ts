import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { approvalV1, edgeV1 } from "#contracts";
import type { DomainEvent } from "#event-store";
import type { ApprovalEvent } from "../../approval/src/domain/events.js";
import { controlFact } from "../../audit/src/facts/control-facts.js";
import { edgeFact, KINDS } from "../../audit/src/facts/edge-facts.js";
import type { AdminKeyEvent } from "../../identity/src/domain/admin-key.js";
import type { EnforcerEvent } from "../../identity/src/domain/enforcer.js";
import type { IssuerEvent } from "../../identity/src/domain/issuer.js";
import type { labelDecider } from "../../policy/src/domain/label.js";
import type { policyDecider } from "../../policy/src/domain/policy-document.js";
import type { resourceDecider } from "../../policy/src/domain/resource.js";
import type { TokenEvent } from "../../tokens/src/domain/events.js";
import type { ExchangeEvent } from "../../tokens/src/domain/exchange.js";
import { type Entry, eventLine } from "./event-line.js";

/** What a line says behind its time, kind and session. A kind that is missing here does not pass `npm run types`. */
const said = (entry: Entry) =>
  eventLine({ ...entry, session_id: "" })
    .slice(50)
    .trim();

const command = { ordinal: 1n, statement: "select 1" };

type EdgeKind = keyof typeof KINDS;
const EDGE: { readonly [K in EdgeKind]: readonly [MessageInitShape<(typeof KINDS)[K][1]>, string] } = {
  sessionStarted: [{ principal: { id: "demo|ci" }, resource: "shop" }, "demo|ci · shop"],
  sessionEnded: [{ cause: "revoked", message: "leaked" }, "leaked · revoked"],
  loginRefused: [{ message: "This token has been used up.", tokenId: "T1", tokenFault: "spent" }, "token T1: spent"],
  commandStarted: [{ command }, "select 1"],
  commandHeld: [{ command, approvalId: "A1", reason: "two eyes" }, "select 1 · approval A1 · two eyes"],
  holdEnded: [{ approvalId: "A1", status: approvalV1.ApprovalStatus.WITHDRAWN }, "approval A1 · withdrawn"],
  commandRefused: [{ command, reason: "no" }, "select 1 · no"],
  commandEnded: [{ tag: "SELECT 3", valuesMasked: 2n }, "SELECT 3 · 2 masked"],
  labelUnmatched: [{ label: "pii.x", resource: "shop", column: "a.b.c" }, "pii.x · shop · a.b.c"],
  spoolOpened: [
    { replaces: "s1", lost: 2n },
    "enforcer node-1 · in the place of s1, whose sessions are gone · 2 records lost",
  ],
};

test.each(Object.keys(EDGE) as EdgeKind[])("of what an enforcer observes, %s says what it is about", (kind) => {
  const [fields, expected] = EDGE[kind];
  const value = create(KINDS[kind][1] as DescMessage, fields as Record<string, unknown>);
  const fact = { case: kind, value } as edgeV1.Record["fact"];
  const record = create(edgeV1.RecordSchema, { sequence: 1n, time: timestampFromMs(0), fact });
  expect(said({ index: 1, ...edgeFact("node-1", "s2", record, new Date(0)) })).toContain(expected);
});

test.each([
  ["records.missing", { enforcer_id: "node-1", first: "3", last: "9" }, "enforcer node-1 · records 3 to 9"],
  ["session.lost", { enforcer_id: "node-1", principal: { id: "demo|ci" }, resource: "shop" }, "demo|ci · shop"],
  ["session.unheard", { enforcer_id: "node-1", principal: { id: "demo|ci" }, resource: "shop" }, "demo|ci · shop"],
  ["record.disowned", { enforcer_id: "node-1", why: "not its own" }, "not its own"],
  ["record.unreadable", { enforcer_id: "node-1", why: "no time" }, "no time"],
])("of what the audit service finds, %s says what it is about", (type, data, expected) => {
  expect(said({ index: 1, type, data })).toBe(expected);
});

test("a spool that is new says so", () => {
  expect(said({ index: 1, type: "spool.opened", data: { enforcer_id: "node-1", replaces: "", lost: "0" } })).toBe(
    "enforcer node-1 · a new one",
  );
});

type EventOf<D> = D extends { evolve(state: never, event: infer E): unknown } ? E : never;
type Sampled<E extends DomainEvent> = {
  readonly [T in E["type"]]: readonly [Partial<Extract<E, { type: T }>["data"]>, string];
};

const principal = { id: "demo|ci", issuer: "demo", subject: "ci", name: "ci", groups: [], run: "", onBehalfOf: [] };
const grant = { principal, resource: "shop" } as unknown as Extract<
  TokenEvent,
  { type: "TokenMinted" }
>["data"]["grant"];
const at = 0;

const TOKEN: Sampled<TokenEvent> = {
  TokenMinted: [{ grant }, "demo|ci · shop · token T1"],
  TokenRedeemed: [{ at }, "ada · token T1"],
  SessionReleased: [{ at }, "ada · token T1"],
  SessionEndOrdered: [{ reason: "over" }, "ada · token T1 · over"],
  TokenRevoked: [{ reason: "leaked" }, "ada · token T1 · leaked"],
};
const EXCHANGE: Sampled<ExchangeEvent> = {
  ExchangeRefused: [{ reason: "signature", message: "no", issuer: "ci", count: 1 }, "ci · signature: no"],
};
const APPROVAL: Sampled<ApprovalEvent> = {
  ApprovalRequested: [
    { requester: principal, resource: "shop", statement: "drop table t" },
    "drop table t · demo|ci · shop · approval A1",
  ],
  VoteCast: [{ reason: "ok" }, "ada · approval A1 · ok"],
  ApprovalGranted: [{ at }, "ada · approval A1"],
  ApprovalRejected: [{ reason: "no" }, "ada · approval A1 · no"],
  ApprovalExpired: [{ at }, "ada · approval A1"],
  ApprovalWithdrawn: [{ reason: "Ctrl-C" }, "ada · approval A1 · Ctrl-C"],
  ApprovalConsumed: [{ at }, "ada · approval A1"],
};
const POLICY: Sampled<EventOf<typeof policyDecider>> = {
  PolicyDeclared: [{ name: "p" }, "ada · p"],
  PolicyDeleted: [{ name: "p" }, "ada · p"],
};
const LABEL: Sampled<EventOf<typeof labelDecider>> = {
  LabelDeclared: [{ name: "pii.x" }, "ada · pii.x"],
  LabelDeleted: [{ name: "pii.x" }, "ada · pii.x"],
};
const RESOURCE: Sampled<EventOf<typeof resourceDecider>> = {
  ResourceDeclared: [{ name: "shop" }, "ada · shop"],
  ResourceDeleted: [{ name: "shop" }, "ada · shop"],
};
const ISSUER: Sampled<IssuerEvent> = {
  IssuerDeclared: [{ name: "github" }, "ada · github"],
  IssuerDeleted: [{ name: "github" }, "ada · github"],
};
const ENFORCER: Sampled<EnforcerEvent> = {
  EnforcerRegistered: [{ name: "edge" }, "ada · edge · enforcer node-1"],
  EnforcerEnrolled: [{ softwareVersion: "1" }, "ada · enforcer node-1"],
  EnforcerRemoved: [{ name: "edge" }, "ada · edge · enforcer node-1"],
};
const ADMIN_KEY: Sampled<AdminKeyEvent> = {
  AdminKeyCreated: [{ name: "dana" }, "ada · dana"],
  AdminKeyRevoked: [{ name: "dana" }, "ada · dana"],
};
const STREAMS: readonly (readonly [string, string, Record<string, readonly [object, string]>])[] = [
  ["token", "token-T1", TOKEN],
  ["exchange", "exchange-c", EXCHANGE],
  ["approval", "approval-A1", APPROVAL],
  ["policy", "policy/p", POLICY],
  ["label", "label/pii.x", LABEL],
  ["resource", "resource/shop", RESOURCE],
  ["issuer", "issuer/github", ISSUER],
  ["enforcer", "enforcer/node-1", ENFORCER],
  ["admin-key", "admin-key/k1", ADMIN_KEY],
];

test.each(
  STREAMS.flatMap(([streamType, streamId, events]) =>
    Object.entries(events).map(([type, [data, expected]]) => ({ streamType, streamId, type, data, expected })),
  ),
)(
  "of what the control plane decides, $type says what it is about",
  ({ streamType, streamId, type, data, expected }) => {
    const recorded = {
      ...{ streamType, streamId, event: { type, data }, streamPosition: 1, position: 1, recordedAt: new Date(0) },
      meta: { actor: { id: "k", name: "ada" }, commandId: "c" },
    } as unknown as Parameters<typeof controlFact>[0];
    const fact = controlFact(recorded, { sessionId: "", enforcerName: "" });
    expect(said({ index: 1, ...fact })).toBe(expected);
  },
);
