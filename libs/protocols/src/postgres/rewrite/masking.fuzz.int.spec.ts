/**
 * Values of every type as a real server sends them, masked by every transform, and given to the server again: what is
 * masked is a value of its type in every format, and tells no more than its transform says.
 */
import fc from "fast-check";
import pg from "pg";
import type { BulkFormat, MaskPlan } from "#commands";
import { maskFor, showsNothing, type TransformSpec } from "#masking";
import { target } from "../../../../../test/fuzz/target.js";
import { type FreshDatabase, freshDatabase } from "../../../../../test/servers/postgres.js";
import { KNOWN_OIDS } from "../../../../masking/src/types/catalog.js";
import { literalsOf } from "../../../../masking/src/values.fixture.js";
import { Driven } from "../conversation.fixture.js";
import { cuts, parts } from "../damage.fixture.js";
import { front, taken, valuesOf } from "../wire.fixture.js";

const ROWS = 3;
/** No column has them: unknown, cstring and its array. */
const PSEUDO = new Set([705, 2275, 1263]);
const OIDS = KNOWN_OIDS.filter((oid) => !PSEUDO.has(oid));

interface Filled {
  readonly oid: number;
  /** Null: it is not masked. */
  readonly transform: TransformSpec | null;
  /** As literals. */
  readonly values: readonly (string | null)[];
}
type Way =
  | { readonly kind: "rows"; readonly binary: boolean }
  | ({ readonly kind: "copy" } & { readonly format: BulkFormat });

/** Filled before anything is generated. */
const names = new Map<number, string>();
const number = (most: number) => fc.nat(most).map(String);
const transform: fc.Arbitrary<TransformSpec> = fc.oneof(
  fc.constantFrom<TransformSpec>({ kind: "redact", options: {} }, { kind: "null", options: {} }),
  fc
    .record({
      keep_first: number(4),
      keep_last: number(6),
      keep_domain: fc.constantFrom("true", "false"),
      mask: fc.constantFrom(...'*x,\\"'),
    })
    .map((options) => ({ kind: "partial", options })),
  fc.integer({ min: 8, max: 64 }).map((length) => ({ kind: "hash", options: { length: String(length) } })),
  fc
    .constantFrom(
      "hidden",
      "\\N",
      "\\.",
      ",",
      '"',
      "0",
      "-7.50",
      "true",
      "2024-02-29",
      "\\xff",
      '{"a":"b\\n"}',
      "a\tb\nc",
      "",
    )
    .map((value) => ({ kind: "fixed", options: { value } })),
);
const filled: fc.Arbitrary<Filled> = fc.constantFrom(...OIDS).chain((oid) =>
  fc.record({
    oid: fc.constant(oid),
    transform: fc.option(transform, { freq: 4 }),
    values: fc.array(fc.option(literalsOf(names.get(oid)!), { freq: 5 }), { minLength: ROWS, maxLength: ROWS }),
  }),
);
const csv = fc
  .record<BulkFormat>({
    kind: fc.constant("csv"),
    header: fc.boolean(),
    delimiter: fc.constantFrom(",", ";", "|", "\t", "\\"),
    quote: fc.constantFrom('"', "'", "a"),
    escape: fc.constantFrom('"', "^", "'"),
    null: fc.constantFrom("", "nil", "\\N", "*****"),
  })
  .filter((format) => !format.null!.includes(format.delimiter!));
const rows = (binary: boolean) => fc.constant<Way>({ kind: "rows", binary });
const copy = (format: fc.Arbitrary<BulkFormat>) => format.map((format): Way => ({ kind: "copy", format }));
const WAYS = {
  text: fc.oneof(
    rows(false),
    copy(csv),
    copy(
      fc.record<BulkFormat>({
        kind: fc.constant("text"),
        header: fc.boolean(),
        delimiter: fc.constantFrom("\t", "|", ","),
        null: fc.constantFrom("\\N", "nil", "*****"),
      }),
    ),
  ),
  binary: fc.oneof(rows(true), copy(fc.constant({ kind: "binary" }))),
};

