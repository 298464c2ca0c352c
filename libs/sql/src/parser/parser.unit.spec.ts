import fc from "fast-check";
import { CORPUS } from "../corpus.fixture.js";
import { type ParseAnswer, Parser } from "./parser.js";

const LIMITS = { timeLimitMs: 5_000, maxNodes: 100_000, maxDepth: 1_000 };

/** One for all: whatever a text does to it, the tests behind it find out too. */
let sql: Parser;
beforeAll(() => {
  sql = new Parser(LIMITS);
});
afterAll(() => sql.close());
/** It goes the way of long texts. */
const LONG = `select 1 -- ${"x".repeat(17_000)}`;
const answers = (answer: ParseAnswer) => (answer.kind === "parsed" ? (answer.tree.stmts?.length ?? 0) : answer.reason);

test("a text gives its tree and fingerprint", async () => {
  const one = await sql.parse("select a from b where c = 1");
  const other = await sql.parse("SELECT  a\nFROM b -- x\nWHERE c = 42");
  expect(one).toMatchObject({ kind: "parsed", tree: { stmts: [{ stmt: { SelectStmt: {} } }] } });
  expect(other.kind === "parsed" && one.kind === "parsed" && other.fingerprint === one.fingerprint).toBe(true);
});

test("a comment is as good as a blank, where the grammar looks ahead too", async () => {
  for (const text of [
    "select 1 from t where a not/* '' */like 'x'",
    "select 1 from t where a not -- é\n in (1) and b not /* */ between 'é' and 'x'",
    "select a from t order by a nulls/**/first",
    'select u&"a"/**/from t',
    `select u&"!0061" uescape /**/'!' from t`,
    "with/* */ordinality as (select 1) select 1",
  ]) {
    const blank = text.replace(/\/\*.*?\*\/|--[^\n]*/g, (comment) => " ".repeat(Buffer.byteLength(comment)));
    const given = await sql.parse(text);
    expect(given.kind).toBe("parsed");
    expect(given).toEqual(await sql.parse(blank));
  }
});

test("a comment that is none is left alone", async () => {
  const text = `select 'not/**/', "not/**/", $$not -- $$ from t where a not/**/like '--'`;
  expect(JSON.stringify(await sql.parse(text))).toMatch(/"not\/\*\*\/".*not\/\*\*\/.*not -- /);
  for (const broken of [
    "select not/**/from",
    "select 1 not /* like",
    "select a not/**/like 'x",
    "select not/**/like 1x",
  ]) {
    expect(await sql.parse(broken)).toMatchObject({ kind: "refused", reason: expect.not.stringContaining("breaks") });
  }
  expect(answers(await sql.parse("select 1"))).toBe(1);
});

test("answers come in the order of the texts", async () => {
  const given = await Promise.all(["select 1", "nonsense", "select 1; select 2", ""].map((text) => sql.parse(text)));
  expect(given.map(answers)).toEqual([1, 'syntax error at or near "nonsense"', 2, 0]);
});

test.each([
  ["a zero byte", "select 1\0; drop table x"],
  ["half a surrogate pair", "select '\ud800'"],
  ["an unclosed quote", "select 'x"],
  ["an unclosed comment", "select 1 /*"],
])("%s is refused", async (_, text) => {
  expect(await sql.parse(text)).toMatchObject({ kind: "refused" });
  expect(answers(await sql.parse("select 1"))).toBe(1);
});

test.each([
  ["1+1+…", `select ${"1+".repeat(20_000)}1`],
  ["parentheses", `select ${"(".repeat(20_000)}1${")".repeat(20_000)}`],
  ["subqueries", `${"select (".repeat(3_000)}select 1${")".repeat(3_000)}`],
  ["NOT", `select ${"not ".repeat(30_000)}true`],
  ["arrays", `select ${"array[".repeat(5_000)}1${"]".repeat(5_000)}`],
  ["a list", `select 1 where 1 in (${"a,".repeat(60_000)}1)`],
  ["casts", `select 1${"::int".repeat(20_000)}`],
])("too much of %s is refused, and harms no later text", async (_, text) => {
  expect(await sql.parse(text)).toMatchObject({ kind: "refused" });
  expect(answers(await sql.parse(LONG))).toBe(1);
});

test("a text at which libpg-query runs out of memory costs that its thread; the next text has another", async () => {
  const patient = new Parser({ ...LIMITS, timeLimitMs: 60_000 });
  const bomb = `select 1${"+1".repeat(400_000)}`;
  for (let round = 0; round < 2; round++) {
    expect(await patient.parse(bomb)).toMatchObject({ kind: "refused", reason: expect.stringContaining("breaks") });
    expect(answers(await patient.parse(LONG))).toBe(1);
  }
  await patient.close();
});

test("a huge but flat text is parsed", async () => {
  expect(answers(await sql.parse(`select 1 where 1 in (${"1,".repeat(10_000)}1)`))).toBe(1);
});

test("a text that takes too long costs its worker, not the next text", async () => {
  const hasty = new Parser({ ...LIMITS, timeLimitMs: 1 });
  // Whether a millisecond is enough is the machine's affair: either way there is an answer, and the next text has one.
  const slow = await hasty.parse(`select 1 where 1 in (${"1,".repeat(40_000)}1)`);
  expect(["parsed", "refused"]).toContain(slow.kind);
  expect(["parsed", "refused"]).toContain((await hasty.parse("select 1")).kind);
  await hasty.close();
});

test("a closed parser refuses", async () => {
  const closing = new Parser(LIMITS);
  const under = closing.parse("select 1");
  await closing.close();
  expect(await under).toMatchObject({ kind: "refused" });
  expect(await closing.parse("select 1")).toMatchObject({ kind: "refused", reason: "the parser is closed" });
});

test("any text gets an answer", async () => {
  const changed = fc
    .tuple(fc.constantFrom(...CORPUS), fc.nat(), fc.nat(12), fc.string({ maxLength: 6, unit: "binary" }))
    .map(([text, at, length, put]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + put + text.slice(start + length);
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: "binary" }), changed), async (text) => {
      const answer = await sql.parse(text);
      expect(["parsed", "refused"]).toContain(answer.kind);
    }),
    { numRuns: 500 },
  );
  expect(answers(await sql.parse("select 1"))).toBe(1);
});
