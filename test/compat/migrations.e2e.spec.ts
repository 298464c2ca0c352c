/** What brings a schema up to date: TypeORM on node-postgres, and a flow as Prisma's. */
import { readFileSync } from "node:fs";
import { DataSource, EntitySchema, type MigrationInterface, type QueryRunner } from "typeorm";
import { answer, connect, endClients } from "./node-client.js";
import { Numbered } from "./numbered.js";
import { sameEachWay } from "./same.js";
import { normalised, openWays, type Way, type Ways } from "./ways.js";

let ways: Ways;
beforeAll(async () => {
  ways = await openWays();
});
afterEach(endClients);
afterAll(async () => {
  await ways?.close();
});
const each = (work: (way: Way) => Promise<unknown>) => sameEachWay(ways.all, work);

interface AuthorRow {
  id: number;
  name: string;
  books: BookRow[];
}
interface BookRow {
  id: string;
  title: string;
  state: string;
  details: object;
  tags: string[];
  author: AuthorRow;
}
const Author = new EntitySchema<AuthorRow>({
  name: "author",
  schema: "typeorm",
  columns: { id: { type: "int", primary: true, generated: true }, name: { type: "varchar", length: 50, unique: true } },
  relations: { books: { type: "one-to-many", target: "book", inverseSide: "author", cascade: true } },
});
const Book = new EntitySchema<BookRow>({
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
      await source.getRepository(Book).upsert({ id: found[0]!.books[0]!.id, title: "One again" }, ["id"]);
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