let database: FreshDatabase;
let client: pg.Client;
let heard: Buffer[];
beforeAll(async () => {
  database = await freshDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query("select oid::int, typname from pg_type where oid = any($1)", [OIDS]);
  for (const { oid, typname } of rows) names.set(oid, typname);
  heard = [];
  // biome-ignore lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show
  const { stream } = (client as any).connection;
  stream.prependListener("data", (chunk: Buffer) => heard.push(Buffer.from(chunk)));
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

for (const format of ["text", "binary"] as const) {
  target(
    `masking-${format}`,
    "what is masked is well formed, of its type, and tells no more than its transform says",
    75,
    fc.asyncProperty(
      fc.array(filled, { minLength: 1, maxLength: 6 }),
      WAYS[format],
      cuts,
      async (columns, by, points) => {
        await client.query("begin");
        try {
          const types = columns.map(({ oid }, at) => `c${at} ${quoted(names.get(oid)!)}`).join(", ");
          await client.query(`create temp table given (n int, ${types}) on commit drop`);
          await client.query(`create temp table masked (like given) on commit drop`);
          for (let row = 0; row < ROWS; row++)
            await insert("given", [String(row), ...columns.map(({ values }) => values[row]!)]);
          await (by.kind === "rows" ? throughRows : throughCopy)(columns, by as never, points);
          const [before, after] = [await texts("given", columns), await texts("masked", columns)];
          for (const [row, values] of before.entries()) {
            for (const [at, column] of columns.entries()) {
              const told = `${names.get(column.oid)} ${JSON.stringify(column.transform)}`;
              const [value, shown] = [values[at]!, after[row]?.[at]];
              if (!fair(column, value, shown, by))
                throw new Error(`${told}: ${JSON.stringify(value)} is shown as ${JSON.stringify(shown)}`);
            }
          }
        } finally {
          await client.query("rollback");
        }
      },
    ),
  );
}

// ---- both ways through a conversation ------------------------------------------------------------------------------

const masksOf = (columns: readonly Filled[]) => [
  null,
  ...columns.map(
    ({ transform }) =>
      transform && maskFor({ transform, labels: ["pii"], direct: true, hashKey: new Uint8Array(32).fill(3) }),
  ),
];

/** What a client gets of what the server has said, in messages. */
function through(plan: Partial<MaskPlan>, asked: readonly Buffer[], points: readonly number[]) {
  const driven = new Driven();
  driven.decide = () => ({ columns: (all) => all.map(() => null), bulk: null, scrubTexts: false, ...plan });
  driven.client(...asked);
  const stream = Buffer.concat(heard);
  const shown = Buffer.concat([...parts(stream, points)].map((part) => driven.server(part)));
  expect(driven.faults).toEqual([]);
  return taken(shown);
}

async function throughRows(columns: readonly Filled[], { binary }: { binary: boolean }, points: readonly number[]) {
  const text = "select * from given order by n";
  heard.length = 0;
  await rowsOf(text, binary);
  const asked = [
    front.parse("", text),
    front.bind("", "", [], [binary ? 1 : 0]),
    front.describe("P", ""),
    front.execute(""),
    front.sync(),
  ];
  const rows = through({ columns: () => masksOf(columns) }, asked, points).filter(({ type }) => type === "D");
  for (const { body } of rows) {
    const values = valuesOf(Buffer.from(`D....${body}`, "latin1"));
    await insert(
      "masked",
      values.map((value) => (binary ? value : (value?.toString() ?? null))),
    );
  }
}

async function throughCopy(columns: readonly Filled[], { format }: { format: BulkFormat }, points: readonly number[]) {
  const { kind, header, ...more } = format;
  const options = [
    `format ${kind}`,
    ...(header ? ["header"] : []),
    ...Object.entries(more).map(([name, value]) => `${name} '${value!.replaceAll("'", "''")}'`),
  ];
  const text = `copy given to stdout (${options.join(", ")})`;
  heard.length = 0;
  await client.query(text);
  const bulk = masksOf(columns).map((mask, at) => ({ mask, oid: columns[at - 1]?.oid ?? 23 }));
  const data = through({ bulk, bulkFormat: format }, [front.query(text)], points).filter(({ type }) => type === "d");
  await copyIn(
    `copy masked from stdin (${options.join(", ")})`,
    data.map(({ body }) => Buffer.from(body, "latin1")),
  );
}

// biome-ignore-start lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show

/** Speaks on the wire itself: the driver has no COPY, and what it makes of binary values is its own affair. */
function speak(submit: (wire: any) => void, copied?: (wire: any) => void): Promise<void> {
  const ignored = () => {};
  return new Promise((done, failed) => {
    client.query({
      submit,
      handleRowDescription: ignored,
      handleDataRow: ignored,
      handleCopyData: ignored,
      handleCommandComplete: ignored,
      handleCopyInResponse: copied,
      handleError: failed,
      handleReadyForQuery: done,
    } as never);
  });
}

function rowsOf(text: string, binary: boolean): Promise<void> {
  return speak((wire) => {
    wire.parse({ text });
    wire.bind({ binary });
    wire.describe({ type: "P" });
    wire.execute({});
    wire.sync();
  });
}

function copyIn(text: string, data: readonly Buffer[]): Promise<void> {
  return speak(
    (wire) => wire.query(text),
    (wire) => {
      for (const chunk of data) wire.sendCopyFromChunk(chunk);
      wire.endCopyFrom();
    },
  );
}
// biome-ignore-end lint/suspicious/noExplicitAny: as above

// ---- what is in the tables -----------------------------------------------------------------------------------------

const quoted = (type: string) => `pg_catalog."${type}"`;

async function insert(table: string, values: readonly (string | Buffer | null)[]): Promise<void> {
  await client.query(`insert into ${table} values (${values.map((_, at) => `$${at + 1}`).join(", ")})`, [...values]);
}

async function texts(table: string, columns: readonly unknown[]): Promise<(string | null)[][]> {
  const list = columns.map((_, at) => `c${at}::text collate "C"`).join(", ");
  return (await client.query({ text: `select ${list} from ${table} order by n`, rowMode: "array" })).rows;
}

// ---- what may be shown ---------------------------------------------------------------------------------------------

/** What whole transforms show of each type, whatever the value, and `hash` of each value. */
const constant = new Map<string, string | null>();
const PARTLY = new Set(["text", "varchar", "name", "bpchar"]);

function fair({ oid, transform }: Filled, value: string | null, shown: string | null | undefined, by: Way): boolean {
  if (shown === undefined) return false;
  const type = names.get(oid)!;
  // In text a value can be written like NULL, which it then is to whoever reads it: the server leaves it at that.
  const marker = by.kind === "copy" && by.format.kind === "text" ? by.format.null : undefined;
  const blurred = marker !== undefined && marker !== "\\N";
  if (!transform) return shown === value || (blurred && value === marker);
  if (value === null || blurred) return shown === null;
  if (shown === null) return transform.kind === "null";
  // As wide as the column.
  if (type === "bpchar" && transform.kind !== "partial") return transform.kind === "hash" || /^\**$/.test(shown);
  const key = JSON.stringify([
    type,
    transform,
    showsNothing(transform) || (transform.kind === "partial" && !PARTLY.has(type)) ? "" : value,
  ]);
  if (!constant.has(key)) constant.set(key, shown);
  if (constant.get(key) !== shown) return false;
  if (transform.kind !== "partial" || !PARTLY.has(type)) return true;
  const at = /^[!-?A-\uffff]+@[!-?A-\uffff]+\.[a-z]{2,18}$/i.test(value) ? value.indexOf("@") : -1;
  const { keep_first: first, keep_last: last, keep_domain: domain, mask } = transform.options as Record<string, string>;
  if (at < 0 || value.length - at - 1 > 64) return partly(value, shown, Number(first), Number(last), mask!);
  const cut = shown.lastIndexOf("@");
  const end = domain === "true" ? value.slice(at + 1) : value.slice(value.lastIndexOf("."));
  const hidden = shown.slice(cut + 1, shown.length - end.length);
  return (
    partly(value.slice(0, at), shown.slice(0, cut), Number(first), Number(last), mask!) &&
    shown.endsWith(end) &&
    [...hidden].every((letter) => letter === mask)
  );
}

/** Whether no more than the first and last characters show, and those only of a value at least twice as long. */
function partly(value: string, shown: string, first: number, last: number, mask: string): boolean {
  const [from, to] = [[...value], [...shown]];
  if ((first + last) * 2 > from.length) return to.every((letter) => letter === mask);
  return (
    to.slice(0, first).join("") === from.slice(0, first).join("") &&
    (last === 0 || to.slice(-last).join("") === from.slice(-last).join("")) &&
    to.slice(first, to.length - last).every((letter) => letter === mask)
  );
}
