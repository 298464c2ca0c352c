/** Messages in any order around COPY, to a real server: it says the same of them whether or not the machines carry them. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import pg from "pg";
import { target } from "../../../../test/fuzz/target.js";
import { type FreshDatabase, freshDatabase } from "../../../../test/servers/postgres.js";
import { Relay } from "./relay.fixture.js";
import { errorFields, front, taken } from "./wire.fixture.js";

const SINKS = `
  create temp table sink (n int);
  create temp view no_sink as select n from sink;
  create temp table ones (n int unique); insert into ones values (1);`;
const COPY = "copy sink from stdin";
const text = fc.constantFrom(
  COPY,
  COPY,
  `${COPY}; ${COPY}`,
  `${COPY}; select 7; ${COPY}; select n + 0 from sink`,
  `select 7; ${COPY}; select 1 / 0`,
  // It fails before it reads any data, or at the end of them.
  "copy no_sink from stdin",
  "copy ones from stdin",
  "copy sink to stdout",
  "select 7",
  "select 1 / 0",
  "begin",
  "rollback",
  "prepare p as select 8",
  "execute p",
);
const name = fc.constantFrom("", "a");
const data = fc.constantFrom("1\n", "2\n3\n", "4", "\n", "no number\n", "\\.\n");
const ended = fc.constantFrom([], [front.sync()], [front.flush()]);
const ran = (sql: string, portal = "") => [front.parse("", sql), front.bind(portal, ""), front.execute(portal)];

/** What a client sends in one go, most of it in its place. */
const said = fc.oneof(
  { weight: 3, arbitrary: text.map((sql) => [front.query(sql)]) },
  {
    weight: 3,
    arbitrary: fc.tuple(text, name, ended).map(([sql, portal, end]) => [...ran(sql, portal), ...end]),
  },
  {
    // All that belongs to a COPY, and more behind it, before anything is known of it.
    weight: 2,
    arbitrary: fc
      .tuple(text, ended, fc.array(data, { maxLength: 2 }), fc.array(text, { maxLength: 2 }))
      .map(([sql, end, pieces, behind]) => [
        ...[...ran(sql), ...end, ...pieces.map(front.copyData), front.copyDone()],
        ...behind.flatMap((each) => ran(each)),
        front.sync(),
      ]),
  },
  {
    weight: 3,
    arbitrary: data.map((piece) => [front.copyData(piece)]),
  },
  { weight: 4, arbitrary: fc.constant([front.copyDone()]) },
  { weight: 3, arbitrary: fc.constant([front.sync()]) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      [front.copyFail("no more")],
      [front.flush()],
      [front.execute("a")],
      [front.describe("P", "a")],
      [front.close("P", "a")],
      [front.call(1317, ["length"])],
      Array.from({ length: 20 }, front.sync),
    ),
  },
);

/** Ends whatever is open: the data, what is skipped, the transaction. */
const END = [front.copyFail("the end"), front.sync(), front.query("rollback"), front.query("select 'the end'")];

/** What a conversation says itself where it ends a session: it cannot tell what the server will do. */
const OWN = /cannot be told|has no place in COPY data/;
/** How a COPY fails. */
const FAILED = /^E ERROR (22P02|22P04|57014|42809|23505) /;

describe("around COPY", () => {
  let database: FreshDatabase;
  let relay: Relay;
  let port: number;

  beforeAll(async () => {
    database = await freshDatabase();
    relay = new Relay(new URL(database.url));
    port = await relay.listen();
  });
  afterAll(async () => {
    await relay?.close();
    await database?.drop();
    expect(relay.errors).toEqual([]);
  });

  /** Sends the pieces, `turns` of the event loop apart, and gives what is answered to all of it, a line a message. */
  async function converse(settings: pg.ClientConfig, pieces: readonly Buffer[], turns: readonly number[]) {
    const client = new pg.Client(settings);
    client.on("error", () => {});
    await client.connect();
    await client.query(SINKS);
    const { stream } = (client as never as { connection: { stream: Socket } }).connection;
    stream.removeAllListeners("data");
    const heard: Buffer[] = [];
    let ended = false;
    const over = new Promise<void>((resolve) => {
      stream.on("data", (chunk: Buffer) => {
        heard.push(chunk);
        const tail = Buffer.concat(heard.slice(-8)).subarray(-100);
        if (tail.includes("the end\x43") && tail.at(-6) === 0x5a) resolve();
      });
      stream.on("close", () => {
        ended = true;
        resolve();
      });
    });
    for (const [at, piece] of pieces.entries()) {
      for (let left = turns[at % turns.length] ?? 0; left > 0; left--) await turn();
      if (!ended) stream.write(piece);
    }
    await over;
    if (!ended) {
      stream.destroy();
      await once(stream, "close");
    }
    const lines = taken(Buffer.concat(heard)).map(({ type, body }) => {
      if (type !== "E" && type !== "N") return `${type} ${body}`;
      const { S, C, M } = errorFields(body);
      return `${type} ${S} ${C} ${M}`;
    });
    return { lines, ended };
  }

  target(
    "wire-copies",
    "a real server is heard to say what it says to who asks it directly",
    60,
    fc.asyncProperty(fc.array(said, { maxLength: 14 }), fc.array(fc.nat(60), { maxLength: 5 }), async (sent, turns) => {
      const pieces = [...sent.flat(), Buffer.concat(END)];
      const direct = await converse({ connectionString: database.url }, [Buffer.concat(pieces)], []);
      const through = { host: "127.0.0.1", port, user: "foil_abc", password: "secret", database: "x" };
      const carried = await converse(through, pieces, turns);
      const own = carried.ended && OWN.test(carried.lines.at(-1) ?? "");
      if (!own && !direct.ended) return expect(carried).toEqual(direct);
      expect(carried.ended).toBe(true);
      // A connection that is reset has not always given all it was to give.
      const said = own ? carried.lines.slice(0, -1) : carried.lines;
      const both = Math.min(said.length, direct.lines.length);
      expect(said.slice(0, both)).toEqual(direct.lines.slice(0, both));
      // What is out of its place ends the session there too, if it comes to that.
      expect(direct.ended || direct.lines.some((line) => FAILED.test(line))).toBe(true);
    }),
  );
});
