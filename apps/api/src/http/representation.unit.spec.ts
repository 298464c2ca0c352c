import { create, type DescMessage, equals } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { approvalV1, identityV1, policyV1, tokensV1 } from "#contracts";
import { nameUuid } from "./caller.js";
import { RateLimit } from "./rate-limit.js";
import { parse, represent } from "./representation.js";

test("enums are words, times RFC 3339, bytes hex, 64-bit numbers numbers; unset messages are absent", () => {
  const approval = create(approvalV1.ApprovalSchema, {
    ...{ id: "a", status: approvalV1.ApprovalStatus.PENDING, digest: Uint8Array.of(1, 171), policyEpoch: 9n },
    requestedAt: timestampFromMs(0),
  });
  expect(represent(approvalV1.ApprovalSchema, approval)).toMatchObject({
    ...{ status: "pending", digest: "01ab", policy_epoch: 9, requested_at: "1970-01-01T00:00:00.000Z", votes: [] },
  });
  expect(represent(approvalV1.ApprovalSchema, approval)).not.toHaveProperty("expires_at");
  expect(represent(tokensV1.TokenSchema, create(tokensV1.TokenSchema))).not.toHaveProperty("mode");
});

test("a word that is no value of the enum is no value at all", () => {
  expect(() => parse(policyV1.ResourceSchema, { reads: "tape" })).toThrow(/reads has no value tape/);
});

const text = fc.string();
const resource = fc.record({
  ...{ name: text, protocol: text, group: text, reads: fc.constantFrom("os", "disk") },
  upstream: fc.record({
    host: text,
    port: fc.nat(),
    database: text,
    tls: fc.constantFrom("disable", "verify-full"),
    ca: text,
    hosts: fc.array(fc.record({ host: text, port: fc.nat() })),
    target_session_attrs: fc.constantFrom("any", "read-write"),
  }),
  credential: fc.record({ username: text, password: text }),
});
const issuer = fc.record({
  ...{ name: text, url: text, jwks_uri: text, audiences: fc.array(text), algorithms: fc.array(text) },
  exchange_once: fc.boolean(),
  ...{
    groups: fc.array(text),
    required_claims: fc.dictionary(
      text.filter((key) => key !== "__proto__"),
      text,
    ),
  },
  claims: fc.record({ subject: text, name: text, groups: text, run: text, on_behalf_of: text }),
});

test.each<[string, DescMessage, fc.Arbitrary<object>]>([
  ["resources", policyV1.ResourceSchema, resource],
  ["issuers", identityV1.IssuerSchema, issuer],
])("%s: reading what was shown gives the same again", (_, schema, views) => {
  fc.assert(
    fc.property(views, (view) => {
      const message = parse(schema, view);
      const shown = represent(schema, message);
      expect(shown).toEqual({ ...view, version: 0 });
      expect(equals(schema, message, parse(schema, { ...shown, version: undefined }))).toBe(true);
    }),
  );
});

test("a name makes one UUID, other names others", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(nameUuid(a)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(nameUuid(a) === nameUuid(b)).toBe(a === b);
    }),
  );
});

describe("a rate limit", () => {
  test("gives a burst at once, then so many a second, each key for itself", () => {
    let now = 0;
    const limit = new RateLimit(2, 0.5, () => now);
    expect([limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")]).toEqual([0, 0, 2, 0]);
    now = 2000;
    expect([limit.wait("a"), limit.take("a"), limit.take("a")]).toEqual([0, 0, 2]);
    now = 1_000_000;
    expect([limit.take("a"), limit.take("a"), limit.take("a")]).toEqual([0, 0, 2]);
  });
  test("does not grow with the number of addresses", () => {
    const limit = new RateLimit(1, 1, () => 0, 100);
    for (let n = 0; n < 1000; n++) limit.take(String(n));
    expect([limit.wait("999"), limit.wait("0")]).toEqual([1, 0]);
  });
});
