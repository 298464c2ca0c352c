import { connect } from "node:net";
import { identityV1, policyV1 } from "#contracts";
import { refuse } from "../../test/control-plane.js";
import { Fixture } from "../../test/fixture.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture?.stop());

const body = { url: "https://ci.example.com", audiences: ["counterfoil"] };

test.each([
  ["not_found", 404],
  ["exists", 409],
  ["version_conflict", 409],
  ["conflict", 409],
  ["invalid", 400],
  ["forbidden", 403],
  ["unavailable", 503],
  ["something_new", 500],
])("a service's %s is %d", async (code, status) => {
  fixture.plane.on(identityV1.Identity.method.putIssuer, () => refuse(code, "inner words", { field: "url" }));
  const got = await fixture.send("PUT", "/v1/issuers/ci", { json: body });
  expect(got.status).toBe(status);
  expect(got.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(got.body.request_id).toBe(got.headers.get("x-request-id"));
  if (status < 500) expect(got.body).toMatchObject({ code, detail: "inner words", details: { field: "url" } });
  if (status === 500) expect(got.text).not.toContain("inner words");
  if (status === 503) expect(Number(got.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("nobody answering on the bus is 503 with Retry-After", async () => {
  const { status, headers, body } = await fixture.send("GET", "/v1/resources");
  expect([status, body.code]).toEqual([503, "unavailable"]);
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
});

test("a lost race is 409 without a precondition and 412 with one", async () => {
  fixture.plane.on(identityV1.Identity.method.putIssuer, () => refuse("version_conflict", "it moved"));
  const got = await fixture.send("PUT", "/v1/issuers/ci", { json: body, headers: { "if-match": '"3"' } });
  expect([got.status, got.body.code]).toEqual([412, "version_conflict"]);
});

test("all wrong fields are named at once, with what is wanted", async () => {
  const { status, body: problem } = await fixture.send("PUT", "/v1/resources/shop", {
    json: {
      protocol: "gopher",
      group: "Default!",
      upstream: { host: "db", port: "5432", databse: "shop" },
      credential: { username: "app", password: "hunter2" },
      reads: null,
    },
  });
  expect(status).toBe(400);
  const errors = Object.fromEntries(
    problem.errors.map((e: { pointer: string; detail: string }) => [e.pointer, e.detail]),
  );
  expect(errors).toEqual({
    "/protocol": expect.stringContaining("must be one of postgres"),
    "/group": expect.stringContaining("must be a name"),
    "/upstream/port": expect.stringContaining("must be a whole number from 1 to 65535"),
    "/upstream/databse": "is not a known field",
    "/credential/password": expect.stringContaining("env:NAME or file:"),
    "/reads": expect.stringContaining("must be one of os, disk"),
  });
  expect(JSON.stringify(problem)).not.toContain("hunter2");
});

test.each([
  ["a list", []],
  ["a string", "x"],
  ["a number", 3],
  ["nothing", null],
  ["a nested list where an object is wanted", { ...body, claims: [] }],
  ["a list where strings are wanted", { ...body, audiences: [["a"]] }],
  ["a number in a map of strings", { ...body, required_claims: { a: 1 } }],
  ["an own __proto__", JSON.parse('{"url":"https://a","audiences":["b"],"constructor":{"prototype":1}}')],
])("%s as the body is 400", async (_, json) => {
  expect((await fixture.send("PUT", "/v1/issuers/ci", { json })).status).toBe(400);
});

test("text that is not well-formed Unicode is refused, wherever it stands", async () => {
  const half = "\ud83d";
  const put = (json: object) => fixture.send("PUT", "/v1/issuers/ci", { json });
  const said = expect.stringContaining("well-formed Unicode");
  expect((await put({ ...body, audiences: [`a${half}`] })).body.errors).toEqual([
    { pointer: "/audiences", detail: said },
  ]);
  expect((await put({ ...body, required_claims: { a: half } })).status).toBe(400);
  const key = await fixture.send("POST", "/v1/admin-keys", { json: { name: `ada${half}`, roles: ["auditor"] } });
  expect([key.status, key.body.errors[0].detail]).toEqual([400, said]);
});

test.each(["X", "-a", "a b", "a%2Fb", "a".repeat(64), "%00", "..%2f"])("the name %s is refused", async (name) => {
  const { status } = await fixture.send("PUT", `/v1/issuers/${name}`, { json: body });
  expect([400, 404, 414]).toContain(status);
});

test("broken JSON, a wrong type and a body too large have their own statuses", async () => {
  const put = (sent: object) => fixture.send("PUT", "/v1/issuers/ci", sent);
  expect((await put({ text: "{" })).body.code).toBe("malformed");
  for (const type of ["text/xml", "text/plain", "text/plain; charset=utf-8"]) {
    expect((await put({ text: JSON.stringify(body), type })).body.code).toBe("unsupported_media_type");
  }
  const { detail } = (await put({ text: "a: {b: c", type: "application/yaml" })).body;
  expect(detail).toMatch(/^The YAML cannot be read: line 1, column 9: [^:]*[^:\d]$/);
  expect((await put({ text: JSON.stringify(body), type: "application/x-www-form-urlencoded" })).body.detail).toContain(
    "application/json",
  );
  expect((await put({ json: { ...body, jwks_uri: "x".repeat(2 ** 20) } })).body.code).toBe("too_large");
});

test("an unknown route, an unknown method and a broken URL are problems too", async () => {
  for (const [method, path, status] of [
    ["GET", "/v2", 404],
    ["PATCH", "/v1/issuers/ci", 405],
    ["GET", "/%zz", 400],
  ] as const) {
    const response = await fetch(fixture.api.url + path, { method });
    expect([path, response.status]).toEqual([path, status]);
    expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const problem = (await response.json()) as { request_id: string };
    expect(problem.request_id).toBe(response.headers.get("x-request-id"));
  }
});

test("a method that a path does not take is 405, and Allow has those it takes", async () => {
  for (const [method, path, allowed] of [
    ["PATCH", "/v1/policies/x", ["DELETE", "GET", "PUT"]],
    ["GET", "/v1/token", ["POST"]],
    ["DELETE", "/v1/sessions?limit=1", ["GET"]],
  ] as const) {
    const response = await fetch(fixture.api.url + path, { method });
    expect([path, response.status]).toEqual([path, 405]);
    expect(response.headers.get("allow")?.split(", ")).toEqual(expect.arrayContaining([...allowed]));
  }
});

test("a request id is taken over where it is a plain word, and made otherwise", async () => {
  const ask = async (id: string) =>
    (await fixture.send("GET", "/healthz", { headers: { "x-request-id": id } })).headers;
  expect((await ask("job-17.3")).get("x-request-id")).toBe("job-17.3");
  expect((await ask('{"a":1}')).get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
});

test("bytes that are no HTTP get an answer and do no harm", async () => {
  const { port } = new URL(fixture.api.url);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write("\x16\x03\x01garbage\r\n\r\n"));
    let text = "";
    socket.on("data", (data) => (text += data));
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 400/);
  expect((await fixture.send("GET", "/healthz")).status).toBe(200);
});

test("ready while the bus answers, and not when it is gone; alive either way", async () => {
  const other = await Fixture.start();
  try {
    expect((await other.send("GET", "/readyz", { key: null })).status).toBe(200);
    await other.nats.stop();
    const { status, headers } = await other.send("GET", "/readyz", { key: null });
    expect(status).toBe(503);
    expect(headers.get("retry-after")).not.toBeNull();
    expect((await other.send("GET", "/healthz", { key: null })).status).toBe(200);
    expect((await other.send("GET", "/v1/issuers")).status).toBe(503);
  } finally {
    await other.stop();
  }
});

test("a field that a service refuses stands where ours do", async () => {
  const where = { field: "columns[1].resource" };
  fixture.plane.on(policyV1.Policy.method.putPolicy, () => refuse("invalid", "no such resource", where));
  fixture.plane.on(policyV1.Policy.method.listPolicies, () => refuse("invalid", "no such cursor", { field: "cursor" }));
  const put = await fixture.send("PUT", "/v1/policies/p", { json: { text: "permit?" } });
  expect(put.body.errors).toEqual([{ pointer: "/columns/1/resource", detail: "no such resource" }]);
  const list = await fixture.send("GET", "/v1/policies?cursor=policies.x");
  expect(list.body.errors).toEqual([{ parameter: "cursor", detail: "no such cursor" }]);
});

test("the store's own words for a version become the caller's", async () => {
  const told = "stream issuer/ci is at version 1, not 3";
  fixture.plane.on(identityV1.Identity.method.putIssuer, () => refuse("version_conflict", told));
  const got = await fixture.send("PUT", "/v1/issuers/ci", { json: body, headers: { "if-match": '"3"' } });
  expect(got.body.detail).toBe("It is at version 1, not 3");
});

test("policies that a service refuses say where", async () => {
  fixture.plane.on(policyV1.Policy.method.putPolicy, () =>
    refuse("invalid", "line 1, column 7: unexpected token", { line: "1" }),
  );
  const got = await fixture.send("PUT", "/v1/policies/p", { json: { text: "permit?" } });
  expect([got.status, got.body.detail]).toEqual([400, "line 1, column 7: unexpected token"]);
});

test("a cursor is good for its own list only", async () => {
  const { status, body: problem } = await fixture.send("GET", "/v1/policies?cursor=sessions.x");
  expect([status, problem.errors]).toEqual([
    400,
    [{ parameter: "cursor", detail: expect.stringContaining("this list") }],
  ]);
});

test.each(["/v1/tokens/a%00b", "/v1/policies?cursor=%00", "/v1/approvals/%00"])("%s is refused", async (path) => {
  const { status, body: problem } = await fixture.send("GET", path);
  expect([status, problem.code]).toEqual([400, "invalid"]);
});
test("a zero character in a body is refused, with its place", async () => {
  const json = { by: "run", value: "1", reason: "a\0b" };
  const { status, body: problem } = await fixture.send("POST", "/v1/tokens/revoke", { json });
  expect([status, problem.errors[0].pointer]).toEqual([400, "/reason"]);
});
