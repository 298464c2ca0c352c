/** Messages as no driver is made to send them all: the server's answers are the same, byte by byte. */
import { once } from "node:events";
import type { Socket } from "node:net";
import pg from "pg";
import { front } from "../../libs/protocols/src/postgres/wire.fixture.js";
import { CONVERSATIONS, IN_TURN, UNLABELLED } from "./messages.cases.js";
import { said } from "./said.js";
import { sameEachWay } from "./same.js";
import { openWays, type Way, type Ways } from "./ways.js";

/** How a ReadyForQuery begins. */
const READY = "Z\0\0\0\x05";

let ways: Ways;
beforeAll(async () => {
  ways = await openWays();
});
afterAll(async () => {
  await ways?.close();
});

/** Up to a Sync or a Query each: what is answered by one ReadyForQuery. */
function batches(messages: readonly Buffer[]): Buffer[] {
  const ends = messages.flatMap((message, at) => ("SQ".includes(String.fromCharCode(message[0]!)) ? [at + 1] : []));
  return ends.map((end, at) => Buffer.concat(messages.slice(ends[at - 1] ?? 0, end)));
}

/**
 * Sends them and waits for the answer to the last.
 *
 * @param piece how many bytes are sent at a time; "in turn": each batch when the one before is answered
 */
async function converse(way: Way, messages: readonly Buffer[], piece: number | "in turn"): Promise<string[]> {
  way.tap.taken();
  const client = new pg.Client(way.tapped);
  client.on("error", () => {});
  await client.connect();
  const { stream } = (client as never as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners("data");
  const heard: Buffer[] = [];
  const over = new Promise<void>((resolve, reject) => {
    stream.on("data", (chunk: Buffer) => {
      heard.push(chunk);
      const tail = Buffer.concat(heard.slice(-8)).subarray(-400);
      if (tail.includes("that was all") && tail.at(-6) === 0x5a) resolve();
    });
    stream.on("close", () => reject(new Error("the session was ended")));
  });
  over.catch(() => {});
  const all = [...messages, front.query("select 'that was all'")];
  if (piece === "in turn") {
    for (const [at, batch] of batches(all).entries()) {
      stream.write(batch);
      while (Buffer.concat(heard).toString("latin1").split(READY).length < at + 2) await once(stream, "data");
    }
  } else {
    const bytes = Buffer.concat(all);
    for (let at = 0; at < bytes.length; at += piece) {
      stream.write(bytes.subarray(at, at + piece));
      if (piece < 10_000) await new Promise((next) => setImmediate(next));
    }
  }
  try {
    await over;
  } catch {
    // What was said until then is compared too.
  }
  stream.destroy();
  return said(way.tap.taken()[0]!, (text) => text);
}

async function compare(on: readonly Way[], messages: readonly Buffer[]): Promise<void> {
  const small = Buffer.concat(messages).length < 20_000;
  for (const piece of small ? [1 << 30, 7] : [1 << 30]) {
    const lines = await sameEachWay(on, (way) => converse(way, messages, piece));
    expect(lines.slice(-3)).toEqual(["D that was all", "C SELECT 1\\u0000", "Z I"]);
  }
}

test.each(CONVERSATIONS)("%s", (_name, messages) => compare(ways.all, messages));

test.each(IN_TURN)("%s", async (_name, messages) => {
  const lines = await sameEachWay(ways.all, (way) => converse(way, messages, "in turn"));
  expect(lines.at(-1)).toBe("Z I");
});

test.each(UNLABELLED)("%s", (_name, messages) =>
  compare(
    ways.all.filter(({ name }) => name !== "labelled"),
    messages,
  ),
);
