import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import type { Mask as CommandsMask, Transform as CommandsTransform } from "#commands";
import { maskedBy } from "../../../test/masks.js";
import type { ValueType } from "./mask.js";
import { checkTransform, combined, maskFor } from "./mask-for.js";
import { KNOWN_OIDS, typeOf } from "./types/catalog.js";

const hashKey = new Uint8Array(32).fill(9);
const TEXT = 25;
const bytesOf = (text: string) => Buffer.from(text, "utf8");
const shown = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString("utf8");
const mask = (kind: string, options: Record<string, string> = {}, direct = true) =>
  maskFor({ transform: { kind, options }, labels: ["pii"], direct, hashKey });
const masked = (kind: string, options: Record<string, string>, value: string, oid = TEXT) =>
  shown(maskedBy(mask(kind, options), bytesOf(value), { oid, format: "text" }));

const TRANSFORM_CASES: [string, Record<string, string>][] = [
  ["redact", {}],
  ["null", {}],
  ["partial", { keep_first: "1", keep_last: "3" }],
  ["partial", { keep_last: "4", keep_domain: "true" }],
  ["hash", {}],
  ["hash", { length: "64" }],
  ["fixed", { value: "0" }],
  ["fixed", { value: "Straße" }],
];
const oids = fc.oneof(fc.constantFrom(...KNOWN_OIDS), fc.constantFrom(0, 16_384, 4_294_967_295));
const types: fc.Arbitrary<ValueType> = fc.record({ oid: oids, format: fc.constantFrom("text", "binary") });
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.string({ unit: "binary", maxLength: 40 }).map(bytesOf),
  fc.emailAddress().map(bytesOf),
);

describe("every transform", () => {
  it("fits the vocabulary of commands", () => {
    const transform: CommandsTransform = { kind: "partial", options: {} };
    const made: CommandsMask = maskFor({ transform, labels: ["pii.email"], direct: true, hashKey });
    expect(made.labels).toEqual(["pii.email"]);
  });

  describe.each(TRANSFORM_CASES)("%s %j", (kind, options) => {
    it("never throws, whatever the bytes", () => {
      const one = mask(kind, options);
      fc.assert(
        fc.property(bytes, types, (value, type) => {
          const out = maskedBy(one, value, type);
          expect(out === null || out instanceof Uint8Array).toBe(true);
        }),
        { numRuns: 1000 },
      );
    });

    it("does not change what it is given, and gives the same for the same", () => {
      fc.assert(
        fc.property(bytes, types, (value, type) => {
          const before = Buffer.from(value);
          const first = maskedBy(mask(kind, options), value, type);
          expect(Buffer.from(value)).toEqual(before);
          expect(maskedBy(mask(kind, options), value, type)).toEqual(first);
        }),
      );
    });

    it("tells nothing of a value once it is in an expression", () => {
      const one = mask(kind, options, false);
      fc.assert(
        fc.property(bytes, bytes, types, (a, b, type) => {
          expect(maskedBy(one, a, type)).toEqual(maskedBy(one, b, type));
        }),
        { numRuns: 500 },
      );
    });

    it("hides what it knows nothing about", () => {
      expect(maskedBy(mask(kind, options), bytesOf("(secret,1)"), { oid: 16_384, format: "text" })).toBeNull();
      expect(maskedBy(mask(kind, options), bytesOf("(secret,1)"), { oid: 0, format: "binary" })).toBeNull();
    });
  });

  it("hides whole where its options are wrong", () => {
    expect(masked("partial", { keep_last: "-1" }, "4111111111111111")).toBe("[redacted]");
    expect(masked("reveal", {}, "4111111111111111")).toBe("[redacted]");
  });
});

describe.each(["redact", "null", "fixed"])("%s", (kind) => {
  it("gives the same for every value", () => {
    const one = mask(kind, kind === "fixed" ? { value: "0" } : {});
    fc.assert(
      fc.property(bytes, bytes, types, (a, b, type) => {
        fc.pre(type.oid !== 1042);
        expect(maskedBy(one, a, type)).toEqual(maskedBy(one, b, type));
      }),
      { numRuns: 1000 },
    );
  });

  it("gives as many stars as char(n) is wide", () => {
    if (kind === "null") return expect(masked("null", {}, "AB ", 1042)).toBeNull();
    expect(masked(kind, kind === "fixed" ? { value: "x" } : {}, "AÜ ", 1042)).toBe("***");
  });
});

describe("fixed", () => {
  it.each([
    [25, "hidden", "hidden"],
    [23, "-7", "-7"],
    [23, "hidden", "0"],
    [23, "99999999999", "0"],
    [1700, "0.00", "0.00"],
    [16, "true", "t"],
    [1082, "1999-12-31", "1999-12-31"],
    [1082, "1999-02-31", "1970-01-01"],
    [3802, '{"hidden":true}', '{"hidden":true}'],
    [3802, "{", "null"],
    [19, "x".repeat(64), "[redacted]"],
    [1007, "{1}", "{}"],
  ])("for type %i shows %j as %j", (oid, value, expected) => {
    expect(masked("fixed", { value }, "secret", oid)).toBe(expected);
  });
});

