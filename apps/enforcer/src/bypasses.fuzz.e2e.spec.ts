/** Statements of every sort, and the bypass list respelled and nested, through a whole enforcer and without it. */
import fc from "fast-check";
import { createUnderstander, type SqlContext, type TracedColumn, type Understander } from "#sql";
import { frames, valuesOf } from "../../../libs/protocols/src/postgres/wire.fixture.js";
import { FORBIDDEN, SHOWN } from "../../../libs/sql/src/bypasses/bypasses.fixture.js";
import { nested, respelled } from "../../../libs/sql/src/bypasses/respelled.fixture.js";
import { serverContext } from "../../../libs/sql/src/catalog.fixture.js";
import { MARKED_COLUMNS, statements } from "../../../libs/sql/src/statement.fixture.js";
import { target } from "../../../test/fuzz/target.js";
import {
  type Answer,
  type BypassWorld,
  bypassWorld,
  type Mode,
  NARROW,
  SHOWS,
  type Tapped,
  WIDE,
} from "./bypass-world.fixture.js";

const DENIED = "42501";
const TIMEOUT = "57014";
const PROBE = "create temp table probe (id int)";

let shop: BypassWorld;
let direct: Tapped;
let through: Tapped;
let sql: Understander;
let context: SqlContext;
beforeAll(async () => {
  shop = await bypassWorld();
  [direct, through] = await Promise.all([shop.around(), shop.through()]);
  context = await serverContext(direct.client);
  sql = createUnderstander();
}, 120_000);
afterAll(async () => {
  await sql?.close();
  await Promise.all([direct, through].map((tapped) => tapped?.client.end()));
  await shop?.drop();
});

/** Several statements in one text are no business of the extended protocol. */
const mode = fc.constantFrom<Mode>("simple", "extended", "binary");
const fitting = (text: string, wanted: Mode): Mode => (text.includes(";") ? "simple" : wanted);

/** It leaves nothing behind. @throws where there is no session to ask: what gets no answer has not been refused */
async function ask(by: Tapped, text: string, as: Mode): Promise<Answer> {
  expect((await by.run("begin; set local statement_timeout = '10s'", "simple")).code).toBe("");
  const answer = await by.run(text, fitting(text, as));
  await by.run("rollback", "simple");
  return answer;
}

describe("where what is labelled may be asked about, and not be shown", () => {
  target(
    "enforcer-statements",
    "no statement shows a labelled value, and what is not labelled arrives as it is",
    120,
    fc.asyncProperty(statements, mode, async (text, as) => {
      const [without, within] = [await ask(direct, text, as), await ask(through, text, as)];
      expect(within.bytes).not.toMatch(SHOWS);
      if (within.code === DENIED || [within.code, without.code].includes(TIMEOUT)) return;
      expect(within.code).toBe(without.code);
      const all = (await sql.understand(text, context)).statements;
      // A plan that was run says how long it took.
      if (all.some(({ kind }) => kind === "ExplainStmt")) return;
      const understood = all.flatMap(({ outputs }) => (outputs ? [outputs] : []));
      const [given, shown] = [rowsOf(without), rowsOf(within)];
      expect(shown.map(({ length }) => length)).toEqual(given.map(({ length }) => length));
      if (understood.length !== given.length) return;
      for (const [at, outputs] of understood.entries()) {
        for (const [column, output] of outputs.entries()) {
          if (clear(output)) expect(values(shown[at]!, column)).toEqual(values(given[at]!, column));
        }
      }
    }),
  );

  target(
    "enforcer-shown",
    "what shows a labelled value does not, however it is written and nested",
    120,
    fc.asyncProperty(
      fc.constantFrom(...SHOWN.filter(({ apart }) => apart)).chain(({ steps }) => nested(steps[0]!).chain(respelled)),
      mode,
      async (text, as) => {
        expect((await ask(through, text, as)).bytes).not.toMatch(SHOWS);
      },
    ),
  );
});

describe("where little is permitted", () => {
  beforeAll(() => shop.inForce(NARROW, PROBE, DENIED));
  afterAll(() => shop.inForce(WIDE, PROBE, ""));

  target(
    "enforcer-forbidden",
    "what is forbidden is not done, however it is written and nested",
    120,
    fc.asyncProperty(
      fc
        .constantFrom(...FORBIDDEN.filter(({ apart, values }) => apart && !values))
        .chain(({ steps }) => nested(steps[0]!).chain(respelled)),
      mode,
      async (text, as) => {
        const { code } = await ask(through, text, as);
        if (!through.stream.readable) through = await shop.through();
        // A cursor is only declared, and does what it does when it is read.
        if (!/^declare/i.test(text)) expect(code).not.toBe("");
      },
    ),
  );
});

// ---- what was received -----------------------------------------------------------------------------------------------

const clear = ({ leaks, sources }: TracedColumn) => !leaks && !sources.some(({ column }) => MARKED_COLUMNS.has(column));

type Row = readonly (Buffer | null)[];
const values = (rows: readonly Row[], column: number) => rows.map((row) => row[column]?.toString("hex") ?? null).sort();

/** The rows of each statement that gives some. */
function rowsOf({ bytes }: Answer): Row[][] {
  const results: Row[][] = [];
  for (const frame of frames(Buffer.from(bytes, "latin1"))) {
    const type = String.fromCharCode(frame[0]!);
    if (type === "T") results.push([]);
    if (type === "D") results.at(-1)?.push(valuesOf(frame));
  }
  return results;
}
