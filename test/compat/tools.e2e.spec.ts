/** The programs that come with PostgreSQL: what they say, and what they leave in the database. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { libpq, present, type Ran, run } from "./programs.js";
import { said } from "./said.js";
import { sameEachWay } from "./same.js";
import { normalised, openWays, type Way, type Ways } from "./ways.js";

let ways: Ways;
let folder: string;
beforeAll(async () => {
  ways = await openWays();
  folder = mkdtempSync(join(tmpdir(), "counterfoil-compat-"));
});
afterAll(async () => {
  await ways?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs it on `way`: over TLS where there is an enforcer, unless it goes through the tap. */
async function tool(way: Way, [program, ...args]: readonly string[], tapped = false, input = ""): Promise<Ran> {
  const env = tapped ? libpq(way.tapped, null) : libpq(way.connection, way.ca);
  const { code, out, err } = await run(program!, args, { env, input, cwd: folder });
  return { code, out: normalised(out, way), err: normalised(err, way) };
}

const each = <T>(work: (way: Way) => Promise<T>): Promise<T> => sameEachWay(ways.all, work);

/** Skipped, by its name, where the machine has no such programs. */
const having = (...programs: string[]) => (programs.every(present) ? describe : describe.skip);
const unlabelled = () => ways.all.filter(({ name }) => name !== "labelled");
const rows = async (way: Way, sql: string) => (await way.behind.query({ text: sql, rowMode: "array" })).rows;

