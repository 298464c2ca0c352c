import fc from "fast-check";
import { canonicalJson, type Json } from "./canonical-json.js";
import { type AuditEntry, seal, unseal } from "./entry.js";
import { leafHash } from "./merkle-hash.js";

describe("canonical JSON", () => {
  it("is RFC 8785's example", () => {
    const example = {
      numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '€$\u000f\nA\'B"\\\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(example)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });
  it("sorts by UTF-16 code units (RFC 8785 section 3.2.3)", () => {
    const keys = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
    const sorted = JSON.parse(canonicalJson({ keys: keys.slice().sort() })).keys;
    expect(Object.keys(JSON.parse(canonicalJson(Object.fromEntries(keys.map((k) => [`k${k}`, 0])))))).toEqual(
      sorted.map((k: string) => `k${k}`),
    );
    expect(sorted).toEqual(["\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"]);
  });
  it("says the same whatever the order of properties, and loses nothing", () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: "medium" }), (value) => {
        const text = canonicalJson(value as Json);
        const reversed = JSON.parse(text, (_key, held) =>
          held && typeof held === "object" && !Array.isArray(held)
            ? Object.fromEntries(Object.entries(held).reverse())
            : held,
        );
        expect(canonicalJson(reversed)).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(/\n/);
      }),
    );
  });
  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [undefined], [1n], ["\ud800"], [{ "\udc00": 1 }]])(
    "refuses %p",
    (value) => {
      expect(() => canonicalJson(value as unknown as Json)).toThrow(TypeError);
    },
  );
});

describe("an entry", () => {
  const entry: AuditEntry = {
    index: 1,
    time: "2026-01-02T03:04:05.678Z",
    origin: "edge",
    source: "spool-1",
    sequence: 9,
    type: "command.refused",
    sessionId: "s-1",
    data: { statement: "drop table t", ordinal: 1 },
  };
  it("is sealed as one line of JSON and its leaf hash", () => {
    const { json, leafHash: hash } = seal(entry);
    expect(json).toBe(
      '{"data":{"ordinal":1,"statement":"drop table t"},"index":1,"origin":"edge","sequence":9,"session_id":"s-1","source":"spool-1","time":"2026-01-02T03:04:05.678Z","type":"command.refused"}',
    );
    expect(hash).toEqual(leafHash(Buffer.from(json)));
    expect(unseal(json)).toEqual(entry);
  });
  it("has another hash whatever changes", () => {
    const changes: Partial<AuditEntry>[] = [
      { index: 2 },
      { time: "2026-01-02T03:04:05.679Z" },
      { origin: "control" },
      { source: "spool-2" },
      { sequence: 10 },
      { type: "command.ended" },
      { sessionId: "" },
      { data: {} },
    ];
    const hashes = [entry, ...changes.map((change) => ({ ...entry, ...change }))].map((e) =>
      seal(e).leafHash.toString("hex"),
    );
    expect(new Set(hashes).size).toBe(changes.length + 1);
  });
});
