import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import type { EncodedBatch } from "#bus";
import type { Parameter } from "#commands";
import { edgeV1 } from "#contracts";
import { Spool } from "#spool";
import { systemClock } from "../clock.js";
import { ManualClock, settle } from "../manual-clock.fixture.js";
import type { Understood } from "../semantics/semantics.js";
import { commandFacts, shownParameters } from "./command-facts.js";
import { Recorder } from "./recorder.js";
import { Shipper } from "./shipper.js";

let folder: string;
let spool: Spool;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "recorder-"));
  spool = Spool.open({ folder: join(folder, "s"), segmentBytes: 4_000 });
});
afterEach(async () => {
  await spool.close();
  rmSync(folder, { recursive: true, force: true });
});

const understood: Understood = { operations: [], uses: [], statementCount: 1, fingerprint: "", problems: [] };
const gate = (text: string, parameters: Parameter[] = []) => ({
  stage: "run" as const,
  ordinal: 1,
  batch: 1,
  several: false,
  text,
  parameters,
});

describe("shipping", () => {
  const fill = async (count: number) => {
    const recorder = new Recorder(spool, systemClock);
    let sequence = 0;
    for (let n = 0; n < count; n++) sequence = recorder.record("s", "sessionEnded", ended(String(n)));
    await recorder.durable(sequence, "disk");
  };
  const ended = (message: string) => ({ cause: "client", message, commands: 0n, bytesIn: 0n, bytesOut: 0n });
  const acknowledge = (sequence: number) =>
    create(edgeV1.SpoolAcknowledgedSchema, { source: spool.source, sequence: BigInt(sequence) });

  function shipper() {
    const clock = new ManualClock();
    const batches: edgeV1.RecordBatch[] = [];
    const state = { broken: false, underway: Promise.resolve() };
    const publish = async ({ bytes }: EncodedBatch) => {
      await state.underway;
      if (state.broken) throw new Error("away");
      batches.push(fromBinary(edgeV1.RecordBatchSchema, bytes));
    };
    const ships = new Shipper(spool, { publish }, clock, pino({ level: "silent" }));
    const sent = () => batches.flatMap(({ records }) => records.map(({ sequence }) => Number(sequence)));
    const until = async (count: number) => {
      while (sent().length < count) await settle();
    };
    return { clock, batches, state, ships, sent, until };
  }

  test("everything goes in order, and only an acknowledgement frees it", async () => {
    await fill(300);
    const { ships, sent, until, batches } = shipper();
    ships.ship();
    await until(300);
    expect(sent()).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
    expect(new Set(batches.map(({ source }) => source))).toEqual(new Set([spool.source]));
    expect(spool.unacknowledged).toBe(300);
    ships.acknowledged(acknowledge(300));
    expect(spool.unacknowledged).toBe(0);
  });

  test("what is not acknowledged is sent again; another source's acknowledgement is not ours", async () => {
    await fill(20);
    const { ships, sent, until, clock } = shipper();
    ships.ship();
    await until(20);
    ships.acknowledged(create(edgeV1.SpoolAcknowledgedSchema, { source: "other", sequence: 20n }));
    ships.acknowledged(acknowledge(15));
    await settle();
    await clock.pass(5_000);
    await until(25);
    expect(sent().slice(20)).toEqual([16, 17, 18, 19, 20]);
  });

  test("an outage loses nothing", async () => {
    await fill(10);
    const { ships, sent, until, state, clock } = shipper();
    state.broken = true;
    ships.ship();
    for (let n = 0; n < 20; n++) await settle();
    expect(sent()).toEqual([]);
    state.broken = false;
    await clock.pass(5_000);
    await until(10);
  });

  test("after a restart it goes on behind what was acknowledged; what is new has to wait until all that is", async () => {
    await fill(10);
    spool.acknowledge(spool.source, 4);
    const before = spool.source;
    await spool.close();
    spool = Spool.open({ folder: join(folder, "s"), segmentBytes: 4_000 });
    await fill(2);
    const { ships, sent, until, batches } = shipper();
    ships.ship();
    await until(6);
    for (let n = 0; n < 20; n++) await settle();
    expect(sent()).toEqual([5, 6, 7, 8, 9, 10]);
    const acknowledgement = (sequence: bigint) => create(edgeV1.SpoolAcknowledgedSchema, { source: before, sequence });
    ships.acknowledged(acknowledgement(9n));
    for (let n = 0; n < 20; n++) await settle();
    expect(batches.every(({ source }) => source === before)).toBe(true);
    // It may have more than is left here.
    ships.acknowledged(acknowledgement(12n));
    await until(8);
    expect(sent().slice(-2)).toEqual([1, 2]);
    expect(batches.at(-1)!.source).toBe(spool.source);
    ships.acknowledged(acknowledge(2));
    expect(spool.unacknowledged).toBe(0);
  });

  test("what the audit service has lost again is sent again, as far as it is here", async () => {
    await fill(300);
    const { ships, sent, until, batches } = shipper();
    ships.ship();
    await until(300);
    ships.acknowledged(acknowledge(290));
    const { oldest } = spool.backlog;
    await fill(1);
    ships.ship();
    await until(301);
    // An older acknowledgement that comes late is none; behind a gap it is.
    ships.acknowledged(acknowledge(200));
    for (let n = 0; n < 20; n++) await settle();
    expect(sent()).toHaveLength(301);
    ships.acknowledged({ ...acknowledge(200), gap: true });
    await until(301 + 302 - oldest);
    expect(sent().slice(301)).toEqual(Array.from({ length: 302 - oldest }, (_, n) => oldest + n));
    expect(batches.at(-1)!.oldest).toBe(BigInt(oldest));
  });

  test("what is acknowledged whole while it is sent again leaves nothing out of what comes next", async () => {
    await fill(10);
    const before = spool.source;
    await spool.close();
    spool = Spool.open({ folder: join(folder, "s"), segmentBytes: 4_000 });
    await fill(2);
    const { ships, sent, until, state } = shipper();
    let arrive = () => {};
    state.underway = new Promise((arrived) => {
      arrive = arrived;
    });
    ships.ship();
    for (let n = 0; n < 20; n++) await settle();
    ships.acknowledged(create(edgeV1.SpoolAcknowledgedSchema, { source: before, sequence: 10n }));
    arrive();
    await until(12);
    expect(sent().slice(10)).toEqual([1, 2]);
  });

  test("its first record says whose place it takes, and what of it is lost", async () => {
    await fill(3);
    await spool.close();
    for (const name of readdirSync(join(folder, "s"))) if (name.endsWith(".seg")) rmSync(join(folder, "s", name));
    const lost = spool.source;
    spool = Spool.open({ folder: join(folder, "s") });
    const recorder = new Recorder(spool, systemClock);
    recorder.opened();
    await recorder.durable(1, "disk");
    const [frame] = await spool.backlog.read(0);
    expect(fromBinary(edgeV1.RecordSchema, frame!.payload).fact).toMatchObject({
      case: "spoolOpened",
      value: { replaces: lost, lost: 3n },
    });
  });
});

