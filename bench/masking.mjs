// `node --import ./test/typescript.mjs bench/masking.mjs [--only "copy text"] [--rounds 9]`: what a row of ten texts costs the
// conversation alone, in microseconds of processor time, by how many of them are masked and how. No sockets, no database:
// the server's bytes are made here and come in chunks as large as a socket's.
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: { only: { type: "string", default: "" }, rounds: { type: "string", default: "9" } },
});
const { NOTHING_MASKED } = await import("../libs/commands/src/index.ts");
const { maskFor } = await import("../libs/masking/src/index.ts");
const { postgres } = await import("../libs/protocols/src/postgres/protocol.ts");
const { back, front } = await import("../libs/protocols/src/postgres/wire.fixture.ts");

const TEXT = 25;
const COLUMNS = 10;
const ROWS = 20_000;
const CHUNK = 64 * 1024;
const KINDS = { partial: { keep_first: "1" }, redact: {}, null: {}, hash: {} };

const columns = Array.from({ length: COLUMNS }, (_, index) => ({ name: `c${index}`, oid: TEXT }));
const rows = Array.from({ length: ROWS }, (_, row) =>
  columns.map((_, index) => `value ${row % (1000 + index)}@example.com`),
);
const COPY_HEADER = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]);
const copied = (format, data) => [back.copyOut(COLUMNS, format), ...data.map(back.copyData), back.copyDone()];
const tuple = (values) => back.row(...values).subarray(5);
const WAYS = {
  rows: [back.columns(...columns), ...rows.map((values) => back.row(...values))],
  "copy text": copied(
    0,
    rows.map((values) => `${values.join("\t")}\n`),
  ),
  "copy csv": copied(
    0,
    rows.map((values) => `${values.join(",")}\n`),
  ),
  "copy binary": copied(1, [COPY_HEADER, ...rows.map(tuple), Buffer.from([255, 255])]),
};

function measured({ way, masked, kind }) {
  const stream = Buffer.concat([...WAYS[way], back.complete(`SELECT ${ROWS}`), back.ready()]);
  const samples = Array.from({ length: Number(options.rounds) }, () =>
    run(planOf(way, masked, kind), chunksOf(stream)),
  );
  // What runs for weeks has been compiled.
  const counted = samples.slice(2).toSorted((a, b) => a - b);
  return Number(counted[Math.floor(counted.length / 2)].toFixed(2));
}

/** Its own copy: what is masked may take the place of what it hides. */
function chunksOf(stream) {
  return Array.from({ length: Math.ceil(stream.length / CHUNK) }, (_, at) =>
    Buffer.from(stream.subarray(at * CHUNK, (at + 1) * CHUNK)),
  );
}

function planOf(way, masked, kind) {
  if (masked === 0) return NOTHING_MASKED;
  const transform = { kind, options: KINDS[kind] };
  const masks = columns.map((_, index) =>
    index < masked ? maskFor({ transform, labels: ["pii"], direct: true, hashKey: new Uint8Array(32).fill(1) }) : null,
  );
  return {
    columns: () => masks,
    bulk: masks.map((mask) => ({ mask, oid: TEXT })),
    bulkFormat: { kind: way.replace("copy ", "") },
    scrubTexts: false,
  };
}

/** @returns microseconds of processor time a row. */
function run(plan, chunks) {
  const conversation = postgres.conversation({ messageLimit: 1 << 20, parameters: new Map() });
  conversation.pushClient(front.query("select"));
  conversation.allow(conversation.nextClient().gate, plan);
  const before = process.cpuUsage();
  for (const chunk of chunks) {
    conversation.pushServer(chunk);
    for (let step = conversation.nextServer(); step; step = conversation.nextServer())
      if (step.kind === "fault") throw new Error(step.refusal.message);
  }
  const { user, system } = process.cpuUsage(before);
  if (conversation.busy) throw new Error("the answer has no end");
  return (user + system) / ROWS;
}

const cases = Object.keys(WAYS)
  .filter((way) => way.includes(options.only))
  .flatMap((way) => [
    { way, masked: 0, kind: "" },
    ...Object.keys(KINDS).flatMap((kind) => [1, COLUMNS].map((masked) => ({ way, masked, kind }))),
  ]);
console.table(cases.map((one) => ({ ...one, "µs a row": measured(one) })));
