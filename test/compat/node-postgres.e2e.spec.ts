/** node-postgres, and TypeORM on top of it: what a Node program does, and what it gets. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import pg from "pg";
import { DataSource, EntitySchema, type MigrationInterface, type QueryRunner } from "typeorm";
import { Numbered } from "./numbered.js";
import { sameEachWay } from "./same.js";
import { normalised, openWays, type Way, type Ways } from "./ways.js";

let ways: Ways;
const clients: pg.Client[] = [];
beforeAll(async () => {
  ways = await openWays();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {});
});
afterAll(async () => {
  await ways?.close();
});

const config = ({ connection, ca }: Way): pg.ClientConfig => ({
  ...connection,
  ssl: ca ? { ca: readFileSync(ca, "utf8") } : false,
});

async function connect(way: Way, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...config(way), ...options });
  clients.push(client);
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Rows, fields and tag, without OIDs. */
const shown = ({ rows, fields, command, rowCount }: pg.QueryResult) => {
  const numbers = new Numbered();
  return {
    rows,
    command,
    rowCount,
    fields: fields.map((field) => ({
      ...field,
      tableID: numbers.of(field.tableID),
      dataTypeID: numbers.of(field.dataTypeID),
    })),
  };
};
const answer = (query: Promise<pg.QueryResult | pg.QueryResult[]>) =>
  query.then(
    (result) => (Array.isArray(result) ? result.map(shown) : shown(result)),
    ({ message, length: _length, ...fields }: pg.DatabaseError) => {
      // A syntax error is told by the enforcer, which does not know where this server would have noticed.
      if (fields.code === "42601") for (const name of ["file", "line", "routine"] as const) delete fields[name];
      return { message, ...fields };
    },
  );
const each = (work: (way: Way) => Promise<unknown>) => sameEachWay(ways.all, work);

test("every type, parsed as text and as binary, named, unnamed and simple", async () => {
  const result = await each(async (way) => {
    const client = await connect(way);
    const sql = "select * from every_type where i4 is not distinct from $1";
    const answers = [await answer(client.query("select * from every_type"))];
    for (const value of [2147483647, 0, null]) {
      answers.push(await answer(client.query(sql, [value])));
      answers.push(await answer(client.query({ name: "by-i4", text: sql, values: [value] })));
      // Without arrays and numerics, which node-postgres does not read right in binary.
      const columns = "b, i2, i4, i8, f4, f8, t, v, y, d, ts, tstz, u, j, jb, ip, o";
      const text = `select ${columns} from every_type where i4 is not distinct from $1`;
      answers.push(await answer(client.query({ name: "binary", text, values: [value], binary: true } as never)));
      answers.push(await answer(client.query({ text, values: [value], rowMode: "array" } as never)));
    }
    return answers;
  });
  expect(JSON.stringify(result)).toContain("ünïcödé");
});

test("parameters of every kind", async () => {
  await each(async (way) => {
    const client = await connect(way);
    const text = `select $1::int + 1 as i, $2::text as t, $3::jsonb as j, $4::bytea as y, $5::timestamptz as d,
      $6::text[] as a, $7::bool as b, $8::numeric as n, $9::text as empty, $10 as untyped`;
    const values = [
      41,
      "it's \\ 'x'",
      { a: [1, "b"] },
      Buffer.from([0, 255, 10]),
      new Date(0),
      ["a", null, 'q"'],
      true,
    ];
    return answer(client.query(text, [...values, "1e-20", null, "u"]));
  });
});

test("errors with all their fields, and the session after them", async () => {
  const errors = await each(async (way) => {
    const client = await connect(way);
    const answers = [];
    for (const [text, values] of [
      ["insert into products (id, name, price) values ($1, 'x', 1)", [1]],
      ["insert into products (name, price) values ('x', -1)", []],
      ["insert into parts values (99999, 1)", []],
      ["insert into products (name, price) values (null, 1)", []],
      ["update products set stock = $1", [-1]],
      ["select $1::int", ["x"]],
      ["select * from nowhere where x = $1", [1]],
      ["select nothing from products", []],
      ["selct $1", [1]],
      ["select 1; select 2", [1]],
      ["select 1; select 1 / 0; select 2", []],
      ["select $2::int", [1]],
      ["select 1", []],
    ] as const) {
      answers.push(await answer(client.query(text, values.length > 0 ? [...values] : undefined)));
    }
    return answers;
  });
  expect(errors).toHaveLength(13);
});

