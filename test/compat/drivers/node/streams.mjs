// What goes with node-postgres: pg-cursor, pg-query-stream, pg-copy-streams, knex.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import knex from "knex";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";

const say = (...what) => console.log(JSON.stringify(what));
const { PGSSLROOTCERT } = process.env;
const ssl = PGSSLROOTCERT ? { ca: readFileSync(PGSSLROOTCERT, "utf8") } : false;
const client = new pg.Client({ ssl });
await client.connect();

const cursor = client.query(new Cursor("select id, name from products order by id limit $1", [12]));
for (let rows = await cursor.read(5); rows.length > 0; rows = await cursor.read(5)) say(rows);
await cursor.close();
const half = client.query(new Cursor("select * from big"));
say((await half.read(3)).map(({ id }) => id));
await half.close();
const failing = client.query(new Cursor("select 1 / (5 - n) from generate_series(1, 9) n"));
say(await failing.read(3), await failing.read(3).catch(({ code, message }) => [code, message]));

let rows = 0;
for await (const row of client.query(new QueryStream("select * from big", [], { batchSize: 500 })))
  rows += row.filler.length;
say("streamed", rows);
const stream = client.query(new QueryStream("select * from generate_series(1, 100000) n", [], { batchSize: 10 }));
for await (const { n } of stream) if (n === 25) break;
say((await client.query("select 'goes on' as it")).rows);

await client.query("create table other.streamed (i int, t text)");
await pipeline(
  Readable.from(
    (function* () {
      for (let i = 0; i < 20000; i++) yield `${i}\tvalue ${i}\n`;
    })(),
  ),
  client.query(copyFrom("copy other.streamed from stdin")),
);
const chunks = [];
for await (const chunk of client.query(copyTo("copy (select * from other.streamed order by i) to stdout")))
  chunks.push(chunk);
say("copied", Buffer.concat(chunks).length);
await client.query("drop table other.streamed");
await client.end();

const db = knex({
  client: "pg",
  connection: {
    ssl,
    host: process.env.PGHOST,
    port: +process.env.PGPORT,
    user: process.env.PGUSER,
    password: process.env.PGPASSWORD,
    database: process.env.PGDATABASE,
  },
  pool: { min: 0, max: 4 },
});
await db.schema.withSchema("other").createTable("knexed", (table) => {
  table.increments();
  table.string("name").notNullable().unique();
  table.jsonb("data");
  table.timestamps(true, true);
});
say(
  await db
    .withSchema("other")
    .insert([{ name: "a", data: { x: 1 } }, { name: "b" }])
    .into("knexed")
    .returning(["id", "name"]),
);
say(await db("other.knexed").insert({ name: "a" }).onConflict("name").merge(["name"]).returning("id"));
say(
  await db.transaction(async (trx) => {
    await trx("other.knexed").where({ name: "b" }).update({ name: "c" });
    return trx("other.knexed").orderBy("id").forUpdate().pluck("name");
  }),
);
say(
  await db("other.knexed")
    .insert({ name: "a" })
    .catch(({ code, constraint, detail }) => ({ code, constraint, detail })),
);
say(await db.schema.withSchema("other").hasTable("knexed"), Object.keys(await db("other.knexed").columnInfo()));
await db.schema.withSchema("other").dropTable("knexed");
await db.destroy();
