import pg from "pg";
import { maskedBy } from "../../../test/masks.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { maskFor } from "./mask-for.js";
import { KNOWN_OIDS, typeOf } from "./types/catalog.js";

/** A value of each type, to be hidden. */
const SAMPLES: Record<string, string> = {
  bool: "true",
  bytea: "\\x5ec7e7",
  char: "S",
  name: "secretname",
  int8: "9007199254740993",
  int2: "-12345",
  int4: "1234567890",
  text: "Żółć secret@example.com",
  oid: "987654",
  json: '{"secret": [1]}',
  xml: "<secret/>",
  cidr: "192.168.7.0/24",
  float4: "3.25",
  float8: "-2.5e100",
  macaddr8: "08:00:2b:01:02:03:04:05",
  money: "123.45",
  macaddr: "08:00:2b:01:02:03",
  inet: "2001:db8::7",
  bpchar: "secret  ",
  varchar: "4111111111111234",
  date: "1815-12-10",
  time: "12:34:56.789",
  timestamp: "1815-12-10 12:34:56",
  timestamptz: "1815-12-10 12:34:56+02",
  interval: "3 days 04:05:06",
  timetz: "12:34:56+02",
  numeric: "-98765432109876.54321",
  uuid: "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
  jsonb: '{"secret": [1]}',
};
/** Without values of their own in a table. */
const PSEUDO = new Set(["cstring", "unknown", "_cstring"]);
const FIXED = ["7", "-0.0500", "1234567890.12345678901", "true", "2024-02-29", '{"hidden": 1}', "\\xff", "hidden"];
const TRANSFORMS = [
  { kind: "redact", options: {} },
  { kind: "partial", options: { keep_first: "1", keep_last: "2" } },
  { kind: "hash", options: {} },
  { kind: "hash", options: { length: "64" } },
  { kind: "null", options: {} },
  ...FIXED.map((value) => ({ kind: "fixed", options: { value } })),
];

describe("masked values sent back to PostgreSQL", () => {
  let database: FreshDatabase;
  let client: pg.Client;
  let names: ReadonlyMap<number, string>;
  let sendFunctions: ReadonlyMap<string, string>;
  beforeAll(async () => {
    database = await freshDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query("SELECT oid::int, typname, typsend::text FROM pg_type WHERE oid = ANY($1)", [
      KNOWN_OIDS,
    ]);
    names = new Map(rows.map((row) => [row.oid, row.typname]));
    sendFunctions = new Map(rows.map((row) => [row.typname, row.typsend]));
  });
  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });

  /** The value as the server itself sends it. pg reads answers as text, so what is binary comes through its function. */
  async function sent(type: string, literal: string, format: "text" | "binary"): Promise<Uint8Array> {
    const value = `$1::pg_catalog.${quoted(type)}`;
    const sql =
      format === "binary"
        ? `SELECT encode(${sendFunctions.get(type)}(${value}), 'hex') AS value`
        : `SELECT format('%s', ${value}) AS value`;
    const { rows } = await client.query(sql, [literal]);
    return Buffer.from(rows[0].value, format === "binary" ? "hex" : "utf8");
  }

  /** What the server makes of an encoded value: a Buffer goes in binary, a string as text. */
  async function understood(type: string, value: Uint8Array, format: "text" | "binary"): Promise<string> {
    const given = format === "binary" ? Buffer.from(value) : Buffer.from(value).toString("utf8");
    const { rows } = await client.query(`SELECT ($1::pg_catalog.${quoted(type)})::text AS value`, [given]);
    return rows[0].value;
  }
  const quoted = (type: string) => `"${type}"`;
  const sampleOf = (type: string) => SAMPLES[type] ?? `{${JSON.stringify(SAMPLES[type.slice(1)])}}`;

  it("knows the types by their right OIDs, arrays by their elements", async () => {
    expect(names.size).toBe(KNOWN_OIDS.length);
    const { rows } = await client.query(
      "SELECT oid::int, typname, typelem::int FROM pg_type WHERE oid = ANY($1) AND typname LIKE '\\_%'",
      [KNOWN_OIDS],
    );
    expect(rows.length).toBeGreaterThan(25);
    for (const { oid, typelem } of rows) {
      expect(Buffer.from(typeOf(oid).neutral!.binary).readUInt32BE(8)).toBe(typelem);
    }
    for (const name of names.values()) {
      if (!PSEUDO.has(name)) expect([name, SAMPLES[name] ?? SAMPLES[name.slice(1)]]).not.toContain(undefined);
    }
  });

  it.each(TRANSFORMS)("are values of their types: $kind $options", async (transform) => {
    for (const [oid, type] of names) {
      if (PSEUDO.has(type)) continue;
      const answers: (string | null)[] = [];
      for (const format of ["text", "binary"] as const) {
        const mask = maskFor({ transform, labels: ["pii"], direct: true, hashKey: new Uint8Array(32).fill(3) });
        const value = await sent(type, sampleOf(type), format);
        const masked = maskedBy(mask, value, { oid, format });
        if (transform.kind === "null") expect(masked).toBeNull();
        else expect([type, masked]).not.toContain(null);
        const read = masked && (await understood(type, masked, format));
        if (transform.kind !== "fixed") expect([type, read]).not.toContain(sampleOf(type));
        answers.push(read);
      }
      expect([type, answers[0]]).toEqual([type, answers[1]]);
    }
  });

  it("keep equal values equal over types that hold the same text", async () => {
    const mask = maskFor({
      transform: { kind: "hash", options: {} },
      labels: [],
      direct: true,
      hashKey: new Uint8Array(32).fill(3),
    });
    const read = async (type: string, oid: number) =>
      understood(type, maskedBy(mask, await sent(type, "4111", "binary"), { oid, format: "binary" })!, "binary");
    expect(await read("text", 25)).toBe(await read("varchar", 1043));
  });
});
