import fc from "fast-check";
import pg from "pg";
import { target } from "../../../test/fuzz/target.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { single } from "./bypasses/bypass.fixture.js";
import { ASKED, FORBIDDEN, ORDINARY, SHOWN, STORED } from "./bypasses/bypasses.fixture.js";
import { MARKED_SHOP_SQL } from "./bypasses/marked-shop.fixture.js";
import { GIVES_ROWS, nested, respelled } from "./bypasses/respelled.fixture.js";
import { serverContext } from "./catalog.fixture.js";
import type { SqlContext } from "./catalog.js";
import { MARKED_COLUMNS } from "./statement.fixture.js";
import { createUnderstander, type Understander } from "./understander.js";
import type { Understanding } from "./understanding.js";

let database: FreshDatabase;
let context: SqlContext;
let sql: Understander;
beforeAll(async () => {
  database = await freshDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(MARKED_SHOP_SQL);
  context = await serverContext(client);
  await client.end();
  sql = createUnderstander();
});
afterAll(async () => {
  await sql?.close();
  await database?.drop();
});

/** All that decides of a text, without its spelling. */
const facts = ({ statements, problems }: Understanding) => ({
  problems: problems.length,
  statements: statements.map(({ operations, uses, outputs, bulk, stores }) => ({
    operations,
    uses,
    outputs,
    bulk,
    stores,
  })),
});

const every = single([...FORBIDDEN, ...SHOWN, ...STORED, ...ASKED, ...ORDINARY]);
target(
  "bypasses-respelled",
  "other case, spaces, comments and quotes change nothing of what a text does",
  400,
  fc.asyncProperty(
    fc.constantFrom(...every).chain(({ text }) => fc.tuple(fc.constant(text), respelled(text))),
    async ([text, spelled]) => {
      expect(facts(await sql.understand(spelled, context))).toEqual(facts(await sql.understand(text, context)));
    },
  ),
);

target(
  "bypasses-nested",
  "what is forbidden is so inside another statement",
  300,
  fc.asyncProperty(
    fc
      .constantFrom(...single(FORBIDDEN).filter((way) => !way.notUnderstood))
      .chain((way) => fc.tuple(fc.constant(way), nested(way.text).chain(respelled))),
    async ([{ does, unbounded }, text]) => {
      const { operations, statements, problems } = await sql.understand(text, context);
      if (problems.length > 0) return;
      const declared = statements.flatMap(({ session }) =>
        session.flatMap((effect) => (effect.kind === "declares" ? effect.operations : [])),
      );
      const done = [...operations, ...declared];
      expect(done.map(({ action }) => action)).toEqual(expect.arrayContaining([...does]));
      if (unbounded) expect(done.some(({ bounded }) => !bounded)).toBe(true);
    },
  ),
);

target(
  "bypasses-shown",
  "what shows a labelled value shows it inside another statement",
  300,
  fc.asyncProperty(
    fc
      .constantFrom(
        ...single(SHOWN).filter(({ apart, masked, text }) => apart && masked.length > 0 && GIVES_ROWS.test(text)),
      )
      .chain((way) => nested(way.text).chain(respelled)),
    async (text) => {
      const { statements, problems } = await sql.understand(text, context);
      if (problems.length > 0) return;
      const shown = statements.flatMap(({ outputs, bulk, session }) => [
        ...(outputs ?? []),
        ...(bulk ?? []),
        ...session.flatMap((effect) => (effect.kind === "declares" ? effect.outputs : [])),
      ]);
      const labelled = shown.some(
        ({ leaks, sources }) =>
          leaks || sources.some(({ column }) => column === "iban" || column === "back" || MARKED_COLUMNS.has(column)),
      );
      expect(labelled).toBe(true);
    },
  ),
);
