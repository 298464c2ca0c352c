// `node --import ./test/typescript.mjs bench/messages.mjs [--rounds 25]`: what a prepared select's nine messages cost the
// conversation alone, in microseconds: in a loop, and with the processor's caches emptied before each turn, which is nearer
// to a process that shares its core with the database and the clients. No sockets; messages are made here.
import { parseArgs } from "node:util";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "25" } } });
const { NOTHING_MASKED } = await import("../libs/commands/src/index.ts");
const { postgres } = await import("../libs/protocols/src/postgres/protocol.ts");
const { back, front } = await import("../libs/protocols/src/postgres/wire.fixture.ts");

const TRANSACTIONS = 8_000;
const INT4 = 23;
/** More than the cache of a core. */
const elsewhere = new Float64Array(1 << 17);

const asked = () =>
  Buffer.concat([front.bind("", "s", ["12345"]), front.describe("P", ""), front.execute(""), front.sync()]);
const answered = () =>
  Buffer.concat([
    back.bindComplete(),
    back.columns({ name: "abalance", oid: INT4, table: 16400, attribute: 3 }),
    back.row("0"),
    back.complete("SELECT 1"),
    back.ready(),
  ]);

const parameters = new Map([["client_encoding", "UTF8"]]);
const conversation = postgres.conversation({ messageLimit: 1 << 20, parameters, scrubNotifications: true });

function fromClient(chunk) {
  conversation.pushClient(chunk);
  for (let step = conversation.nextClient(); step; step = conversation.nextClient())
    if (step.kind === "gate") conversation.allow(step.gate, NOTHING_MASKED);
}

function fromServer(chunk) {
  conversation.pushServer(chunk);
  for (let step = conversation.nextServer(); step; step = conversation.nextServer())
    if (step.kind === "fault") throw new Error(step.refusal.message);
}

const turn = (act, chunk, cold) => {
  if (cold) for (let at = 0; at < elsewhere.length; at += 8) elsewhere[at]++;
  const began = process.hrtime.bigint();
  act(chunk);
  return process.hrtime.bigint() - began;
};

/** @returns microseconds a transaction. */
function round(cold) {
  const chunks = Array.from({ length: TRANSACTIONS }, () => [asked(), answered()]);
  let spent = 0n;
  for (const [question, answer] of chunks) spent += turn(fromClient, question, cold) + turn(fromServer, answer, cold);
  return Number(spent) / 1000 / TRANSACTIONS;
}

fromClient(Buffer.concat([front.parse("s", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"), front.sync()]));
fromServer(Buffer.concat([back.parseComplete(), back.ready()]));

console.table(
  [false, true].map((cold) => {
    const rounds = Array.from({ length: Number(options.rounds) }, () => round(cold)).toSorted((a, b) => a - b);
    const [least, median] = [rounds[0], rounds[Math.floor(rounds.length / 2)]].map((value) => value.toFixed(1));
    return { caches: cold ? "emptied" : "warm", least, median };
  }),
);
