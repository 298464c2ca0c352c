/**
 * What is hidden may not be asked about: each listed way to read a labelled value by what it decides works on the server,
 * and is refused by an enforcer whose policy only lets masked values be shown.
 */
import type pg from "pg";
import type { edgeV1 } from "#contracts";
import type { Asked } from "../../../libs/sql/src/bypasses/bypass.fixture.js";
import { ARRANGED, ASKED, NOT_ASKED } from "../../../libs/sql/src/bypasses/bypasses.fixture.js";
import { MARK } from "../../../libs/sql/src/bypasses/marked-shop.fixture.js";
import { type BypassWorld, bypassWorld, type Mode, SHOWS, STRICT, type Tapped } from "./bypass-world.fixture.js";
import { extract, ORACLES } from "./oracles.fixture.js";

const PATIENCE = 300_000;
const DENIED = "42501";
/** It runs, or fails on the data, as some are made to. */
const RUNS = /^$|^2[23]/;
const PATTERN = "select 1 from customers where email like 'a'";
const EQUALITY = "select 1 from customers where email = 'a'";

let shop: BypassWorld;
let direct: Tapped;
beforeAll(async () => {
  shop = await bypassWorld();
  await shop.inForce(STRICT, PATTERN, DENIED);
  direct = await shop.around();
}, 120_000);
afterAll(async () => {
  await direct?.client.end();
  await shop?.drop();
});

const and = (text: string) => ({ name: "more", text: `${STRICT.text} ${text}` });

async function apart(by: Tapped, text: string, mode: Mode) {
  await by.run("begin", "simple");
  const answer = await by.run(text, mode);
  await by.run("rollback", "simple");
  return answer;
}

/** Those that are not answered so, all of them tried. */
async function others(cases: readonly Asked[], by: Tapped, mode: Mode, expected: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const { steps } of cases) {
    const [text = ""] = steps;
    // Several statements in one text are no business of the extended protocol.
    const { code, message } = await apart(by, text, text.includes(";") ? "simple" : mode);
    if (!expected.test(code)) found.push(`${text}: ${code} ${message}`);
  }
  return found;
}

test(
  "every listed way works without the enforcer",
  async () => {
    expect(ASKED.length).toBeGreaterThan(150);
    expect(await others([...ASKED, ...NOT_ASKED], direct, "simple", RUNS)).toEqual([]);
  },
  PATIENCE,
);

test.each<Mode>(["simple", "extended"])(
  "none runs through it, %s",
  async (mode) => {
    const through = await shop.through();
    expect(await others(ASKED, through, mode, /^42501$/)).toEqual([]);
    await through.client.end();
  },
  PATIENCE,
);

test("what only passes into masked outputs runs", async () => {
  const through = await shop.through();
  expect(await others(NOT_ASKED, through, "simple", /^$/)).toEqual([]);
  for (const { steps } of NOT_ASKED) expect((await apart(through, steps[0]!, "simple")).bytes).not.toMatch(SHOWS);
  await through.client.end();
});

test.each(ORACLES)(
  "letter by letter, by $name",
  async ({ ask, isYes }) => {
    const [{ email }] = (await shop.world.direct("select email from customers where id = 3")).rows;
    const read = (by: Tapped) =>
      extract(async (prefix) => {
        await by.run("begin", "simple");
        const answer = await by.rows(ask(prefix));
        await by.run("rollback", "simple");
        return isYes(answer);
      }, email.length);
    expect(await read(direct)).toBe(email);
    const through = await shop.through();
    expect(await read(through)).toBe("");
    expect((await through.rows(ask("a"))).code).toBe(DENIED);
    await through.client.end();
  },
  PATIENCE,
);

