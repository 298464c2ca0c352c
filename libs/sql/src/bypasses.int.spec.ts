import pg from "pg";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { single } from "./bypasses/bypass.fixture.js";
import { ASKED, FORBIDDEN, NOT_ASKED, ORDINARY, SHOWN, STORED } from "./bypasses/bypasses.fixture.js";
import { MARKED_SHOP_SQL } from "./bypasses/marked-shop.fixture.js";
import { serverContext } from "./catalog.fixture.js";
import type { SqlContext } from "./catalog.js";
import { settingEffect } from "./settings.js";
import { createUnderstander, type Understander } from "./understander.js";
import type { TracedColumn, Understanding } from "./understanding.js";

/** What of the bypass list can be told of a single text before it runs. The enforcer's tests run all of it. */

const LABELLED = new Set([
  "public.customers.email",
  "public.customers.phone",
  "public.customers.card",
  "public.events.email",
  "public.people.ssn",
  "public.badges.ssn",
  "public.stamped_badges.ssn",
  "public.excluded_mail.mail",
  "public.folded_mails.mail",
  "public.accounts.iban",
  "public.transfers.iban",
  "public.transfers.back",
]);

const labelled = ({ leaks, sources }: TracedColumn): boolean =>
  leaks || sources.some((s) => s.column === "*" || LABELLED.has(`${s.schema}.${s.table}.${s.column}`));

function shown({ statements }: Understanding): readonly TracedColumn[] {
  return statements.flatMap((statement) => {
    const declared = statement.session.flatMap((effect) => (effect.kind === "declares" ? effect.outputs : []));
    return [...(statement.outputs ?? []), ...(statement.bulk ?? []), ...declared];
  });
}

/** What the server itself says it plans by, and anybody may set. */
const PLANNING =
  "select name from pg_settings where category like 'Query Tuning%' and context = 'user' and name not like 'jit%'";

let planning: readonly string[];
let database: FreshDatabase;
let context: SqlContext;
let contextOfOther: SqlContext;
let sql: Understander;
beforeAll(async () => {
  database = await freshDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(MARKED_SHOP_SQL);
  context = await serverContext(client);
  await client.query("set role shop_other; set search_path = app, public");
  contextOfOther = await serverContext(client);
  await client.query("reset role; reset search_path");
  planning = (await client.query(PLANNING)).rows.map(({ name }) => name);
  await client.end();
  sql = createUnderstander();
});
afterAll(async () => {
  await sql?.close();
  await database?.drop();
});
const understand = (text: string) => sql.understand(text, context);

test("a schema that the role may not use is passed over, as the server does", async () => {
  const mails = "select lower(email) from customers";
  const by = async (of: SqlContext) => (await sql.understand(mails, of)).operations.flatMap((each) => each.tablesRead);
  expect(await by({ ...context, searchPath: contextOfOther.searchPath })).toEqual(["app.customers"]);
  expect(await by(contextOfOther)).toEqual(["public.customers"]);
});

test("every setting the server plans by is known for one", () => {
  expect(planning.length).toBeGreaterThan(40);
  expect(
    planning.filter((name) => settingEffect(name, ["x"]).action === "sql:session" && !settingEffect(name, ["x"]).plans),
  ).toEqual([]);
});

test.each(single(FORBIDDEN))("$why", async ({ text, does, unbounded, notUnderstood }) => {
  const { operations, problems } = await understand(text);
  if (notUnderstood) return expect(problems).not.toEqual([]);
  expect(problems).toEqual([]);
  expect(operations.map(({ action }) => action)).toEqual(expect.arrayContaining([...does]));
  if (unbounded) expect(operations.some(({ bounded }) => !bounded)).toBe(true);
});

test.each(single(SHOWN).filter(({ apart }) => apart))("$why", async ({ text, masked, clear = [] }) => {
  const understanding = await understand(text);
  expect(understanding.problems).toEqual([]);
  const outputs = shown(understanding);
  // What gives no rows shows what it does in its texts.
  if (outputs.length === 0) return;
  for (const i of masked) expect({ i, masked: outputs[i] && labelled(outputs[i]) }).toEqual({ i, masked: true });
  for (const i of clear) expect({ i, masked: outputs[i] && labelled(outputs[i]) }).toEqual({ i, masked: false });
});

test.each(single(STORED))("$why", async ({ text, stores }) => {
  const { statements, problems } = await understand(text);
  expect(problems).toEqual([]);
  const labels = statements.flatMap((s) => s.stores.filter(labelled).map((stored) => stored.target));
  expect([...new Set(labels)].sort()).toEqual([...stores].sort());
});

test.each(single(ORDINARY).filter(({ apart }) => apart))("$why", async ({ text, does }) => {
  const understanding = await understand(text);
  expect(understanding.problems).toEqual([]);
  const actions = new Set(understanding.operations.map((operation) => operation.action));
  expect([...actions].sort()).toEqual([...does].sort());
  expect(understanding.operations.filter((operation) => !operation.bounded)).toEqual([]);
});

test.each([...ASKED, ...NOT_ASKED])("$why", async ({ steps, uses }) => {
  const understanding = await understand(steps[0]!);
  expect(understanding.problems).toEqual([]);
  const found = understanding.uses.flatMap(({ column, ...use }) => {
    const name = column ? `${column.schema}.${column.table}.${column.column}` : "*";
    if (use.action === "copy" || (column && !LABELLED.has(name))) return [];
    return [`${use.action} ${use.use} ${name}`];
  });
  expect([...new Set(found)].sort()).toEqual([...uses].sort());
});
