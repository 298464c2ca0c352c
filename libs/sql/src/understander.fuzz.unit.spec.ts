import fc from "fast-check";
import { target } from "../../../test/fuzz/target.js";
import { FORBIDDEN, ORDINARY, SHOWN } from "./bypasses/bypasses.fixture.js";
import { CORPUS } from "./corpus.fixture.js";
import { SHOP_CONTEXT } from "./shop.fixture.js";
import { statements } from "./statement.fixture.js";
import { createUnderstander, type Understander } from "./understander.js";

const KNOWN = [...CORPUS, ...[...FORBIDDEN, ...SHOWN, ...ORDINARY].flatMap(({ steps }) => steps)];
const WORDS = [
  "select",
  "(",
  ")",
  ";",
  ",",
  "'",
  '"',
  "$$",
  "/*",
  "--",
  "from",
  "with",
  "x",
  "\\",
  "U&",
  "::",
  "*",
  "\n",
];

type Change = (text: string, other: string) => string;
const place = fc.nat(3000);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(place, fc.constantFrom(...WORDS), fc.nat(8)).map(
    ([at, word, length]): Change =>
      (text) =>
        spliced(text, at, length, word),
  ),
  fc.tuple(place, place, fc.nat(30)).map(
    ([at, from, length]): Change =>
      (text, other) =>
        spliced(text, at, 0, other.slice(from % (other.length + 1), (from % (other.length + 1)) + length)),
  ),
  fc.tuple(place, fc.nat(20)).map(
    ([at, length]): Change =>
      (text) =>
        spliced(text, at, length, ""),
  ),
);
const spliced = (text: string, at: number, length: number, put: string) => {
  const from = at % (text.length + 1);
  return text.slice(0, from) + put + text.slice(from + length);
};

/** A known text with pieces of it, and of another, moved about. */
const mangled = fc
  .tuple(fc.constantFrom(...KNOWN), fc.constantFrom(...KNOWN), fc.array(change, { maxLength: 4 }))
  .map(([text, other, changes]) => changes.reduce((changed, change) => change(changed, other), text));

/** What is nested, long or many, to see an end of it. */
const heavy = fc
  .tuple(
    fc.constantFrom(
      (n: number) => `select ${"(".repeat(n)}1${")".repeat(n)}`,
      (n: number) => `select ${"1+".repeat(n)}1`,
      (n: number) => `select ${"-".repeat(n)} 1`,
      (n: number) => `select 1 where ${"not ".repeat(n)}true`,
      (n: number) => `select 1 where email in (${"'x',".repeat(n)}'y')`,
      (n: number) => `select ${"a,".repeat(n)}b from customers`,
      (n: number) => `select ${"(select ".repeat(n)}email from customers${")".repeat(n)}`,
      (n: number) => `select * from ${"(select * from ".repeat(n)}customers${") s".repeat(n)}`,
      (n: number) => `${"select 1;".repeat(n)}`,
      (n: number) =>
        `with ${Array.from({ length: n }, (_, i) => `w${i + 1} as (select * from ${i ? `w${i}` : "customers"} a, ${i ? `w${i}` : "customers"} b)`)} select 1`,
      (n: number) => `select email${"||email".repeat(n)} from customers`,
      (n: number) => `select ${"case when true then ".repeat(n)}1${" end".repeat(n)}`,
      (n: number) => `select 1${" union select 1".repeat(n)}`,
      (n: number) => `select * from customers c${" join customers using (id)".repeat(n)}`,
      (n: number) => `select '${"{".repeat(n)}'::int[]`,
      (n: number) => `/*${"/*".repeat(n)}${"*/".repeat(n)}*/ select 1`,
    ),
    fc.oneof({ weight: 8, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(20_000) }),
  )
  .map(([write, n]) => write(n + 1));

let sql: Understander;
let again: Understander;
beforeAll(() => {
  // Neither remembers.
  sql = createUnderstander({ cacheBytes: 0 });
  again = createUnderstander({ cacheBytes: 0 });
});
afterAll(() => Promise.all([sql.close(), again.close()]));

/** Texts of nothing but comments, semicolons and blanks hold no statement, as the server sees it. */
const empty = (text: string) => /^(\s|;|--[^\n\r]*(?=[\n\r]|$)|\/\*[\s\S]*\*\/)*$/.test(text);

target(
  "understanding",
  "whatever the text, there is an answer, it is the same again, and nothing in it is passed over in silence",
  250,
  fc.asyncProperty(
    fc.oneof(
      { weight: 6, arbitrary: mangled },
      { weight: 3, arbitrary: statements },
      { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
      { weight: 1, arbitrary: heavy },
    ),
    async (text) => {
      const understanding = await sql.understand(text, SHOP_CONTEXT);
      expect(await again.understand(text, SHOP_CONTEXT)).toEqual(understanding);
      const { statements, problems, operations } = understanding;
      // A statement without an operation would pass undecided.
      for (const statement of statements) expect(statement.operations.length).toBeGreaterThan(0);
      expect(operations).toEqual(statements.flatMap((statement) => statement.operations));
      if (statements.length + problems.length === 0) expect(empty(text)).toBe(true);
    },
  ),
);

target(
  "understanding-two",
  "two statements in one text do what each of them does",
  60,
  fc.asyncProperty(statements, statements, async (one, two) => {
    const actions = async (text: string) => {
      const { operations, problems, statements } = await sql.understand(text, SHOP_CONTEXT);
      return { actions: operations.map(({ action }) => action), problems, statements };
    };
    const [first, second] = [await actions(one), await actions(two)];
    // What names mean to the second is another thing then.
    fc.pre(!first.statements.some(({ session }) => session.some(({ kind }) => kind === "unsettles")));
    const { actions: both } = await actions(`${one};\n${two}`);
    expect(both).toEqual([...first.actions, ...second.actions]);
  }),
);

target(
  "understanding-after",
  "what breaks the parser or wears it out costs the text that did it, never the next",
  20,
  fc.asyncProperty(heavy, async (text) => {
    await sql.understand(text, SHOP_CONTEXT);
    const { problems, operations } = await sql.understand("select id from orders", SHOP_CONTEXT);
    expect(problems).toEqual([]);
    expect(operations).toMatchObject([{ action: "sql:select" }]);
  }),
);
