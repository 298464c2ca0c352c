/**
 * Holds the understanding against a real server on the scripts of a folder: whatever the server runs is understood or
 * denied with a reason, with the columns the server describes; nothing breaks the parser. What is denied and what differs
 * is printed, most frequent first.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import pg from "pg";
import { createUnderstander } from "#sql";
import { serverContext } from "../../libs/sql/src/catalog.fixture.js";
import { freshDatabase } from "../servers/postgres.js";
import { statementsOf } from "./statements.js";

const [folder = "", ...only] = process.argv.slice(2);
const read = (file: string) => statementsOf(readFileSync(join(folder, file), "utf8"));
const files = readdirSync(folder).filter(
  (file) =>
    file.endsWith(".sql") && file !== "test_setup.sql" && (only.length === 0 || only.includes(basename(file, ".sql"))),
);

const sql = createUnderstander();
const reasons = new Map<string, number>();
const differences: string[] = [];
let broken = 0;

const counted = (counts: Record<string, unknown>) =>
  Object.values(counts)
    .map((value) => String(value).padStart(10))
    .join("");
console.log("file".padEnd(28) + counted({ a: "sent", b: "run", c: "understood", d: "denied", e: "differ" }));
for (const file of files) console.log(basename(file, ".sql").padEnd(28) + counted(await held(file)));
console.log("\nwhy what the server runs is denied:");
for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 25))
  console.log(`${String(count).padStart(6)}  ${reason}`);
if (differences.length > 0) console.log(`\nother columns than the server's:\n${differences.slice(0, 25).join("\n")}`);

await sql.close();
process.exit(broken > 0 ? 1 : 0);

async function held(file: string) {
  const database = await freshDatabase();
  const [client, beside] = [
    new pg.Client({ connectionString: database.url }),
    new pg.Client({ connectionString: database.url }),
  ];
  for (const each of [client, beside]) each.on("error", () => {});
  await Promise.all([client.connect(), beside.connect()]);
  const send = (text: string) => client.query({ text, rowMode: "array" }).catch(() => null);
  await send("set statement_timeout = '5s'; set lock_timeout = '1s'");
  for (const text of read("test_setup.sql")) await send(text);
  let context = await serverContext(beside);
  let stale = false;
  const counts = { sent: 0, run: 0, understood: 0, denied: 0, differ: 0 };
  for (const text of read(file)) {
    if (stale) context = await serverContext(beside);
    const { statements, problems } = await sql.understand(text, context);
    stale = statements.some(({ session }) => session.some(({ kind }) => kind === "changesCatalog"));
    const answer = await send(text);
    counts.sent++;
    if (problems.some((problem) => problem.includes("breaks the parser"))) broken++;
    if (!answer) continue;
    counts.run++;
    if (problems.length > 0) {
      counts.denied++;
      const reason = problems[0]!.replace(/"[^"]*"|\d+/g, "…");
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      continue;
    }
    counts.understood++;
    const outputs = statements[0]?.outputs?.map(({ name }) => name) ?? [];
    const fields = (answer as pg.QueryArrayResult).fields?.map(({ name }) => name) ?? [];
    // Where a column is not known, any of them could be; an EXECUTE and a FETCH give what they name.
    if (outputs.includes("*") || statements[0]?.session.some(({ kind }) => kind === "executes" || kind === "fetches"))
      continue;
    if (JSON.stringify(outputs) === JSON.stringify(fields)) continue;
    counts.differ++;
    differences.push(`${basename(file)}: ${text.slice(0, 160).replace(/\s+/g, " ")}\n    ${outputs} / ${fields}`);
  }
  await Promise.all([client.end(), beside.end()]);
  await database.drop();
  return counts;
}
