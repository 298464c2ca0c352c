import { Validator } from "@seriousme/openapi-schema-validator";
import { identityV1 } from "#contracts";
import { Fixture } from "../test/fixture.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture?.stop());

const METHODS = ["get", "put", "post", "delete"];

test("the description is valid OpenAPI 3.1", async () => {
  const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(fixture.description)));
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(fixture.description.openapi).toBe("3.1.0");
});

test("every reference leads somewhere", () => {
  const references = JSON.stringify(fixture.description).match(/"\$ref":"[^"]*"/g) ?? [];
  const names = references.map((text) => /schemas\/([^"]*)"/.exec(text)?.[1] ?? text);
  expect(names.filter((name) => !fixture.description.components.schemas[name])).toEqual([]);
});

test("every route is documented and every documented route exists", () => {
  const { app } = fixture.api;
  const routes = app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false, includeHooks: false }) as string;
  const served = new Set<string>();
  const stack: string[] = [];
  for (const row of routes.split("\n")) {
    const match = /^([│\s]*)[├└]── (\S*)(?: \((.*)\))?$/.exec(row);
    if (!match) continue;
    const depth = (match[1] ?? "").length / 4;
    stack.splice(depth, stack.length, match[2] ?? "");
    const path = stack.join("").replaceAll(/:(\w+)/g, "{$1}");
    for (const method of (match[3] ?? "").split(", ")) {
      if (METHODS.includes(method.toLowerCase())) served.add(`${method.toLowerCase()} ${path}`);
    }
  }
  const documented = Object.entries(fixture.description.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  );
  expect([...served].sort()).toEqual(documented.sort());
  expect(served.size).toBeGreaterThan(30);
});

test("every operation says what it is, who may do it and how it fails", () => {
  for (const [path, item] of Object.entries(fixture.description.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const told = operation as unknown as Record<string, unknown>;
      const where = `${method} ${path}`;
      expect([where, typeof told.summary, typeof told.operationId]).toEqual([where, "string", "string"]);
      expect([where, Array.isArray(told.security)]).toEqual([where, true]);
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["500", "503"]));
      if (JSON.stringify(told.security) !== "[{}]") {
        expect([where, ...Object.keys(operation.responses)]).toEqual(expect.arrayContaining(["401", "403"]));
      }
    }
  }
  const ids = Object.values(fixture.description.paths).flatMap((item) =>
    Object.values(item).map((operation) => (operation as unknown as { operationId: string }).operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

test("every field of a schema is described", () => {
  for (const [name, schema] of Object.entries(fixture.description.components.schemas)) {
    if (name === "Health") continue;
    for (const [field, property] of Object.entries(
      (schema.properties ?? {}) as Record<string, { description?: string }>,
    )) {
      expect([name, field, typeof property.description]).toEqual([name, field, "string"]);
    }
  }
});

test("the page shows every route and runs nothing", async () => {
  const { status, text, headers } = await fixture.send("GET", "/docs", { key: null });
  expect(status).toBe(200);
  for (const path of Object.keys(fixture.description.paths)) expect(text).toContain(path);
  expect(text).not.toMatch(/<script|https?:\/\/(?!www\.apache)[^<"\s]*\.(js|css)/);
  expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'.*style-src 'sha256-/);
});

test("an answer that is not as described is noticed", async () => {
  fixture.plane.on(identityV1.Identity.method.getIssuer, () => ({
    name: "ci",
    audiences: ["a"],
    url: "no url",
    version: 1n,
  }));
  await expect(fixture.send("GET", "/v1/issuers/ci")).rejects.toThrow(/pattern/);
});
