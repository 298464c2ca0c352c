import { type Json, leafHash, unseal } from "#audit-log";
import { sealed } from "./sealed.js";

const MOST = 1 << 20;
const entry = { index: 7, time: "2026-01-02T03:04:05.678Z", origin: "edge", source: "e/s", sequence: 3 } as const;
const seal = (data: Json) => sealed({ ...entry, type: "command.started", sessionId: "s-1", data });

test("an entry stays as it is where it is not too large", () => {
  const data = { statement: "x".repeat(MOST - 1_000), parameters: ["y"] };
  expect(seal(data).entry.data).toBe(data);
});

test("one that is too large is cut, and says what was there", () => {
  const { json, entry } = seal({ statement: "\u0001".repeat(3_000_000), names: Array(5_000).fill("n"), rows: 3 });
  expect(json.length).toBeLessThanOrEqual(MOST);
  expect(entry.data).toMatchObject({
    rows: 3,
    statement: expect.stringMatching(/… \(3000000 bytes, SHA-256 [0-9a-f]{64}\)$/),
  });
  expect((entry.data as { names: string[] }).names.at(-1)).toBe("… and 4000 more");
});

test.each<[string, Json]>([
  [
    "many texts of some length",
    Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`k${n}`, "z".repeat(8_000)])),
  ],
  ["pairs of surrogates", `a${"\ud83d\ude00".repeat(2_000_000)}`],
  ["the bytes of an unreadable message", { bytes: Buffer.alloc(5_000_000).toString("base64") }],
])("it fits, and is what was hashed: %s", (_what, data) => {
  const { json, entry, leafHash: hash } = seal(data);
  expect(json.length).toBeLessThanOrEqual(MOST);
  expect(json).not.toMatch(/\\ud83d/i);
  expect(unseal(json)).toEqual(entry);
  expect(hash).toEqual(leafHash(Buffer.from(json)));
});