test("several statements, empty ones, transactions and savepoints", async () => {
  await each(async (way) => {
    const client = await connect(way);
    const answers = [];
    for (const text of [
      "",
      "-- nothing",
      "select 1 as a; select 2 as b, 'x' as c; ; update products set stock = stock where id < 3",
      "begin",
      "savepoint s",
      "select 1 / 0",
      "select 'refused'",
      "rollback to s",
      "insert into parts values (1, 100) returning *",
      "delete from parts where no = 100",
      "commit",
      "commit",
    ])
      answers.push(await answer(client.query(text)));
    return answers;
  });
});

test("many queries at once on one connection, and a pool of many", async () => {
  await each(async (way) => {
    const client = await connect(way);
    const one = await Promise.all(
      Array.from({ length: 100 }, (_, i) => answer(client.query("select $1::int as i", [i]))),
    );
    const pool = new pg.Pool({ ...config(way), max: 10 });
    const many = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        pool.query({ name: `q${i % 3}`, text: `select ${i % 3} as kind, $1::text as value`, values: [String(i)] }),
      ),
    );
    await pool.end();
    return { one, many: many.map(({ rows }) => rows) };
  });
});

test("LISTEN and NOTIFY between sessions", async () => {
  const heard = await sameEachWay(
    ways.all.filter(({ name }) => name !== "labelled"),
    async (way) => {
      const [listener, notifier] = [await connect(way), await connect(way)];
      const heard: unknown[] = [];
      listener.on("notification", ({ channel, payload }) => heard.push({ channel, payload }));
      await listener.query('listen news; listen "Other Channel"');
      await notifier.query("notify news, 'first'");
      await notifier.query("select pg_notify('Other Channel', repeat('x', 7000)), pg_notify('deaf', '')");
      await notifier.query("begin; notify news, 'never'; rollback");
      while (heard.length < 2) await listener.query("select 1");
      await listener.query("unlisten *");
      await notifier.query("notify news, 'too late'");
      await listener.query("select 1");
      return heard;
    },
  );
  expect(heard).toHaveLength(2);
  // Where a column is labelled, a notification comes without its payload: a trigger could have put anything there.
  const [, labelled] = ways.all;
  const client = await connect(labelled);
  await client.query("listen news");
  const [[{ payload }]] = await Promise.all([once(client, "notification"), client.query("notify news, 'told'")]);
  expect(payload).toBe("");
});

test("cancel, statement_timeout, query_timeout and lock_timeout", async () => {
  await each(async (way) => {
    const client = await connect(way);
    const cancelled = answer(client.query("select pg_sleep(60)"));
    const until = async (state: string) => {
      const sql = "select 1 from pg_stat_activity where datname = current_database() and query = $1 and state = $2";
      while ((await way.behind.query(sql, ["select pg_sleep(60)", state])).rowCount === 0);
    };
    await until("active");
    const canceller = new pg.Client(config(way)) as never as { cancel(client: pg.Client, query: unknown): void };
    canceller.cancel(client, (client as never as { _activeQuery: unknown })._activeQuery);
    const answers = [await cancelled];
    answers.push(await answer((await connect(way, { statement_timeout: 50 })).query("select pg_sleep(60)")));
    answers.push(await answer((await connect(way, { query_timeout: 50 })).query("select pg_sleep(1)")));
    const holder = await connect(way);
    await holder.query("begin; lock table parts");
    answers.push(await answer((await connect(way, { lock_timeout: 50 })).query("select * from parts")));
    await holder.query("rollback");
    return answers;
  });
});

