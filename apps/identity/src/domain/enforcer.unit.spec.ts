import { type EnforcerCommand, type EnforcerEvent, enforcerDecider, type Listener } from "./enforcer.js";

const when = (command: EnforcerCommand, ...events: EnforcerEvent[]) =>
  enforcerDecider.decide(command, events.reduce(enforcerDecider.evolve, enforcerDecider.initialState()));

const registration = {
  name: "edge-1",
  group: "default",
  listeners: [{ protocol: "postgres", host: "db.example.org", port: 5432 }],
  busKey: "UABC",
};
const register = (changes: Partial<typeof registration> = {}): EnforcerCommand => ({
  type: "RegisterEnforcer",
  ...registration,
  ...changes,
});
const certificate = { softwareVersion: "0.1.0", fingerprint: "ab", notAfter: "2030-01-01T00:00:00.000Z" };
const enroll: EnforcerCommand = { type: "EnrollEnforcer", ...certificate };

const registered: EnforcerEvent = { type: "EnforcerRegistered", data: registration };
const enrolled: EnforcerEvent = { type: "EnforcerEnrolled", data: certificate };
const removed: EnforcerEvent = {
  type: "EnforcerRemoved",
  data: { name: "edge-1", group: "default", busKey: "UABC" },
};
const refused = (code: string) => expect.objectContaining({ code });

test("given nothing, when registered, then registered", () => expect(when(register())).toEqual([registered]));
test("given it, when registered, then refused", () =>
  expect(() => when(register(), registered)).toThrow(refused("exists")));
test("given it, when it enrols, then enrolled", () => expect(when(enroll, registered)).toEqual([enrolled]));
test("given it is enrolled, when it enrols again, then enrolled", () =>
  expect(when(enroll, registered, enrolled)).toEqual([enrolled]));
test("given nothing, when it enrols, then not found", () => expect(() => when(enroll)).toThrow(refused("not_found")));
test("given it is removed, when it enrols, then it is gone", () =>
  expect(() => when(enroll, registered, removed)).toThrow(refused("gone")));
test("given it, when removed, then removed with its user on the bus", () =>
  expect(when({ type: "RemoveEnforcer" }, registered, enrolled)).toEqual([removed]));
test("given it is removed, when removed, then nothing", () =>
  expect(when({ type: "RemoveEnforcer" }, registered, removed)).toEqual([]));
test("given nothing, when removed, then not found", () =>
  expect(() => when({ type: "RemoveEnforcer" })).toThrow(refused("not_found")));

const listener = (changes: Partial<Listener>) => [{ ...registration.listeners[0]!, ...changes }];
test.each([
  { name: "Edge" },
  { group: "a.b" },
  { group: ">" },
  { listeners: listener({ protocol: "Postgres" }) },
  { listeners: listener({ port: 0 }) },
  { listeners: listener({ port: 65_536 }) },
  ...["", "0.0.0.0", "::", "a b", "-a.org", "a..b", "*.example.org", "1.2.3", "1.2.3.256", "x:y", "a/b", "a\u0000"].map(
    (host) => ({ listeners: listener({ host }) }),
  ),
  { listeners: [...registration.listeners, { protocol: "http", host: "db.example.org", port: 5432 }] },
])("an enforcer with %j is refused", (changes) => expect(() => when(register(changes))).toThrow(refused("invalid")));

test.each(["localhost", "127.0.0.1", "::1", "fe80::1", "db", "10.0.0.255", "db-1.example.org"])(
  "an enforcer may be dialled at %s",
  (host) => expect(when(register({ listeners: listener({ host }) }))).toHaveLength(1),
);