describe("partial", () => {
  it.each<[Record<string, string>, string, string]>([
    [{ keep_last: "4" }, "4111111111111234", "************1234"],
    [{}, "4111111111111234", "************1234"],
    [{ keep_first: "2" }, "Lovelace", "Lo******"],
    [{ keep_first: "1", keep_last: "1" }, "Lovelace", "L******e"],
    [{ keep_last: "4" }, "1234567", "*******"],
    [{ keep_last: "4" }, "", ""],
    [{ keep_last: "1", mask: "#" }, "1234567", "######7"],
    [{ keep_first: "1" }, "Żółć😀é", "Ż*****"],
    [{ keep_last: "2" }, "Żółć😀é", "****😀é"],
    [{ keep_first: "1" }, "ada.lovelace@example.com", "a***********@*******.com"],
    [{ keep_first: "1", keep_domain: "true" }, "ada.lovelace@example.com", "a***********@example.com"],
    [{ keep_first: "1" }, "x@y.abcdefghijklmnopqrstuvwxyz", "x*****************************"],
    [{ keep_first: "1", keep_domain: "true" }, `x@${"y".repeat(61)}.com`, `x${"*".repeat(64)}`],
    [{ keep_last: "4" }, "ada@example.co.uk", "***@**********.uk"],
    [{ keep_last: "4" }, "user@1234567890.1234", "****************1234"],
    [{ keep_last: "2" }, "@handle", "*****le"],
    [{ keep_last: "2" }, "a@b@example.com", "*************om"],
    [{ keep_last: "2" }, "secret   ", "*******  "],
  ])("%j of %j is %j", (options, value, expected) => {
    expect(masked("partial", options, value)).toBe(expected);
  });

  it("keeps char(n) as wide as it is", () => {
    expect(masked("partial", { keep_last: "1" }, "1234    ", 1042)).toBe("***4    ");
  });

  it("shows at most the characters it promises, and at most half", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 200 }).filter((text) => !text.includes("@") && !text.includes("*")),
        fc.nat(8),
        fc.nat(8),
        (value, first, last) => {
          const out = masked("partial", { keep_first: `${first}`, keep_last: `${last}` }, value)!;
          const points = [...value];
          const kept = [...out].filter((character) => character !== "*").length;
          expect(kept).toBe((first + last) * 2 > points.length ? 0 : first + last);
          expect([...out].length).toBe(kept + Math.min(64, points.length - kept));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("shows of an address no more than its first character, the @ and the last label", () => {
    fc.assert(
      fc.property(fc.emailAddress(), (address) => {
        const out = masked("partial", { keep_first: "1" }, address)!;
        const [local, domain] = address.split("@") as [string, string];
        expect(out.split("@")[0]).toMatch(local.length < 2 ? /^\*+$/ : /^.\*+$/);
        expect(out.split("@")[1]).toBe(
          `${"*".repeat(Math.min(64, domain.lastIndexOf(".")))}${domain.slice(domain.lastIndexOf("."))}`,
        );
      }),
    );
  });

  it("never cuts a character, and hides whole what is no UTF-8", () => {
    fc.assert(
      fc.property(bytes, fc.nat(8), fc.nat(8), (value, first, last) => {
        const one = mask("partial", { keep_first: `${first}`, keep_last: `${last}` });
        const out = maskedBy(one, value, { oid: TEXT, format: "text" })!;
        expect(isUtf8(out)).toBe(true);
        if (!isUtf8(value)) expect(shown(out)).toBe("[redacted]");
      }),
      { numRuns: 1000 },
    );
  });

  it("hides numbers whole", () => {
    expect(masked("partial", { keep_last: "4" }, "4111111111111234", 20)).toBe("0");
  });
});