describe("what is recorded of a command", () => {
  test("is exactly what was sent", () => {
    const parameters: Parameter[] = [
      { kind: "text", value: "ä" },
      { kind: "binary", value: new Uint8Array([0, 255]) },
      { kind: "null" },
    ];
    const facts = commandFacts(gate("select $1", parameters), understood, null);
    expect(facts.statement).toBe("select $1");
    expect(facts.parameters.map(({ value }) => value.value)).toEqual(["ä", new Uint8Array([0, 255]), true]);
    expect(shownParameters(parameters)).toEqual(["ä", "\\x00ff", "NULL"]);
  });

  test("fits a message of the bus, whatever was sent; what is cut says its length and hash", () => {
    const huge = "é".repeat(5 << 20);
    const many: Parameter[] = Array.from({ length: 60_000 }, (_, n) =>
      n % 3 === 0
        ? { kind: "text", value: `value ${n} `.repeat(n % 500) }
        : n % 3 === 1
          ? { kind: "binary", value: new Uint8Array(n % 3_000) }
          : { kind: "null" },
    );
    const facts = commandFacts(gate(huge, [{ kind: "text", value: huge }, ...many]), understood, null);
    expect(
      JSON.stringify(facts, (_key, value) => (typeof value === "bigint" ? String(value) : value)).length,
    ).toBeGreaterThan(0);
    const bytes = new Recorder(spool, systemClock).record("s", "commandStarted", {
      command: facts,
      approvalId: "",
      labelsMasked: [],
    });
    expect(bytes).toBe(1);
    expect(spool.size).toBeLessThan(900 * 1024);
    expect(facts.statement).toMatch(/… \(10485760 bytes, SHA-256 [0-9a-f]{64}\) …é+$/);
    expect(facts.parameters[0]!.value.value).toMatch(/SHA-256/);
    expect(facts.parameters.at(-1)!.value.value).toMatch(/more parameters/);
  });
});
