import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { canonicalJson } from "#audit-log";
import { approvalV1, edgeV1 } from "#contracts";
import { controlFact, dotted } from "./control-facts.js";
import { edgeFact } from "./edge-facts.js";
import { apiNames } from "./field-names.js";
import { withhold } from "./withhold.js";

const now = new Date("2026-01-02T03:04:05.678Z");

describe("a decided fact", () => {
  it.each([
    ["policy", "PolicyChanged", "policy.changed"],
    ["token", "TokenMinted", "token.minted"],
    ["token", "SessionEndOrdered", "session.end_ordered"],
    ["api-key", "ApiKeyCreated", "api_key.created"],
    ["approval", "approval.granted", "approval.granted"],
    ["x", "Odd", "odd"],
  ])("of a %s that is %s has the type %s", (streamType, type, expected) => {
    expect(dotted(streamType, type)).toBe(expected);
  });

  it("tells who, on what command, why, and what", () => {
    const event = {
      position: 7,
      streamId: "token-1",
      streamType: "token",
      streamPosition: 2,
      eventId: "e",
      schemaVersion: 1,
      event: { type: "TokenRedeemed", data: { sessionId: "s-1", enforcerId: "edge-1", at: 5 } },
      meta: { actor: { id: "enforcer:edge-1", name: "edge-1" }, commandId: "c", reason: "r" },
      recordedAt: now,
    };
    const fact = controlFact(event, { sessionId: "s-1", enforcerName: "shop-edge" });
    expect(fact).toEqual({
      time: "2026-01-02T03:04:05.678Z",
      origin: "control",
      source: "control",
      sequence: 7,
      type: "token.redeemed",
      sessionId: "s-1",
      data: {
        stream: "token-1",
        version: 2,
        actor: { id: "enforcer:edge-1", name: "edge-1" },
        command_id: "c",
        reason: "r",
        enforcer_name: "shop-edge",
        event: { session_id: "s-1", enforcer_id: "edge-1", at: 5 },
      },
    });
  });
});

it("names fields as the REST API does, and what is not a field as it is", () => {
  const definition = {
    jwksUri: "u",
    requiredClaims: { "https://acme/orgId": "7" },
    columns: [{ maxRows: 1 }],
    x: null,
  };
  expect(apiNames({ definition })).toEqual({
    definition: { jwks_uri: "u", required_claims: { "https://acme/orgId": "7" }, columns: [{ max_rows: 1 }], x: null },
  });
});

describe("secrets", () => {
  it("are withheld by name, wherever they stand", () => {
    expect(
      withhold({
        deep: [{ scramVerifier: "x", secretHash: "y", password: "z", pepper: { a: 1 }, hash: "h", clientSecret: "s" }],
        credential: "env:PGPASSWORD",
        name: "ada",
        digest: "d",
        passwordRequired: true,
      }),
    ).toEqual({
      deep: [
        {
          scramVerifier: "[withheld]",
          secretHash: "[withheld]",
          password: "[withheld]",
          pepper: "[withheld]",
          hash: "[withheld]",
          clientSecret: "[withheld]",
        },
      ],
      credential: "env:PGPASSWORD",
      name: "ada",
      digest: "d",
      passwordRequired: true,
    });
  });
  it("are withheld by their looks: a token's secret half typed into a statement, a private key", () => {
    const token = "foil_Ab12Cd34_0123456789abcdefGHIJKLMNOPQRSTuv";
    expect(withhold({ statement: `select '${token}'` })).toEqual({ statement: "select 'foil_Ab12Cd34_[withheld]'" });
    expect(withhold("a -----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY----- b")).toBe("a [withheld] b");
    expect(withhold("a -----BEGIN PRIVATE KEY-----\nabc")).toBe("a [withheld]");
  });
  it("leave whatever else is there, in a form that can be hashed", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: false }), (value) => {
        expect(() => canonicalJson(withhold({ value }))).not.toThrow();
      }),
    );
    expect(withhold({ text: "a\ud800b" })).toEqual({ text: "a\ufffdb" });
  });
});

describe("an observed fact", () => {
  const record = (over: Parameters<typeof create<typeof edgeV1.RecordSchema>>[1]) =>
    create(edgeV1.RecordSchema, { sequence: 3n, time: timestampFromDate(now), sessionId: "s-1", ...over });

  it("has every field, numbers of 64 bits as text", () => {
    const fact = edgeFact(
      "edge-1",
      "spool",
      record({ fact: { case: "commandEnded", value: { ordinal: 1n, rows: 18446744073709551615n } } }),
      now,
    );
    expect(fact).toMatchObject({
      time: "2026-01-02T03:04:05.678Z",
      origin: "edge",
      source: "edge-1/spool",
      sequence: 3,
      type: "command.ended",
      sessionId: "s-1",
      data: { enforcer_id: "edge-1", ordinal: "1", rows: "18446744073709551615", error_code: "", values_masked: "0" },
    });
  });

  it.each([
    [approvalV1.ApprovalStatus.CONSUMED, "consumed"],
    [0, ""],
    [99, "99"],
  ])("has a word for an enum's %d", (status, word) => {
    const fact = edgeFact("edge-1", "spool", record({ fact: { case: "holdEnded", value: { status } } }), now);
    expect(fact.data).toMatchObject({ status: word, approval_id: "" });
  });

  it.each([
    ["no fact", record({})],
    ["no time", create(edgeV1.RecordSchema, { sequence: 3n, fact: { case: "sessionEnded", value: {} } })],
    ["a time that is none", record({ time: { seconds: 10n ** 15n }, fact: { case: "sessionEnded", value: {} } })],
    ["a fact of a later version", fromBinary(edgeV1.RecordSchema, Buffer.from("0803fa0103616263", "hex"))],
  ])("with %s keeps its place and its bytes", (_name, unknown) => {
    const fact = edgeFact("edge-1", "spool", unknown, now);
    expect(fact).toMatchObject({ sequence: 3, source: "edge-1/spool", type: "record.unreadable", sessionId: "" });
    const { bytes } = fact.data as { bytes: string };
    expect(Buffer.from(bytes, "base64")).toEqual(Buffer.from(toBinary(edgeV1.RecordSchema, unknown)));
  });
});
