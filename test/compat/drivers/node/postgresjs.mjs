// postgres.js: pipelined prepared statements, types asked of the catalog, cursors, COPY, listen.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgres from "postgres";

const say = (...what) =>
  console.log(JSON.stringify(what, (_key, value) => (typeof value === "bigint" ? String(value) : value)));
const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLROOTCERT } = process.env;
const sql = postgres({
  host: PGHOST,
  port: +PGPORT,
  user: PGUSER,
  password: PGPASSWORD,
  database: PGDATABASE,
  max: 4,
  ssl: PGSSLROOTCERT ? { ca: readFileSync(PGSSLROOTCERT, "utf8"), host: PGHOST } : false,
  onnotice: ({ severity, message }) => say("notice", severity, message),
});

say(await sql`select * from every_type where i4 = ${2147483647}`);
say(await Promise.all(Array.from({ length: 60 }, (_, i) => sql`select ${i}::int as i, ${`t${i}`} as t`)));
say(
  (await sql`select id, name, tags, data from products where id = any(${[1, 2, 3]}) order by id`).columns.map(
    ({ name, type }) => [name, type < 16384 && type],
  ),
);
say(
  await sql.unsafe("select 1 as a; select 2 as b"),
  await sql`select 1 as x, 2 as y`.values(),
  await sql`select 1 as raw`.raw(),
);
await sql`create table other.pgjs ${sql.unsafe("(i int, t text, j jsonb)")}`;
say(
  await sql`insert into other.pgjs ${sql([
    { i: 1, t: "a", j: { x: [1] } },
    { i: 2, t: null, j: null },
  ])} returning *`,
);
const batches = [];
await sql`select i from generate_series(1, 25) i`.cursor(10, (rows) => batches.push(rows.length));
say(batches);
let seen = 0;
await sql`select * from big`.forEach(() => {
  seen++;
});
say(seen);
for await (const [row] of sql`select i from generate_series(1, 1000) i`.cursor()) if (row.i === 3) break;
await pipeline(Readable.from(["3\tc\t{}\n", "4\td\t\\N\n"]), await sql`copy other.pgjs from stdin`.writable());
const out = [];
for await (const chunk of await sql`copy (select * from other.pgjs order by i) to stdout csv`.readable())
  out.push(String(chunk));
say(out.join(""));
say(
  await sql.begin("isolation level serializable", async (tx) => {
    await tx`insert into other.pgjs (i) values (10)`;
    await tx.savepoint((sp) => sp`insert into other.pgjs (i) values ('x')`).catch(({ code }) => say(code));
    return tx`select count(*) from other.pgjs`;
  }),
);
for (const failing of [
  sql`select 1 / 0`,
  sql`selct ${1}`,
  sql`select * from nowhere`,
  sql`insert into products (name, price) values ('x', ${-1})`,
])
  say(
    await failing.catch(({ code, message, position, constraint_name, severity }) => ({
      code,
      message,
      position,
      constraint_name,
      severity,
    })),
  );
await sql`drop table if exists gone`;
const heard = new Promise((hear) => sql.listen("pgjs", () => hear("heard")).then(() => sql.notify("pgjs", "")));
say(await heard);
const sleeping = sql`select pg_sleep(60)`.execute();
while (
  (
    await sql`select 1 from pg_stat_activity where datname = current_database() and state = 'active' and wait_event = 'PgSleep'`
  ).length === 0
);
sleeping.cancel();
say(await sleeping.catch(({ code }) => code));
say(await sql`describe`.describe().catch(({ code }) => code), (await sql`select ${1}::int as i`.describe()).types);
await sql`drop table other.pgjs`;
await sql.end();
