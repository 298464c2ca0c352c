import { eventLine } from "./event-line.js";

const line = (type: string, data: object) => eventLine({ index: 7, time: "2026-01-02T03:04:05Z", type, data });
const grant = { resource: "shop", principal: { id: "demo|ci" } };

test.each([
  ["token.minted", { stream: "token-T1", event: { grant } }, "demo|ci · shop · token T1"],
  ["token.redeemed", { stream: "token-T1", actor: { name: "edge" }, event: {} }, "edge · token T1"],
  ["session.released", { stream: "token-T1", actor: { name: "edge" }, event: {} }, "edge · token T1"],
  [
    "token.revoked",
    { stream: "token-T1", actor: { name: "ada" }, event: { reason: "leaked" } },
    "ada · token T1 · leaked",
  ],
  ["vote.cast", { stream: "approval-A1", actor: { name: "ada" }, event: { reason: "ok" } }, "ada · approval A1 · ok"],
  [
    "exchange.refused",
    {
      stream: "exchange-c",
      actor: { name: "token exchange" },
      event: {
        reason: "exchanged_already",
        message: "ask anew",
        issuer: "ci",
        principal_id: "ci|a",
        resource: "shop",
        count: 3,
      },
    },
    "ci|a · shop · exchanged already: ask anew · 3 times",
  ],
  [
    "exchange.refused",
    {
      actor: { name: "token exchange" },
      event: { reason: "signature", message: "no", issuer: "ci", principal_id: "", count: 1 },
    },
    "ci · signature: no",
  ],
  [
    "login.refused",
    { code: "unauthenticated", message: "password authentication failed", token_id: "T1", token_fault: "wrong_secret" },
    "password authentication failed · token T1: wrong secret",
  ],
  ["login.refused", { message: "no such database", token_id: "T1", token_fault: "" }, "no such database"],
  [
    "record.disowned",
    { enforcer_id: "e", why: "another enforcer has this session" },
    "another enforcer has this session",
  ],
  [
    "command.started",
    { command: { statement: "select 1" }, principal: { id: "demo|ci" }, resource: "shop", approval_id: "" },
    "select 1",
  ],
  ["command.ended", { error_code: "22012", error_message: "division by zero", tag: "" }, "22012 · division by zero"],
])("%s says what it is about", (type, data, expected) =>
  expect(line(type, data)).toBe(`     7  2026-01-02 03:04:05  ${type.padEnd(19)}  ${" ".repeat(8)}  ${expected}`),
);