having("pgbench")("pgbench", () => {
  const CONTENT = `
    select (select count(*) from pgbench_accounts), (select sum(abalance) from pgbench_accounts),
      (select sum(bbalance) from pgbench_branches), (select sum(tbalance * tid) from pgbench_tellers),
      (select count(*) from pgbench_history), (select sum(delta * aid) from pgbench_history)`;
  /** Without what takes time to say. */
  const report = ({ code, out, err }: Ran) => ({
    code,
    out: out.replace(/^(latency|(initial|average) connection|tps|pgbench \().*\n/gm, ""),
    err: err.replace(/^.*(done in|elapsed|\d of \d+ tuples|vacuuming).*\n/gm, ""),
  });

  test.each([
    ["client-side", ["--foreign-keys"]],
    ["server-side, partitioned", ["-I", "dtGvpf", "--partitions=3"]],
  ])("initializes, %s", async (_how, options) => {
    const { code } = await each(async (way) => report(await tool(way, ["pgbench", "-i", "-q", ...options])));
    expect(code).toBe(0);
    await each((way) => rows(way, CONTENT));
  });

  const scripts = ["tpcb-like", "simple-update", "select-only"];
  test.each(scripts.flatMap((script) => ["simple", "extended", "prepared"].map((mode) => [script, mode] as const)))(
    "%s, %s: the same answers byte by byte",
    async (script, mode) => {
      const args = ["pgbench", "-n", "-M", mode, "-b", script, "-t", "15", "--random-seed=7"];
      await each(async (way) => {
        way.tap.taken();
        const ran = report(await tool(way, args, true));
        expect(ran.code).toBe(0);
        return { ran, server: way.tap.taken().map((stream) => said(stream, (text) => text)) };
      });
      await each((way) => rows(way, CONTENT));
    },
  );

  test("many clients, and a connection for each transaction", async () => {
    for (const args of [
      ["-c", "8", "-j", "2", "-t", "20", "-M", "prepared"],
      ["-c", "2", "-C", "-t", "5", "-S"],
    ]) {
      const { code } = await each(async (way) => report(await tool(way, ["pgbench", "-n", ...args])));
      expect(code).toBe(0);
    }
    await each((way) => rows(way, "select count(*) from pgbench_history"));
  });

  test("a pipeline, \\gset, and an error in one", async () => {
    const file = join(folder, "pipeline.sql");
    writeFileSync(
      file,
      `\\startpipeline
       begin;
       insert into other.empty default values;
       select 1 as one;
       update pgbench_branches set filler = 'x' where bid = 1;
       commit;
       select count(*) from pgbench_accounts;
       \\endpipeline
      `,
    );
    const gset = join(folder, "gset.sql");
    writeFileSync(
      gset,
      "select 3 as three, 'x' as text \\gset got_\nselect :got_three + 1;\nselect 1 as a \\; select 2 as b \\aset\n",
    );
    const failing = join(folder, "failing.sql");
    writeFileSync(failing, "\\startpipeline\nselect 1;\nselect 1 / 0;\nselect 2;\n\\endpipeline\n");
    for (const [script, mode, code] of [
      [file, "extended", 0],
      [file, "prepared", 0],
      [gset, "simple", 0],
      [failing, "extended", 2],
    ] as const) {
      const args = ["pgbench", "-n", "-M", mode, "-f", script, "-t", "3"];
      const ended = await each(async (way) => {
        way.tap.taken();
        const ran = report(await tool(way, args, true));
        const server = way.tap.taken().map((stream) => said(stream, (text) => text));
        // It does not wait for what comes behind an error.
        return { ran, server: code === 0 ? server : server.map((lines) => lines.filter((line) => line !== "Z I")) };
      });
      expect(ended.ran).toMatchObject({ code });
    }
  });

  afterAll(async () => {
    for (const { behind } of ways.all)
      await behind.query("drop table pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history");
  });
});

having("pg_dump", "pg_restore")("pg_dump and pg_restore", () => {
  /** What a restore is to bring back: everything but code, which no labelled resource takes in unread. */
  const STORE = `
    create schema store; create type store.size as enum ('s', 'm'); create domain store.price as numeric check (value > 0);
    create table store.items (id serial primary key, name text unique, size store.size, price store.price, made timestamptz default 'epoch');
    create table store.lines (item int references store.items on update cascade, n int check (n > 0), note text);
    create table store.logs (day date, what text) partition by range (day);
    create table store.logs_1 partition of store.logs for values from ('2024-01-01') to ('2025-01-01');
    insert into store.items (name, size, price) select 'item ' || n, (enum_range(null::store.size))[1 + n % 2], n from generate_series(1, 500) n;
    insert into store.lines select 1 + n % 500, n, E'note\\t\\\\' || n from generate_series(1, 1000) n;
    insert into store.logs values ('2024-05-05', 'x'); create index on store.lines (item) where n > 10;
    create view store.dear as select * from store.items where price > 400; create materialized view store.sums as select item, sum(n) from store.lines group by item;
    comment on column store.items.name is 'a name';
    alter table store.items enable row level security; create policy all_of_it on store.items using (true); grant select on store.items to public;`;
  beforeAll(async () => {
    for (const { behind } of ways.all) await behind.query(STORE);
  });

  const text = ({ code, out, err }: Ran) => ({ code, err, out: out.replace(/^\\(un)?restrict .*$/gm, "").split("\n") });
  /** Whose labels would come masked. */
  const whole = ["-T", "people"];

  test.each([
    ["plain, all of it", [...whole]],
    ["schema only", ["-s"]],
    ["data only, as inserts", ["-a", "--column-inserts", "-n", "public", ...whole]],
    ["a table, in one transaction it can be restored with", ["-t", "products", "--clean", "--if-exists", "--create"]],
    ["rows per insert, no owners", ["-t", "products", "--rows-per-insert=7", "-O", "-x", "--quote-all-identifiers"]],
  ])("dumps the same text: %s", async (_what, args) => {
    const { code, out } = await each(async (way) => text(await tool(way, ["pg_dump", ...args])));
    expect(code).toBe(0);
    expect(out.length).toBeGreaterThan(50);
  });

  test.each([
    ["custom", ["-Fc"], []],
    ["directory, two jobs", ["-Fd", "-j", "2"], ["-j", "2"]],
    ["tar", ["-Ft"], ["--single-transaction"]],
  ])("%s: dumped and restored", async (format, dump, restore) => {
    const content = `select (select json_agg(i order by id) from store.items i)::text, (select sum(n) from store.lines)::text,
      (select count(*) from store.sums)::text, (select string_agg(note, '' order by n) from store.lines), (select string_agg(l::text, '') from store.logs l)`;
    const before = await each((way) => rows(way, content));
    await each(async (way) => {
      const file = join(folder, `${way.name}-${format}`);
      const dumped = await tool(way, ["pg_dump", ...dump, "-n", "store", "-f", file]);
      const listed = await tool(way, ["pg_restore", "-f", "-", file]);
      await way.behind.query("drop schema store cascade");
      const restored = await tool(way, ["pg_restore", "-d", way.connection.database, "-e", ...restore, file]);
      expect({ ...dumped, ...restored }).toEqual({ code: 0, out: "", err: "" });
      const again = await tool(way, ["pg_restore", "-c", "--if-exists", "-d", way.connection.database, "-e", file]);
      return { dumped, listed: text(listed), restored, again };
    });
    expect(await each((way) => rows(way, content))).toEqual(before);
  });

  test("plain, restored by psql", async () => {
    await each(async (way) => {
      const { out } = await tool(way, ["pg_dump", "-n", "store"]);
      await way.behind.query("drop schema store cascade");
      const { code, err } = await tool(way, ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-1"], false, out);
      return { code, err, again: text(await tool(way, ["pg_dump", "-n", "store"])) };
    });
  });

  test("code comes back where nothing is labelled", async () => {
    const { code } = await sameEachWay(unlabelled(), async (way) => {
      const file = join(folder, `${way.name}-code`);
      const dumped = await tool(way, ["pg_dump", "-Fc", "-n", "public", "-f", file]);
      const restored = await tool(way, [
        "pg_restore",
        "-c",
        "--if-exists",
        "-e",
        "-1",
        "-d",
        way.connection.database,
        file,
      ]);
      expect({ ...dumped, ...restored }).toMatchObject({ code: 0, err: "" });
      return text(await tool(way, ["pg_dump", "-n", "public"]));
    });
    expect(code).toBe(0);
  });
});

having(
  "vacuumdb",
  "reindexdb",
  "clusterdb",
  "pg_isready",
)("maintenance", () => {
  test("vacuumdb, reindexdb, clusterdb, pg_isready", async () => {
    for (const args of [
      ["vacuumdb", "-e", "-t", "products", "-z"],
      ["vacuumdb", "-f", "-t", "products", "-t", "parts"],
      ["vacuumdb", "-Z", "-j", "2"],
      ["reindexdb", "-e", "-t", "products", "-i", "parts_product_no_key"],
      ["reindexdb", "-t", "parts", "--concurrently"],
      ["clusterdb", "-e"],
      ["pg_isready"],
    ]) {
      const { code } = await each((way) => tool(way, args));
      expect({ args, code }).toEqual({ args, code: 0 });
    }
  });
});

having(
  "createdb",
  "pg_dumpall",
  "pg_basebackup",
  "pg_receivewal",
)("refused on purpose", () => {
  test("what goes past the resource's database, and replication", async () => {
    const [, labelled] = ways.all;
    for (const [args, reason] of [
      [["createdb", "another"], /This token is for the resource labelled/],
      [["pg_dumpall", "-g"], /This token is for the resource labelled/],
      [["psql", "-Xc", "select 1", "postgres"], /This token is for the resource labelled/],
      [["pg_basebackup", "-D", join(folder, "base")], /replication connections are not carried/],
      [["pg_receivewal", "-D", folder, "-n"], /replication connections are not carried/],
    ] as const) {
      const { code, err } = await tool(labelled, args);
      expect({ args, code, err }).toEqual({ args, code: expect.any(Number), err: expect.stringMatching(reason) });
      expect(code).not.toBe(0);
    }
  });
});
