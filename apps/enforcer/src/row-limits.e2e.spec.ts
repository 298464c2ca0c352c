/** `@max_rows`, through a whole enforcer and against a real PostgreSQL: what is given, what is left of a write. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import pg from "pg";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";

const POLICIES = [
  {
    name: "limits",
    text: `
      permit (principal, action == Action::"connect", resource);
      @id("reads") @max_rows("10")
      permit (principal, action in Action::"sql:read", resource);
      @id("writes") @max_rows("5")
      permit (principal, action in [Action::"sql:write", Action::"sql:call"], resource);
      permit (principal, action == Action::"sql:create_table", resource);
      permit (principal, action == Action::"sql:select", resource)
      when { context.tables_read.contains("public.free") };`,
  },
];

let world: World;
let enforcer: Enforcer;
beforeAll(async () => {
  world = await createWorld();
  await world.direct(`
    create table stock (id int primary key, n int not null default 0);
    create table free (id int);
    insert into free select generate_series(1, 50);
    create table later (id int unique deferrable initially deferred);
    insert into later values (1);
    create function many() returns int language plpgsql as 'begin update stock set n = 9; return 1; end'`);
  world.control.change({ policies: POLICIES, labels: [] });
  enforcer = await Enforcer.start(await world.config({ allowPlaintext: true }));
}, 120_000);
afterAll(async () => {
  await enforcer?.drain();
  await world?.drop();
});

let client: pg.Client;
beforeEach(async () => {
  await world.direct("truncate stock; insert into stock select generate_series(1, 20)");
  client = await connect();
});
afterEach(() => client.end());

function target() {
  const { id, secret } = world.control.token();
  return { host: "127.0.0.1", port: enforcer.ports[0]!, user: `foil_${id}`, password: secret, database: "shop" };
}

async function connect(): Promise<pg.Client> {
  const made = new pg.Client(target());
  made.on("error", () => {});
  await made.connect();
  return made;
}

type Mode = "simple" | "extended";
const run = (text: string, mode: Mode = "simple") =>
  client.query({ text, queryMode: mode } as pg.QueryConfig).then(
    ({ rowCount }) => rowCount,
    (error: pg.DatabaseError) => `${error.code} ${error.message}`,
  );
const changed = async () => Number((await world.direct("select count(*) from stock where n > 0")).rows[0].count);
const PAST = /^42501 Policy limits#\w+ limits this command to \d+ rows, and it gives/;

describe.each<Mode>(["simple", "extended"])("%s", (mode) => {
  test("rows up to the limit are given, one more is an error; the session goes on", async () => {
    const rows: unknown[] = [];
    expect(await run("select * from stock where id <= 10", mode)).toBe(10);
    const query = new pg.Query({ text: "select id from big", queryMode: mode } as pg.QueryConfig);
    query.on("row", (row) => rows.push(row));
    const error = await new Promise<pg.DatabaseError>((failed) => {
      query.on("error", failed as never);
      client.query(query);
    });
    expect(error).toMatchObject({ code: "42501", message: expect.stringMatching(/Policy limits#reads .* 10 rows/) });
    expect(rows).toHaveLength(10);
    for (let i = 0; i < 3; i++) expect(await run("select 1", mode)).toBe(1);
    const [ended] = await world.control.recorded("commandEnded", 1, ({ errorCode }) => errorCode === "42501");
    expect(ended).toMatchObject({ rows: 10n, errorMessage: expect.stringContaining("limits#reads") });
  });

  test("a write within the limit is committed, one past it leaves nothing", async () => {
    expect(await run("update stock set n = 1 where id <= 5", mode)).toBe(5);
    expect(await changed()).toBe(5);
    expect(await run("update stock set n = 2", mode)).toMatch(PAST);
    expect(await run("update stock set n = 2 where id > 5 returning id", mode)).toMatch(PAST);
    expect(await run("insert into stock select generate_series(100, 200)", mode)).toMatch(PAST);
    expect(await run("delete from stock where id > 1", mode)).toMatch(PAST);
    expect(await changed()).toBe(5);
    expect(await run("delete from stock where id = 1", mode)).toBe(1);
    expect(Number((await world.direct("select count(*) from stock")).rows[0].count)).toBe(19);
  });

  test("what an ON CONFLICT and a MERGE change is in their own count", async () => {
    const upsert = (last: number) =>
      `insert into stock select generate_series(1, ${last}) on conflict (id) do update set n = 1`;
    expect(await run(upsert(5), mode)).toBe(5);
    expect(await run(upsert(6), mode)).toMatch(PAST);
    const merge = (last: number) =>
      `merge into stock using generate_series(1, ${last}) s on s = id when matched then update set n = 1`;
    expect(await run(merge(5), mode)).toBe(5);
    expect(await run(merge(6), mode)).toMatch(PAST);
    expect(await changed()).toBe(5);
    expect(await run("with u as (update stock set n = 1) insert into free values (1)", mode)).toMatch(
      /sql:update are not counted/,
    );
  });

  test("past the limit, the client's transaction fails", async () => {
    await run("begin", mode);
    expect(await run("update stock set n = 1 where id = 1", mode)).toBe(1);
    expect(await run("update stock set n = 1", mode)).toMatch(PAST);
    expect(await run("select 1", mode)).toMatch(/^25P02/);
    await run("commit", mode);
    expect(await changed()).toBe(0);
    await run("begin", mode);
    await run("savepoint s", mode);
    expect(await run("select * from big", mode)).toMatch(PAST);
    await run("rollback to s", mode);
    expect(await run("update stock set n = 1 where id = 1", mode)).toBe(1);
    await run("commit", mode);
    expect(await changed()).toBe(1);
  });

  test("what fails by itself fails as ever", async () => {
    expect(await run("insert into stock values (1)", mode)).toMatch(/^23505/);
    expect(await run("insert into later select 1", mode)).toMatch(/^23505/);
    expect(await run("update stock set n = null where id = 1", mode)).toMatch(/^23502/);
    expect(await run("select 1", mode)).toBe(1);
  });

  test("a table made of too many rows is not there", async () => {
    expect(await run("create table made as select * from big", mode)).toMatch(PAST);
    expect((await world.direct("select to_regclass('made') as made")).rows[0].made).toBeNull();
    expect(await run("create table made as select * from stock where id < 5", mode)).toBe(4);
    await world.direct("drop table made");
  });

  test("a permit without a limit lifts it, and what the text limits by itself needs none", async () => {
    expect(await run("select * from free", mode)).toBe(50);
    expect(await run("select * from big limit 10", mode)).toBe(10);
    expect(await run("select * from big limit 11", mode)).toMatch(PAST);
  });

  test.each([
    ["with d as (delete from stock returning *) select count(*) from d", "sql:delete"],
    ["explain analyze delete from stock", "sql:delete"],
    ["truncate stock", "sql:truncate"],
    ["select many()", "sql:update"],
    ["do $$ begin delete from stock; end $$", "sql:do"],
  ])("%s is refused: its rows are not counted", async (text, action) => {
    expect(await run(text, mode)).toMatch(new RegExp(`^42501 Policy limits#writes .*${action} are not counted`));
    expect(await changed()).toBe(0);
  });

  test("a prepared statement and a cursor are what they stand for", async () => {
    await run("prepare p as update stock set n = 1", mode);
    expect(await run("execute p", mode)).toMatch(PAST);
    await run("begin", mode);
    await run("declare c cursor for select id from big", mode);
    expect(await run("fetch 10 from c", mode)).toBe(10);
    expect(await run("fetch all from c", mode)).toMatch(PAST);
    await run("rollback", mode);
    expect(await changed()).toBe(0);
  });
});

test("several statements in one text are refused", async () => {
  expect(await run("select 1; select 2")).toMatch(/^42501 .*several statements/);
});

describe("on the wire", () => {
  // biome-ignore lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show
  type Wire = any;
  /** Sends in one go and gives the messages' names, ReadyForQuery with its status, until as many of these came. */
  async function exchange(readies: number, send: (wire: Wire) => void): Promise<string[]> {
    const wire = (client as unknown as { connection: Wire }).connection;
    const seen: string[] = [];
    for (const event of ["errorMessage", "dataRow", "rowDescription", "commandComplete", "readyForQuery"]) {
      wire.removeAllListeners(event);
    }
    wire.removeAllListeners("parseComplete");
    await new Promise<void>((done) => {
      wire.on("message", (message: { name: string; code?: string; text?: string; status?: string }) => {
        const { name, code, text, status } = message;
        if (/dataRow|error|commandComplete|readyForQuery/.test(name)) {
          seen.push([name, code ?? text ?? status].filter(Boolean).join(" "));
        }
        if (name === "readyForQuery" && --readies === 0) done();
      });
      send(wire);
    });
    return seen;
  }
  const statement = (wire: Wire, text: string, rows = 0) => {
    wire.parse({ text });
    wire.bind({});
    wire.execute({ rows });
  };

  test("what is pipelined behind a command past its limit does not run", async () => {
    const seen = await exchange(2, (wire) => {
      statement(wire, "update stock set n = 1 where id = 1");
      statement(wire, "update stock set n = 1");
      statement(wire, "update stock set n = 1 where id = 2");
      wire.sync();
      statement(wire, "update stock set n = 1 where id = 3");
      wire.sync();
    });
    expect(seen).toEqual([
      "commandComplete UPDATE 1",
      "error 42501",
      "readyForQuery I",
      "commandComplete UPDATE 1",
      "readyForQuery I",
    ]);
    expect((await world.direct("select id from stock where n > 0")).rows).toEqual([{ id: 3 }]);
  });

  test("simple queries sent together keep their order", async () => {
    const seen = await exchange(4, (wire) => {
      wire.query("update stock set n = 1 where id = 1");
      wire.query("update stock set n = 1");
      wire.query("begin");
      wire.query("select id from stock");
    });
    expect(seen).toEqual([
      "commandComplete UPDATE 1",
      "readyForQuery I",
      "error 42501",
      "readyForQuery I",
      "commandComplete BEGIN",
      "readyForQuery T",
      ...Array(10).fill("dataRow"),
      "error 42501",
      "readyForQuery E",
    ]);
    expect(await changed()).toBe(1);
    await exchange(1, (wire) => wire.query("rollback"));
  });

  test("a query behind extended messages without a Sync commits with them or not at all", async () => {
    const seen = await exchange(2, (wire) => {
      statement(wire, "update stock set n = 1 where id = 1");
      wire.query("update stock set n = 1 where id > 1");
      statement(wire, "update stock set n = 2 where id = 2");
      wire.query("update stock set n = 2 where id = 3");
    });
    expect(seen).toEqual([
      "commandComplete UPDATE 1",
      "error 42501",
      "readyForQuery I",
      "commandComplete UPDATE 1",
      "commandComplete UPDATE 1",
      "readyForQuery I",
    ]);
    expect((await world.direct("select id from stock where n > 0 order by id")).rows).toEqual([{ id: 2 }, { id: 3 }]);
  });

  test("a portal read in parts counts as one; a write is not run in parts", async () => {
    const parts = await exchange(1, (wire) => {
      wire.parse({ text: "select id from stock" });
      wire.bind({});
      for (let i = 0; i < 3; i++) wire.execute({ rows: 4 });
      wire.sync();
    });
    expect(parts).toEqual([...Array(10).fill("dataRow"), "error 42501", "readyForQuery I"]);
    const write = await exchange(1, (wire) => {
      statement(wire, "update stock set n = 1 returning id", 2);
      wire.sync();
    });
    expect(write).toEqual(["error 42501", "readyForQuery I"]);
    expect(await changed()).toBe(0);
  });
});

