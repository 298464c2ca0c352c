/** node-postgres: what a Node program does, and what it gets. */
import { once } from "node:events";
import pg from "pg";
import { answer, config, connect, endClients } from "./node-client.js";
import { sameEachWay } from "./same.js";
import { openWays, type Way, type Ways } from "./ways.js";

let ways: Ways;
beforeAll(async () => {
  ways = await openWays();
});
afterEach(endClients);
afterAll(async () => {
  await ways?.close();
});
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
