import type { DomainEvent } from "#event-store";
import { type IssuerCommand, type IssuerDefinition, type IssuerEvent, issuerDecider } from "./issuer.js";

const given = (...events: IssuerEvent[]) => events.reduce(issuerDecider.evolve, issuerDecider.initialState());
const when = (command: IssuerCommand, ...events: IssuerEvent[]): readonly DomainEvent[] =>
  issuerDecider.decide(command, given(...events));

const ci: IssuerDefinition = {
  name: "ci",
  url: "https://ci.example.org",
  jwksUri: "",
  audiences: ["counterfoil"],
  algorithms: [],
  claims: { subject: "", name: "", groups: "groups", run: "run.id", onBehalfOf: "" },
  requiredClaims: { "https://ci.example.org/project": "shop" },
  groups: [],
  exchangeOnce: false,
};
const put = (changes: Partial<IssuerDefinition> = {}, creating = false): IssuerCommand => ({
  type: "PutIssuer",
  definition: { ...ci, ...changes },
  creating,
});
const declared: IssuerEvent = { type: "IssuerDeclared", data: ci };
const deleted: IssuerEvent = { type: "IssuerDeleted", data: { name: ci.name, url: ci.url } };

test("given nothing, when put, then declared", () => {
  expect(when(put())).toEqual([declared]);
});
test("given it, when put the same, then nothing", () => {
  expect(when(put(), declared)).toEqual([]);
});
test("given it, when put with other audiences, then declared anew", () => {
  const data = { ...ci, audiences: ["other"] };
  expect(when(put(data), declared)).toEqual([{ type: "IssuerDeclared", data }]);
});
test("given it, when created, then refused", () => {
  expect(() => when(put({}, true), declared)).toThrow(expect.objectContaining({ code: "version_conflict" }));
});
test("given it was deleted, when created, then declared", () => {
  expect(when(put({}, true), declared, deleted)).toEqual([declared]);
});
test("given it, when deleted, then deleted with its url", () => {
  expect(when({ type: "DeleteIssuer" }, declared)).toEqual([deleted]);
});
test.each([[[]], [[declared, deleted]]])("given none %#, when deleted, then not found", (events: IssuerEvent[]) => {
  expect(() => when({ type: "DeleteIssuer" }, ...events)).toThrow(expect.objectContaining({ code: "not_found" }));
});

test.each<[string, Partial<IssuerDefinition>]>([
  ["name", { name: "CI" }],
  ["name", { name: "" }],
  ["name", { name: `a${"b".repeat(63)}` }],
  ["url", { url: "ci.example.org" }],
  ["url", { url: "http://ci.example.org" }],
  ["url", { url: "http://localhost.example.org" }],
  ["url", { url: "http://127.0.0.1.example.org" }],
  ["url", { url: "ftp://ci.example.org" }],
  ["url", { url: "file:///etc/passwd" }],
  ["url", { url: "https://user:pass@ci.example.org" }],
  ["url", { url: "https://ci.example.org/?a=b" }],
  ["url", { url: "https://ci.example.org/#x" }],
  ["url", { url: `https://ci.example.org/${"x".repeat(1024)}` }],
  ["jwks_uri", { jwksUri: "http://ci.example.org/keys" }],
  ["audiences", { audiences: [] }],
  ["audiences", { audiences: [""] }],
  ["audiences", { audiences: ["a\nb"] }],
  ["audiences", { audiences: Array(21).fill("a") }],
  ["algorithms", { algorithms: ["none"] }],
  ["algorithms", { algorithms: ["RS256", "HS256"] }],
  ["algorithms", { algorithms: ["HS512"] }],
  ["algorithms", { algorithms: ["RS1"] }],
  ["groups", { groups: ["\u0000"] }],
  ["claims.groups", { claims: { ...ci.claims, groups: "x".repeat(257) } }],
  ["required_claims.a", { requiredClaims: { a: "" } }],
])("an issuer with a wrong %s is refused: %j", (field, changes) => {
  expect(() => when(put(changes))).toThrow(expect.objectContaining({ code: "invalid", details: { field } }));
});

test.each(["http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:9/realm", "https://a.b/c"])(
  "an issuer may be at %s",
  (url) => expect(when(put({ url }))).toHaveLength(1),
);
