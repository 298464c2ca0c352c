import { type AdminKeyCommand, type AdminKeyEvent, adminKeyDecider } from "./admin-key.js";

const when = (command: AdminKeyCommand, ...events: AdminKeyEvent[]) =>
  adminKeyDecider.decide(command, events.reduce(adminKeyDecider.evolve, adminKeyDecider.initialState()));

const create = (changes: object = {}): AdminKeyCommand => ({
  type: "CreateAdminKey",
  name: "ops",
  roles: ["auditor", "admin", "admin"],
  secretHash: "ab",
  ...changes,
});
const created: AdminKeyEvent = {
  type: "AdminKeyCreated",
  data: { name: "ops", roles: ["admin", "auditor"], secretHash: "ab" },
};
const revoked: AdminKeyEvent = { type: "AdminKeyRevoked", data: { name: "ops" } };

test("given nothing, when created, then created, each role once", () => expect(when(create())).toEqual([created]));
test("given it, when created, then refused", () =>
  expect(() => when(create(), created)).toThrow(expect.objectContaining({ code: "exists" })));
test("given it, when revoked, then revoked", () =>
  expect(when({ type: "RevokeAdminKey" }, created)).toEqual([revoked]));
test("given it is revoked, when revoked, then nothing", () =>
  expect(when({ type: "RevokeAdminKey" }, created, revoked)).toEqual([]));
test("given it is revoked, when created, then refused", () =>
  expect(() => when(create(), created, revoked)).toThrow(expect.objectContaining({ code: "exists" })));
test("given nothing, when revoked, then not found", () =>
  expect(() => when({ type: "RevokeAdminKey" })).toThrow(expect.objectContaining({ code: "not_found" })));
test("approvers of one group are a role each", () => {
  const roles = ["approver:dba", "auditor", "approver:data team", "approver:dba"];
  const [{ data }] = when(create({ roles })) as [Extract<AdminKeyEvent, { type: "AdminKeyCreated" }>];
  expect(data.roles).toEqual(["auditor", "approver:data team", "approver:dba"]);
});
test.each([
  ...[{ roles: [] }, { roles: ["root"] }, { roles: ["admin", ""] }, { name: "" }, { name: "a\nb" }],
  ...[{ roles: ["approver:"] }, { roles: ["approver: dba"] }, { roles: ["approver:a\nb"] }, { roles: ["admin:dba"] }],
  ...[{ roles: [`approver:${"x".repeat(129)}`] }, { roles: Array.from({ length: 51 }, (_, i) => `approver:${i}`) }],
])("a key with %j is refused", (changes) =>
  expect(() => when(create(changes))).toThrow(expect.objectContaining({ code: "invalid" })),
);