test("start-up settings, and what the server reports", async () => {
  await each(async (way) => {
    const client = await connect(way, {
      application_name: "compat",
      options: "-c search_path=other,public --extra-float-digits=1 -c TimeZone=Asia/Kolkata",
    });
    const reported: unknown[] = [];
    const { connection } = client as never as { connection: NodeJS.EventEmitter };
    connection.on("parameterStatus", ({ parameterName, parameterValue }) =>
      reported.push([parameterName, parameterValue]),
    );
    const names = ["application_name", "search_path", "work_mem", "extra_float_digits", "TimeZone", "client_encoding"];
    const shown = [];
    for (const name of names) shown.push((await client.query(`show ${name}`)).rows);
    await client.query("set timezone to 'UTC'; set datestyle to 'German'; set application_name to 'renamed'");
    return { shown, reported };
  });
});

test("COPY both ways, in text and binary, cut anywhere", async () => {
  await each(async (way) => {
    const client = await connect(way);
    const { connection } = client as never as {
      connection: NodeJS.EventEmitter & { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void };
    };
    const out = async (sql: string) => {
      const chunks: Buffer[] = [];
      const take = ({ chunk }: { chunk: Buffer }) => chunks.push(chunk);
      connection.on("copyData", take);
      const { command, rowCount } = await client.query(sql);
      connection.off("copyData", take);
      return { data: Buffer.concat(chunks), command, rowCount };
    };
    const into = (sql: string, data: Buffer, piece: number) => {
      connection.once("copyInResponse", () => {
        for (let at = 0; at < data.length; at += piece) connection.sendCopyFromChunk(data.subarray(at, at + piece));
        connection.endCopyFrom();
      });
      return answer(client.query(sql));
    };
    const columns = "b, i2, i4, i8, f4, f8, t, v, y, d, ts, u, jb, a, ip, n";
    await client.query(`create table other.copied as select ${columns} from every_type limit 0`);
    const answers = [];
    for (const options of ["(format text)", "(format csv, header)", "(format binary)"]) {
      const { data, ...rest } = await out(`copy (select ${columns} from every_type) to stdout ${options}`);
      answers.push({ data: data.toString("latin1"), rest });
      for (const piece of [1, 7, data.length])
        answers.push(await into(`copy other.copied from stdin ${options}`, data, piece));
    }
    const broken = await into("copy other.copied from stdin (format binary)", Buffer.from("not binary"), 3);
    const copied = await answer(client.query("select * from other.copied order by i4, t"));
    await client.query("drop table other.copied");
    return { answers, broken, copied };
  });
});

// ---- TypeORM, and flows as Prisma's -----------------------------------------------------------------------------

const Author = new EntitySchema<{ id: number; name: string; books: unknown[] }>({
  name: "author",
  schema: "typeorm",
  columns: { id: { type: "int", primary: true, generated: true }, name: { type: "varchar", length: 50, unique: true } },
  relations: { books: { type: "one-to-many", target: "book", inverseSide: "author", cascade: true } },
});
const Book = new EntitySchema<{
  id: string;
  title: string;
  state: string;
  details: object;
  tags: string[];
  author: unknown;
}>({
  name: "book",
  schema: "typeorm",
  columns: {
    id: { type: "uuid", primary: true, generated: "uuid" },
    title: { type: "text" },
    state: { type: "enum", enum: ["draft", "out"], default: "draft" },
    details: { type: "jsonb", nullable: true },
    tags: { type: "text", array: true, default: "{}" },
    made: { type: "timestamptz", createDate: true },
    version: { type: "int", version: true },
  } as never,
  indices: [{ columns: ["title", "state"] }],
  relations: { author: { type: "many-to-one", target: "author", inverseSide: "books", onDelete: "CASCADE" } },
});

class First1700000000001 implements MigrationInterface {
  name = "First1700000000001";
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("create table typeorm.migrated (id int primary key)");
    await runner.query("insert into typeorm.migrated values (1), (2)");
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("drop table typeorm.migrated");
  }
}
class Second1700000000002 implements MigrationInterface {
  name = "Second1700000000002";
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("alter table typeorm.migrated add note text not null default 'x'");
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("alter table typeorm.migrated drop note");
  }
}