test.each(ARRANGED)("the order the server works in, by $why", async ({ sets, ask, since = 0 }) => {
  const [{ major }] = (await shop.world.direct("select current_setting('server_version_num')::int / 10000 as major"))
    .rows;
  if (major < since) return;
  const answer = async (by: Tapped, mail: string) => {
    await by.run("begin", "simple");
    await by.run(`insert into customers (id, name, email) values (100, 'own', '${mail}')`, "simple");
    const { code, rows } = await by.rows(ask);
    await by.run("rollback", "simple");
    return { code, rows };
  };
  const [direct, through] = await Promise.all([shop.around(), shop.through()]);
  for (const set of sets) {
    expect(await direct.run(set, "simple")).toMatchObject({ code: "" });
    expect(await through.run(set, "simple")).toMatchObject({ code: DENIED });
  }
  expect(await answer(direct, "a")).not.toEqual(await answer(direct, "zzz"));
  expect(await answer(through, "a")).toEqual(await answer(through, "zzz"));
  await Promise.all([direct.client.end(), through.client.end()]);
});

test("how COPY writes NULL answers no guess", async () => {
  const through = await shop.through();
  const [right, wrong] = [`${MARK}m`, `${MARK}n`];
  const told = async (by: Tapped, guess: string) => {
    const sql = `copy (select left(email, ${guess.length}) from customers where id = 3) to stdout (null '${guess}')`;
    const { code, bytes } = await by.run(sql, "simple");
    return { code, shown: bytes.replaceAll(guess, "NULL") };
  };
  expect((await told(direct, right)).shown).not.toEqual((await told(direct, wrong)).shown);
  expect(await told(through, right)).toEqual(await told(through, wrong));
  await through.client.end();
});

test("a refusal names the label, the column, the clause and the way out, and is recorded so", async () => {
  const through = await shop.through();
  const sql = "select id from customers where email like 'named%'";
  const error = await through.client.query(sql).catch((refused: pg.DatabaseError) => refused);
  await through.client.end();
  expect(error).toMatchObject({
    code: DENIED,
    message: expect.stringMatching(
      /filter on label pii\.customers\.email \(public\.customers\.email, pattern\).*by LIKE in WHERE/,
    ),
    hint: expect.stringContaining('when { context.use == "pattern" }'),
  });
  const of = ({ command }: edgeV1.CommandRefused) => command?.statement === sql;
  const [refused] = await shop.world.control.recorded("commandRefused", 1, of);
  expect(refused!.command!.labelUses).toMatchObject([
    {
      action: "filter",
      label: "pii.customers.email",
      column: "public.customers.email",
      use: "pattern",
      permitted: false,
    },
  ]);
});

test("an equality that is permitted finds the row, and nothing else is asked", async () => {
  await shop.inForce(
    and('permit (principal, action == Action::"filter", resource) when { context.use == "equality" };'),
    EQUALITY,
    "",
  );
  const through = await shop.through();
  const find = {
    text: "select id, email from customers where lower(email) = lower($1)",
    values: [`${MARK}MAIL2@x.org`],
  };
  expect((await through.client.query(find)).rows).toEqual([{ id: 2, email: "[redacted]" }]);
  const more = ASKED.filter(({ uses }) => uses.some((use) => !/^filter (equality|presence)/.test(use)));
  expect(await others(more, through, "simple", /^42501$/)).toEqual([]);
  await through.client.end();
  const of = ({ command }: edgeV1.CommandStarted) => command?.statement === find.text;
  const [started] = await shop.world.control.recorded("commandStarted", 1, of);
  expect(started!.command!.labelUses).toMatchObject([{ use: "equality", permitted: true }]);
  await shop.inForce(STRICT, EQUALITY, DENIED);
});

test("a copy that is permitted goes where it may, and nowhere else", async () => {
  const copies = "begin; insert into log (what) select email from customers; rollback";
  await shop.inForce(
    and('permit (principal, action == Action::"copy", resource) when { context.target == "public.log.what" };'),
    copies,
    "",
  );
  const through = await shop.through();
  for (const sql of ["update customers set city = email where id = 1", "do $$ begin execute ''; end $$"])
    expect(await apart(through, sql, "simple")).toMatchObject({ code: DENIED });
  await through.client.end();
  await shop.inForce(STRICT, copies, DENIED);
});
