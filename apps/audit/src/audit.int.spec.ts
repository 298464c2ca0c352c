import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { append, decodeFrontier, emptyFrontier, leafHash, rootOf } from "#audit-log";
import { AUDIT_APPENDED, auditV1, edgeRecordsSubject, edgeV1, STREAM } from "#contracts";
import { command, context, done, ended, type RecordInit, RunningAudit, runs, started, until } from "./audit.fixture.js";

const { getSession } = auditV1.Audit.method;

let audit: RunningAudit;
beforeAll(async () => {
  audit = await RunningAudit.start();
});
afterAll(() => audit?.drop());

describe("the log", () => {
  it("takes decided facts in, in order, without their secrets", async () => {
    const first = await audit.decide("PolicyChanged", { text: "permit" });
    const second = await audit.decide(
      "TokenMinted",
      { verifier: "SCRAM-SHA-256$secret", grant: { resource: "shop" } },
      "token",
    );
    await audit.inLog(second);
    const entries = (await audit.entries()).filter((entry) => entry.origin === "control");
    expect(entries.map((entry) => JSON.parse(entry.json).sequence)).toEqual(entries.map((_, n) => n + 1));
    expect(entries.map((entry) => entry.type)).toEqual(["policy.changed", "token.minted"]);
    expect(JSON.parse(entries[0]!.json).data).toMatchObject({
      command_id: first,
      actor: { id: "ada" },
      reason: "because",
    });
    expect(entries[1]!.json).not.toContain("SCRAM-SHA-256$secret");
  });

  it("takes records in and acknowledges them to the enforcer, once they are in the log", async () => {
    const edge = audit.enforcer();
    const announced: bigint[] = [];
    const subscription = audit.bus.nats.subscribe(AUDIT_APPENDED, {
      callback: (_error, message) => {
        announced.push(fromBinary(auditV1.ListEntriesResponseSchema, message.data).head);
      },
    });
    await edge.ship(started("a-1"), runs("a-1", 1), done("a-1", 1), ended("a-1"));
    await edge.acknowledged();
    expect((await audit.ofSource(edge.name)).map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, "session.started"],
      [2, "command.started"],
      [3, "command.ended"],
      [4, "session.ended"],
    ]);
    const head = BigInt((await audit.entries()).length);
    await until(() => announced.includes(head));
    subscription.unsubscribe();
  });

  it("takes each record once, whatever is sent again", async () => {
    const edge = audit.enforcer();
    const batch = edge.records(started("b-1"), runs("b-1", 1), done("b-1", 1));
    await edge.publish(batch);
    await edge.publish(batch.slice(0, 2));
    await edge.publish([...batch.slice(1), ...edge.records(ended("b-1"))]);
    await edge.acknowledged();
    expect((await audit.ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("puts batches that overtook each other back in order, and acknowledges nothing beyond a gap", async () => {
    const edge = audit.enforcer();
    const batch = edge.records(started("c-1"), runs("c-1", 1), done("c-1", 1), ended("c-1"));
    await edge.publish(batch.slice(0, 1));
    await edge.publish(batch.slice(2));
    await edge.acknowledged(1);
    const other = audit.enforcer();
    await other.ship(started("c-2"));
    await other.acknowledged();
    expect(edge.told).toBe(1);
    await edge.publish(batch.slice(1, 2));
    await edge.acknowledged(4);
    expect((await audit.ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("asks for what is missing while it can still come, and says it is where it cannot", async () => {
    const edge = audit.enforcer();
    const batch = edge.records(started("m-1"), runs("m-1", 1), done("m-1", 1), runs("m-1", 2), ended("m-1"));
    await edge.publish(batch.slice(0, 1), 1);
    await edge.acknowledged(1);
    await edge.publish(batch.slice(4), 2);
    await until(() => edge.gaps.includes(1));
    expect(edge.told).toBe(1);
    // Now its oldest file is gone.
    await edge.publish(batch.slice(3, 4), 4);
    await edge.acknowledged(5);
    const entries = await audit.ofSource(edge.name);
    expect(entries.map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, "session.started"],
      [3, "records.missing"],
      [4, "command.started"],
      [5, "session.ended"],
    ]);
    expect(entries[1]).toMatchObject({ origin: "audit", data: { enforcer_id: edge.id, first: "2", last: "3" } });
    // Should they turn up after all, they are known.
    await edge.publish(batch, 1);
    const other = audit.enforcer();
    await other.ship(started("m-2"));
    await other.acknowledged();
    expect(await audit.ofSource(edge.name)).toHaveLength(4);
  });

  it("says what is missing of a spool that was shipped whole before the log was set back", async () => {
    const edge = audit.enforcer();
    await edge.ship(started("m-3"), runs("m-3", 1));
    await edge.acknowledged();
    const [reborn, unknown] = [audit.enforcer(edge.id), "00000000-0000-4000-8000-000000000000"];
    const opened = (replaces: string, last: bigint): RecordInit => ({
      fact: { case: "spoolOpened", value: { replaces, last } },
    });
    await reborn.ship(opened(edge.source, 5n), opened(unknown, 2n), opened(edge.source, 5n));
    await reborn.acknowledged();
    const missing = [...(await audit.ofSource(edge.name)), ...(await audit.ofSource(`${edge.id}/${unknown}`))];
    expect(missing.map(({ sequence, type, data }) => [sequence, type, data.first, data.last]).slice(2)).toEqual([
      [5, "records.missing", "3", "5"],
      [2, "records.missing", "1", "2"],
    ]);
    const [lost] = (await audit.ofSource("audit")).filter(({ session_id }) => session_id === "m-3");
    expect(lost.index).toBeGreaterThan(missing[2].index);
  });

  it("has nothing missing of a spool that its node took along, registered anew", async () => {
    const edge = audit.enforcer();
    const batch = edge.records(started("m-4"), runs("m-4", 1), done("m-4", 1), ended("m-4"));
    await edge.publish(batch.slice(0, 2), 1);
    await edge.acknowledged(2);
    const [anew, reborn] = [`${edge.id}-anew`, randomUUID()];
    const left = audit.enforcer(anew, edge.source);
    await left.publish(batch.slice(2), 3);
    await left.acknowledged(4);
    const opening = audit.enforcer(anew, reborn);
    await opening.ship({ fact: { case: "spoolOpened", value: { replaces: edge.source, last: 4n } } });
    await opening.acknowledged();
    const third = audit.enforcer(`${edge.id}-third`);
    await third.ship({ fact: { case: "spoolOpened", value: { replaces: edge.source, last: 4n } } });
    await third.acknowledged();
    const types = (await audit.entries())
      .map(({ json }) => JSON.parse(json))
      .filter(({ source }) => source.includes(edge.source));
    expect(types.map(({ type, sequence }) => [type, sequence])).toEqual([
      ["session.started", 1],
      ["command.started", 2],
      ["record.disowned", 3],
      ["record.disowned", 4],
    ]);
  });

  it("stops at a gap within a batch", async () => {
    const edge = audit.enforcer();
    const batch = edge.records(started("c-3"), runs("c-3", 1), done("c-3", 1), ended("c-3"));
    await edge.publish([batch[0]!, batch[2]!]);
    await edge.acknowledged(1);
    await edge.publish(batch);
    await edge.acknowledged(4);
    expect((await audit.ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("parks what can't be read, and goes on", async () => {
    const edge = audit.enforcer();
    const garbage = Buffer.from(`\xff\xff garbage ${edge.id}`, "latin1");
    await audit.bus.nats.request(edgeRecordsSubject(edge.id), garbage);
    await audit.bus.nats.request(edgeRecordsSubject(edge.id), garbage);
    await audit.bus.nats.request(
      edgeRecordsSubject(edge.id),
      toBinary(edgeV1.RecordBatchSchema, create(edgeV1.RecordBatchSchema, { source: edge.source })),
    );
    await edge.ship({ sessionId: "d-1" }, started("d-1"), {
      sessionId: "d-1",
      time: { seconds: 253402300800n * 1000n },
      fact: { case: "sessionEnded", value: {} },
    });
    await edge.acknowledged(3);
    const entries = (await audit.entries())
      .map((entry) => JSON.parse(entry.json))
      .filter((e) => e.data.enforcer_id === edge.id);
    expect(entries.map(({ type }) => type)).toEqual([
      "record.unreadable",
      "record.unreadable",
      "record.unreadable",
      "session.started",
      "record.unreadable",
    ]);
    expect(Buffer.from(entries[0].data.bytes, "base64")).toEqual(garbage);
  });

  it("makes unreadable only what can't be stored, in its place", async () => {
    const edge = audit.enforcer();
    await edge.ship(
      started("d-2"),
      { ...runs("d-2", 1), time: { $typeName: "google.protobuf.Timestamp", seconds: 300_000_000_000n, nanos: 0 } },
      { sessionId: "d-2", fact: { case: "commandStarted", value: { command: command(2, "select 'nul \0'") } } },
    );
    await edge.acknowledged(3);
    expect((await audit.ofSource(edge.name)).map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, "session.started"],
      [2, "record.unreadable"],
      [3, "command.started"],
    ]);
    const { commands } = await audit.bus.call(getSession, { id: "d-2" }, context());
    expect(commands.map(({ statement }) => statement)).toEqual(["select 'nul \ufffd'"]);
  });

  it("takes out of the stream what is in the log, and only that", async () => {
    const edge = audit.enforcer();
    const batch = edge.records(started("q-1"), runs("q-1", 1), done("q-1", 1));
    await edge.publish(batch.slice(0, 1));
    await edge.acknowledged(1);
    const { streams } = await jetstreamManager(audit.bus.nats);
    await until(async () => (await streams.info(STREAM.records.name)).state.messages === 0);
    // It waits for what is missing.
    await edge.publish(batch.slice(2));
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect((await streams.info(STREAM.records.name)).state.messages).toBe(1);
    await edge.publish(batch.slice(1, 2));
    await edge.acknowledged();
    expect((await audit.ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  }, 60_000);

  it("can be read past a message of megabytes that is no batch", async () => {
    const edge = audit.enforcer();
    const js = jetstream(audit.bus.nats);
    await js.publish(edgeRecordsSubject(edge.id), Buffer.alloc(7 << 20, 7));
    await edge.ship(started("m-1"));
    await edge.acknowledged();
    expect(await audit.ofSource(edge.name)).toHaveLength(1);
  });

  it("goes on where it stopped, without a gap and without a duplicate", async () => {
    const edge = audit.enforcer();
    await edge.ship(started("e-1"));
    await audit.stop();
    await edge.ship(runs("e-1", 1), done("e-1", 1));
    await audit.start();
    await edge.ship(ended("e-1"));
    await edge.acknowledged();
    expect((await audit.ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("is dense, and its tree is the entries'", async () => {
    const entries = await audit.entries();
    expect(entries.map(({ index }) => Number(index))).toEqual(entries.map((_, n) => n + 1));
    expect(entries.map((entry) => leafHash(Buffer.from(entry.json)))).toEqual(
      entries.map((e) => Buffer.from(e.leafHash)),
    );
    const { dataSource } = audit;
    const [head] = await dataSource.query("SELECT size, frontier FROM audit.head");
    const root = rootOf(entries.map((entry) => Buffer.from(entry.leafHash)).reduce(append, emptyFrontier));
    expect(rootOf(decodeFrontier(Number(head.size), head.frontier))).toEqual(root);
  });

  it("can't be changed", async () => {
    const { dataSource } = audit;
    for (const sql of ["UPDATE audit.entry SET json = ''", "DELETE FROM audit.entry", "TRUNCATE audit.entry"]) {
      await expect(dataSource.query(sql)).rejects.toMatchObject({ driverError: { code: "42501" } });
    }
  });
});