describe("COPY, by psql", () => {
  const psql = async (...commands: string[]) => {
    const { host, port, user, password, database } = target();
    const env = { ...process.env, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
    const args = ["-XqAt", "-d", database, ...commands.flatMap((command) => ["-c", command])];
    const options = { env: { ...env, PGSSLMODE: "disable" } };
    return promisify(execFile)("psql", args, options).then(
      ({ stdout, stderr }) => ({ lines: stdout.split("\n").filter(Boolean), stderr }),
      ({ stdout, stderr }) => ({ lines: stdout.split("\n").filter(Boolean), stderr }),
    );
  };

  test("out: up to the limit, with a header and in binary too", async () => {
    for (const options of ["", "(format csv, header)", "(format binary)"]) {
      const within = await psql(`copy (select id from stock where id <= 10) to stdout ${options}`);
      expect(within.stderr).toBe("");
    }
    const past = await psql("copy stock to stdout (format csv, header)", "select 'on'");
    expect(past.stderr).toContain("Policy limits#reads");
    expect(past.lines).toEqual(["id,n", ...Array.from({ length: 10 }, (_, i) => `${i + 1},0`), "on"]);
  });

  test("in: all of it or nothing", async () => {
    const input = (from: number, to: number) => `\\copy stock (id) from program 'seq ${from} ${to}'`;
    expect((await psql(input(100, 104))).stderr).toBe("");
    expect(await psql(input(200, 299), "select 'on'")).toMatchObject({
      stderr: expect.stringContaining("Policy limits#writes"),
      lines: ["on"],
    });
    expect(Number((await world.direct("select count(*) from stock where id >= 100")).rows[0].count)).toBe(5);
  });
});