test("TypeORM: migrations, schema synchronization, entities, transactions", async () => {
  await each(async (way) => {
    const { host, port, user, password, database } = way.connection;
    await way.behind.query("create schema typeorm");
    const source = new DataSource({
      type: "postgres",
      host,
      port,
      username: user,
      password,
      database,
      ssl: way.ca ? { ca: readFileSync(way.ca, "utf8") } : false,
      schema: "typeorm",
      // gen_random_uuid(), which is the server's own.
      uuidExtension: "pgcrypto",
      installExtensions: false,
      entities: [Author, Book],
      migrations: [First1700000000001, Second1700000000002],
      migrationsTransactionMode: "each",
    });
    await source.initialize();
    try {
      const ran = (await source.runMigrations()).map(({ name }) => name);
      const again = await source.runMigrations();
      await source.undoLastMigration();
      const pending = await source.showMigrations();
      await source.synchronize();
      const left = (await source.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);
      const authors = source.getRepository(Author);
      await authors.save({
        name: "A",
        books: [
          { title: "One", tags: ["x"] },
          { title: "Two", details: { pages: 2 } },
        ],
      });
      const failed = await source
        .transaction(async (manager) => {
          await manager.insert(Author, { name: "B" });
          await manager.insert(Author, { name: "A" });
        })
        .catch((error) => error.code);
      const found = await authors.find({ relations: { books: true }, order: { books: { title: "ASC" } } as never });
      const counted = await source
        .createQueryBuilder(Book, "b")
        .select("b.state", "state")
        .addSelect("count(*)", "n")
        .where("b.tags && :tags", { tags: ["x"] })
        .groupBy("b.state")
        .getRawMany();
      const locked = await source.transaction((manager) =>
        manager.findOne(Author, { where: { name: "A" }, lock: { mode: "pessimistic_write" } }),
      );
      await source
        .getRepository(Book)
        .upsert({ id: (found[0] as any).books[0].id, title: "One again" } as never, ["id"]);
      const titles = (await source.getRepository(Book).find({ order: { title: "ASC" } })).map(({ title }) => title);
      await authors.delete({ name: "A" });
      const rest = await source.getRepository(Book).count();
      const plain = JSON.parse(JSON.stringify(found, (key, value) => (["id", "made"].includes(key) ? "-" : value)));
      return { ran, again, pending, left, failed, plain, counted, locked, titles, rest };
    } finally {
      await source.destroy();
    }
  });
});

test("a migration as Prisma does it: advisory lock, shadow schema, introspection", async () => {
  await each(async (way) => {
    const client = await connect(way);
    const answers: unknown[] = [];
    const ask = async (text: string, values?: unknown[]) => answers.push(await answer(client.query(text, values)));
    await ask("select pg_advisory_lock(72707369)");
    await ask("create schema shadow");
    await ask('set search_path = "shadow"');
    await ask(`create table "_prisma_migrations" (id varchar(36) primary key not null, checksum varchar(64) not null,
      finished_at timestamptz, migration_name varchar(255) not null, logs text, rolled_back_at timestamptz,
      started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`);
    await ask(`-- CreateTable
      CREATE TABLE "User" ("id" SERIAL NOT NULL, "name" TEXT NOT NULL, CONSTRAINT "User_pkey" PRIMARY KEY ("id"));
      -- CreateIndex
      CREATE UNIQUE INDEX "User_name_key" ON "User"("name");`);
    await ask('insert into "_prisma_migrations" (id, checksum, migration_name) values ($1, $2, $3)', [
      "1",
      "c",
      "first",
    ]);
    await ask('select id, checksum, migration_name, applied_steps_count from "_prisma_migrations" order by started_at');
    for (const text of INTROSPECTION) await ask(text, ["shadow"]);
    await ask("drop schema shadow cascade");
    await ask("select pg_advisory_unlock(72707369)");
    const numbers = new Numbered();
    return numbers.in(normalised(JSON.stringify(answers), way));
  });
});

