import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createUnderstander, type StatementFacts } from "#sql";
import { FORBIDDEN, ORDINARY, SHOWN, STORED } from "../../libs/sql/src/bypasses/bypasses.fixture.js";
import { CORPUS, CORPUS_17, CORPUS_18 } from "../../libs/sql/src/corpus.fixture.js";
import { SHOP_CONTEXT } from "../../libs/sql/src/shop.fixture.js";
import { actionOf } from "../../libs/sql/src/statements.js";
import type { Row } from "./table.js";

/** Kinds that neither the corpus nor the bypass list has. */
const RARE = `
call json_each('{}')
alter collation "C" refresh version
alter domain mail drop not null
drop tablespace space
alter tablespace space set (seq_page_cost = 2)
alter extension hstore add function app.shout(text)
alter foreign data wrapper nothing options (a 'b')
alter server abroad options (set a 'b')
alter user mapping for current_user server abroad options (set a 'b')
drop user mapping for current_user server abroad
create access method heap3 type table handler heap_tableam_handler
alter event trigger watching disable
create sequence numbers
create operator family ops using btree
alter operator family ops using btree add operator 1 < (int, text)
alter statistics stats set statistics 10
alter function app.shout(text) depends on extension hstore
alter operator < (int, int) set (restrict = none)
alter type app.pair set (receive = none)
create type pair3 as (a int, b text)
create type mood3 as enum ('sad')
create type span3 as range (subtype = int)
alter database shop with connection limit 3
alter database shop refresh collation version
create transform for int language sql (from sql with function f(internal))
alter text search configuration english add mapping for word with simple
alter publication feed add table customers
alter subscription feed disable
drop subscription feed
`
  .trim()
  .split("\n");

const TEXTS = [
  ...CORPUS,
  ...CORPUS_17,
  ...CORPUS_18,
  ...[...FORBIDDEN, ...ORDINARY, ...SHOWN, ...STORED].flatMap(({ steps }) => steps),
  ...RARE,
];

/** Every kind the parser can give, by its own declarations. */
function kindsOfTheParser(): string[] {
  const declarations = createRequire(import.meta.url)
    .resolve("libpg-query")
    .replace(/libpg-query.*/, "@pgsql/types/types.d.ts");
  const found = [...readFileSync(declarations, "utf8").matchAll(/^ {4}(\w+Stmt): \w+;$/gm)].map(([, kind]) => kind!);
  return [...new Set(found)].sort();
}

/** What the understanding makes of every text there is, by kind. */
export async function statementRows(): Promise<Row[]> {
  const sql = createUnderstander();
  const seen = new Map<string, StatementFacts[]>();
  try {
    for (const text of TEXTS) {
      for (const statement of (await sql.understand(text, SHOP_CONTEXT)).statements) {
        seen.set(statement.kind, [...(seen.get(statement.kind) ?? []), statement]);
      }
    }
  } finally {
    await sql.close();
  }
  return kindsOfTheParser().map((kind) => row(kind, seen.get(kind)));
}

function row(kind: string, examples: readonly StatementFacts[] | undefined): Row {
  if (!examples) return { kind, ...unknown(kind) };
  const actions = [...new Set(examples.map(({ operations }) => operations[0]!.action))].sort();
  const besides = examples.some(({ operations }) => operations.length > 1);
  return {
    kind,
    understood: parts(examples).join(", "),
    decided: actions.map((action) => `\`${action}\``).join(", ") + (besides ? ", and what else it does" : ""),
    masked: shown(examples).join(", ") || "passed: it gives nothing but its tag",
    recorded: "before it runs, and its end",
  };
}

/** @throws where the kind is understood, and no text shows how. */
function unknown(kind: string): Omit<Row, "kind"> {
  try {
    actionOf({ [kind]: {} } as never);
  } catch (error) {
    const denied = `denied: ${(error as Error).message}`;
    return {
      understood: denied,
      decided: denied,
      masked: "passed: it does not run",
      recorded: "that it was refused, and why",
    };
  }
  throw new Error(`no text has a ${kind}: add one to RARE`);
}

const any = <Of>(of: readonly Of[], has: (one: Of) => boolean) => of.some(has);

function parts(examples: readonly StatementFacts[]): string[] {
  const operations = examples.flatMap((statement) => statement.operations);
  const named = [
    any(operations, ({ tablesRead, columnsRead }) => tablesRead.length + columnsRead.length > 0) && "reads",
    any(operations, ({ tablesWritten }) => tablesWritten.length > 0) && "writes",
    any(operations, ({ bounded }) => !bounded) && "bounds",
    any(operations, ({ functions }) => functions.length > 0) && "functions",
    any(examples, ({ uses }) => any(uses, ({ action }) => action !== "copy")) && "what values decide",
    any(examples, ({ stores }) => stores.length > 0) && "what is stored where",
    any(examples, ({ session }) => any(session, ({ kind }) => kind !== "changesCatalog")) && "the session's state",
    any(examples, ({ session }) => any(session, ({ kind }) => kind === "changesCatalog")) && "the schema's change",
  ].filter((part) => part !== false);
  return named.length > 0 ? named : ["its kind"];
}

function shown(examples: readonly StatementFacts[]): string[] {
  const session = examples.flatMap((statement) => statement.session.map(({ kind }) => kind));
  return [
    any(examples, ({ outputs }) => outputs !== null) && "its rows, by lineage",
    any(examples, ({ bulk }) => bulk !== null) && "its COPY data, by lineage",
    session.includes("declares") && "what is fetched from it, by lineage",
    session.includes("fetches") && "as its cursor's query",
    session.includes("executes") && "as the statement it names",
  ].filter((part) => part !== false);
}