describe("hash", () => {
  const one = mask("hash");
  const int8 = (value: bigint) => {
    const out = Buffer.alloc(8);
    out.writeBigInt64BE(value);
    return out;
  };

  it("keeps equal values equal, and different ones different", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(masked("hash", {}, a) === masked("hash", {}, b)).toBe(a === b);
      }),
    );
  });

  it("is another under another key", () => {
    const other = maskFor({
      transform: { kind: "hash", options: {} },
      labels: [],
      direct: true,
      hashKey: new Uint8Array(32),
    });
    const type: ValueType = { oid: TEXT, format: "text" };
    expect(maskedBy(other, bytesOf("a"), type)).not.toEqual(maskedBy(one, bytesOf("a"), type));
  });

  it("is the same number in text and in binary", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const text = shown(maskedBy(one, bytesOf(String(value)), { oid: 20, format: "text" }));
        const binary = Buffer.from(maskedBy(one, int8(value), { oid: 20, format: "binary" })!).readBigInt64BE();
        expect(text).toBe(String(binary));
        expect(Number.isSafeInteger(Number(binary)) && binary >= 0n).toBe(true);
      }),
    );
  });

  it("is the same uuid, bytea and jsonb in text and in binary", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.json(), (uuid, json) => {
        const raw = Buffer.from(uuid.replaceAll("-", ""), "hex");
        const uuidText = shown(maskedBy(one, bytesOf(uuid.toUpperCase()), { oid: 2950, format: "text" }))!;
        expect(uuidText.replaceAll("-", "")).toBe(
          Buffer.from(maskedBy(one, raw, { oid: 2950, format: "binary" })!).toString("hex"),
        );
        const byteaText = shown(maskedBy(one, bytesOf(`\\x${raw.toString("hex")}`), { oid: 17, format: "text" }))!;
        expect(byteaText).toBe(`\\x${Buffer.from(maskedBy(one, raw, { oid: 17, format: "binary" })!).toString("hex")}`);
        const jsonText = maskedBy(one, bytesOf(json), { oid: 3802, format: "text" })!;
        const jsonBinary = maskedBy(one, Buffer.concat([Uint8Array.of(1), bytesOf(json)]), {
          oid: 3802,
          format: "binary",
        })!;
        expect(Buffer.concat([Uint8Array.of(1), jsonText])).toEqual(Buffer.from(jsonBinary));
      }),
    );
  });

  it("does not count the blanks that pad char(n)", () => {
    expect(masked("hash", {}, "ab   ", 1042)).toBe(masked("hash", {}, "ab      ", 1042)!.slice(0, 5));
  });

  it("never contains the value", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6 }), (value) => {
        expect(masked("hash", { length: "64" }, value)).not.toContain(value);
      }),
    );
  });

  it("hides whole what is no value of its type", () => {
    expect(maskedBy(one, bytesOf("12"), { oid: 20, format: "binary" })).toEqual(typeOf(20).neutral!.binary);
    expect(masked("hash", {}, "twelve", 20)).toBe("0");
  });

  it("refuses a short key", () => {
    expect(() =>
      maskFor({ transform: { kind: "hash", options: {} }, labels: [], direct: true, hashKey: bytesOf("k") }),
    ).toThrow(RangeError);
  });
});

describe("checkTransform", () => {
  it.each(TRANSFORM_CASES)("takes %s %j", (kind, options) => {
    expect(checkTransform({ kind, options })).toBeNull();
  });

  it.each<[string, Record<string, string>, string]>([
    ["reveal", {}, "there is no transform `reveal`: use one of `redact`, `null`, `partial`, `hash`, `fixed`"],
    ["constructor", {}, "there is no transform `constructor`: use one of `redact`, `null`, `partial`, `hash`, `fixed`"],
    ["redact", { value: "x" }, "transform `redact` has no option `value`: it has none"],
    ["hash", { size: "8" }, "transform `hash` has no option `size`: it has `length`"],
    ["hash", { length: "7" }, "transform `hash` needs a whole number from 8 to 64 in `length`"],
    ["partial", { keep_last: "many" }, "transform `partial` needs a whole number from 0 to 32 in `keep_last`"],
    ["partial", { mask: "**" }, "transform `partial` needs one printable ASCII character in `mask`"],
    ["partial", { keep_domain: "yes" }, "transform `partial` needs `true` or `false` in `keep_domain`"],
    ["fixed", {}, "transform `fixed` needs `value`, what to show instead"],
    ["fixed", { value: "\0" }, "transform `fixed` allows only characters in `value` that a database text can hold"],
    ["fixed", { value: "\ud800" }, "transform `fixed` allows only characters in `value` that a database text can hold"],
    ["fixed", { value: "x".repeat(1001) }, "transform `fixed` allows at most 1000 characters in `value`"],
  ])("says what is wrong with %s %j", (kind, options, problem) => {
    expect(checkTransform({ kind, options })).toBe(problem);
  });
});

describe("several labels on one value", () => {
  const partial = { kind: "partial", options: { keep_last: "4" } };
  it.each([
    [[partial], partial],
    [[partial, { kind: "partial", options: { keep_last: "4" } }], partial],
    [[partial, { kind: "partial", options: { keep_last: "2" } }], { kind: "redact", options: {} }],
    [[partial, { kind: "hash", options: {} }], { kind: "redact", options: {} }],
    [[partial, { kind: "null", options: {} }], { kind: "null", options: {} }],
    [[], { kind: "redact", options: {} }],
  ])("%j are hidden as %j", (transforms, expected) => {
    expect(combined(transforms)).toEqual(expected);
  });
});