/** Written for this test, after what such tools ask. */
const INTROSPECTION = [
  "select exists (select 1 from pg_namespace where nspname = $1), version(), current_setting('server_version_num')::integer as numeric_version",
  `select tbl.relname as table_name, namespace.nspname as namespace, tbl.relrowsecurity, d.description
   from pg_class as tbl join pg_namespace as namespace on namespace.oid = tbl.relnamespace
   left join pg_description as d on d.objoid = tbl.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass
   where tbl.relkind in ('r', 'p') and namespace.nspname = any (array[$1]) order by namespace, table_name`,
  `select oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) as formatted_type,
     info.numeric_precision, info.numeric_scale, info.datetime_precision, info.data_type, info.udt_name as full_data_type,
     pg_get_expr(attdef.adbin, attdef.adrelid) as column_default, info.is_nullable, info.is_identity, info.character_maximum_length
   from information_schema.columns info join pg_attribute att on att.attname = info.column_name
   join (select pg_class.oid, relname, pg_namespace.nspname as namespace from pg_class
     join pg_namespace on pg_namespace.oid = pg_class.relnamespace and pg_namespace.nspname = any (array[$1])) as oid
     on oid.oid = att.attrelid and relname = info.table_name and namespace = info.table_schema
   left outer join pg_attrdef attdef on attdef.adrelid = att.attrelid and attdef.adnum = att.attnum and table_schema = namespace
   order by namespace, table_name, ordinal_position`,
  `select con.conname, con.contype, con.confdeltype, pg_get_constraintdef(con.oid, true) as def from pg_constraint con
   join pg_namespace ns on ns.oid = con.connamespace where ns.nspname = $1 order by 1`,
  `with rawindex as (select indrelid, indexrelid, indisunique, indisprimary, unnest(indkey) as indkeyid,
     generate_subscripts(indkey, 1) as indkeyidx, unnest(indclass) as indclass, unnest(indoption) as indoption
     from pg_index where indpred is null and not indisexclusion)
   select schemainfo.nspname, indexinfo.relname as index_name, tableinfo.relname as table_name, columninfo.attname as column_name,
     rawindex.indisunique, rawindex.indisprimary, rawindex.indkeyidx, indexaccess.amname, opclass.opcname, opclass.opcdefault
   from rawindex join pg_class tableinfo on tableinfo.oid = rawindex.indrelid join pg_class indexinfo on indexinfo.oid = rawindex.indexrelid
   join pg_namespace schemainfo on schemainfo.oid = tableinfo.relnamespace
   left join pg_attribute columninfo on columninfo.attrelid = tableinfo.oid and columninfo.attnum = rawindex.indkeyid
   join pg_am indexaccess on indexaccess.oid = indexinfo.relam left join pg_opclass opclass on opclass.oid = rawindex.indclass
   where schemainfo.nspname = $1 order by 1, 2, rawindex.indkeyidx`,
  "select t.typname as name, e.enumlabel as value from pg_type t join pg_enum e on t.oid = e.enumtypid join pg_namespace n on n.oid = t.typnamespace where n.nspname = $1 order by 1, e.enumsortorder",
  "select sequence_name, start_value, increment, data_type from information_schema.sequences where sequence_schema = $1 order by 1",
  "select viewname, definition from pg_views where schemaname = $1",
  "select p.proname, n.nspname, case when l.lanname = 'internal' then p.prosrc else pg_get_functiondef(p.oid) end as definition from pg_proc p left join pg_namespace n on p.pronamespace = n.oid left join pg_language l on p.prolang = l.oid where n.nspname = $1",
  "select table_name, constraint_name, constraint_type from information_schema.table_constraints where table_schema = $1 order by 1, 2",
  "select kcu.column_name, rc.unique_constraint_name from information_schema.key_column_usage kcu left join information_schema.referential_constraints rc using (constraint_name) where kcu.table_schema = $1 order by 1, 2",
  "select extname, extversion, nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where $1 <> '' order by 1",
];
