import { randomUUID } from "node:crypto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { DataSource } from "typeorm";
import { append, decodeFrontier, emptyFrontier, leafHash, rootOf } from "#audit-log";
import { type Bus, BusFailure } from "#bus";
import { type RunningService, startService } from "#bus/nest";
import { AUDIT_APPENDED, auditV1, edgeRecordsSubject, edgeV1, pushSubject, STREAM } from "#contracts";
import { PostgresEventStore } from "#event-store-postgres";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { AuditModule } from "./audit.module.js";
import { rebuildSessions } from "./projections/sessions.js";

type RecordInit = MessageInitShape<typeof edgeV1.RecordSchema>;
const until = async (condition: () => Promise<boolean> | boolean) => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
};

describe("audit", () => {
  let database: FreshDatabase;
  let nats: FreshNats;
  let bus: Bus;
  let service: RunningService | undefined;
  const start = async () => {
    service = await startService({
      bus: { url: nats.url, name: "audit", credentials: await credentials() },
      modules: [AuditModule.register({ databaseUrl: database.url })],
      logger: false,
    });
  };
  const credentials = async () => (await import("node:fs")).readFileSync(nats.credentials.control, "utf8");
  const stop = async () => {
    await service?.close();
    service = undefined;
  };
  beforeAll(async () => {
    [database, nats] = await Promise.all([freshDatabase(), freshNats()]);
    bus = await nats.connect("test");
    await start();
  });
  afterAll(async () => {
    await stop();
    await Promise.all([database?.drop(), nats?.drop()]);
  });

  const context = () => ({ actor: { id: "ada", name: "Ada", roles: ["auditor"] }, commandId: randomUUID() });
  const { listEntries, listSessions, getSession } = auditV1.Audit.method;
  const all = async () => {
    const found: auditV1.Entry[] = [];
    for (;;) {
      const { entries, head } = await bus.call(listEntries, { after: found.at(-1)?.index ?? 0n, limit: 7 }, context());
      found.push(...entries);
      if ((found.at(-1)?.index ?? 0n) >= head) return found;
    }
  };
  const ofSource = async (source: string) =>
    (await all()).filter((entry) => JSON.parse(entry.json).source === source).map((entry) => JSON.parse(entry.json));

  const encoded = (source: string, records: RecordInit[]) => {
    const batch = create(edgeV1.RecordBatchSchema, { source, records });
    const name = `${source}/${batch.records[0]?.sequence}-${batch.records.at(-1)?.sequence}`;
    return { name, bytes: toBinary(edgeV1.RecordBatchSchema, batch) };
  };

  /** An enforcer with its spool, as the audit service sees it. */
  const enforcer = (id = `edge-${randomUUID().slice(0, 8)}`, source = randomUUID()) => {
    let sequence = 0;
    let acknowledged = 0;
    let clock = Date.now();
    bus.subscribePush([pushSubject.node(id)], ({ message }) => {
      if (message.case === "spoolAcknowledged" && message.value.source === source) {
        acknowledged = Math.max(acknowledged, Number(message.value.sequence));
      }
    });
    const records = (...facts: RecordInit[]): RecordInit[] =>
      facts.map((fact) => ({ time: timestampFromMs(clock++), ...fact, sequence: BigInt(++sequence) }));
    return {
      id,
      source,
      name: `${id}/${source}`,
      records,
      /** Sessions that begin are leased to it, unless another one has them. */
      async publish(batch: RecordInit[]) {
        await lease(id, batch);
        await bus.publishRecords(id, encoded(source, batch));
      },
      async ship(...facts: RecordInit[]) {
        await this.publish(records(...facts));
      },
      forge: (...facts: RecordInit[]) => bus.publishRecords(id, encoded(source, records(...facts))),
      acknowledged: (wanted = sequence) => until(() => acknowledged >= wanted),
      get told() {
        return acknowledged;
      },
    };
  };
  const principal = { id: "ci|repo:shop", issuer: "ci", subject: "repo:shop", name: "shop", groups: ["ci"], run: "42" };
  const started = (sessionId: string, over = {}): RecordInit => ({
    sessionId,
    fact: {
      case: "sessionStarted",
      value: {
        principal,
        resource: "shop",
        protocol: "postgres",
        tokenId: `t-${sessionId}`,
        clientAddress: "127.0.0.1:9",
        ...over,
      },
    },
  });
  const ended = (sessionId: string): RecordInit => ({
    sessionId,
    fact: { case: "sessionEnded", value: { cause: "client" } },
  });
  const command = (ordinal: number, statement = "select 1") => ({
    ordinal: BigInt(ordinal),
    statement,
    actions: ["sql:select"],
    tablesRead: ["public.customers"],
    policies: ["readers"],
    policyEpoch: 3n,
    parameters: [
      { value: { case: "text" as const, value: "a" } },
      { value: { case: "binary" as const, value: Buffer.from([1, 255]) } },
      { value: { case: "null" as const, value: true } },
    ],
  });
  const runs = (sessionId: string, ordinal: number, over = {}): RecordInit => ({
    sessionId,
    fact: { case: "commandStarted", value: { command: command(ordinal), ...over } },
  });
  const done = (sessionId: string, ordinal: number, over = {}): RecordInit => ({
    sessionId,
    fact: {
      case: "commandEnded",
      value: { ordinal: BigInt(ordinal), rows: 3n, bytes: 99n, valuesMasked: 2n, durationUs: 1500n, ...over },
    },
  });

  const decide = async (type: string, data: object, streamType = "policy", streamId = `policy-${randomUUID()}`) => {
    const store = service!.app.get(PostgresEventStore, { strict: false });
    const commandId = randomUUID();
    await store.append({
      streamId,
      streamType,
      expected: "any",
      commandId,
      requestHash: Buffer.alloc(32),
      events: [{ eventId: randomUUID(), schemaVersion: 1, event: { type, data } }],
      meta: { actor: { id: "ada", name: "Ada" }, commandId, reason: "because" },
    });
    return commandId;
  };
  const leased = new Set<string>();
  const redeem = (enforcerId: string, sessionId: string, grant: object) => {
    leased.add(sessionId);
    const stream = ["token", `token-t-${sessionId}`] as const;
    return decide("TokenMinted", { grant }, ...stream).then(() =>
      decide("TokenRedeemed", { sessionId, enforcerId }, ...stream),
    );
  };
  const lease = async (enforcerId: string, batch: readonly RecordInit[]) => {
    for (const { sessionId = "", fact } of batch) {
      if (fact?.case !== "sessionStarted" || leased.has(sessionId)) continue;
      const { resource } = fact.value;
      await redeem(enforcerId, sessionId, { resource, principal: { ...principal, onBehalfOf: [] } });
    }
  };
  const inLog = (commandId: string) =>
    until(async () => (await all()).some((entry) => JSON.parse(entry.json).data.commandId === commandId));

  it("takes decided facts in, in order, without their secrets", async () => {
    const first = await decide("PolicyChanged", { text: "permit" });
    const second = await decide(
      "TokenMinted",
      { verifier: "SCRAM-SHA-256$secret", grant: { resource: "shop" } },
      "token",
    );
    await inLog(second);
    const entries = (await all()).filter((entry) => entry.origin === "control");
    expect(entries.map((entry) => JSON.parse(entry.json).sequence)).toEqual(entries.map((_, n) => n + 1));
    expect(entries.map((entry) => entry.type)).toEqual(["policy.changed", "token.minted"]);
    expect(JSON.parse(entries[0]!.json).data).toMatchObject({
      commandId: first,
      actor: { id: "ada" },
      reason: "because",
    });
    expect(entries[1]!.json).not.toContain("SCRAM-SHA-256$secret");
  });

  it("takes records in and acknowledges them to the enforcer, once they are in the log", async () => {
    const edge = enforcer();
    const announced: bigint[] = [];
    const subscription = bus.nats.subscribe(AUDIT_APPENDED, {
      callback: (_error, message) => {
        announced.push(fromBinary(auditV1.ListEntriesResponseSchema, message.data).head);
      },
    });
    await edge.ship(started("a-1"), runs("a-1", 1), done("a-1", 1), ended("a-1"));
    await edge.acknowledged();
    expect((await ofSource(edge.name)).map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, "session.started"],
      [2, "command.started"],
      [3, "command.ended"],
      [4, "session.ended"],
    ]);
    const head = BigInt((await all()).length);
    await until(() => announced.includes(head));
    subscription.unsubscribe();
  });

  it("takes each record once, whatever is sent again", async () => {
    const edge = enforcer();
    const batch = edge.records(started("b-1"), runs("b-1", 1), done("b-1", 1));
    await edge.publish(batch);
    await edge.publish(batch.slice(0, 2));
    await edge.publish([...batch.slice(1), ...edge.records(ended("b-1"))]);
    await edge.acknowledged();
    expect((await ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("puts batches that overtook each other back in order, and acknowledges nothing beyond a gap", async () => {
    const edge = enforcer();
    const batch = edge.records(started("c-1"), runs("c-1", 1), done("c-1", 1), ended("c-1"));
    await edge.publish(batch.slice(0, 1));
    await edge.publish(batch.slice(2));
    await edge.acknowledged(1);
    const other = enforcer();
    await other.ship(started("c-2"));
    await other.acknowledged();
    expect(edge.told).toBe(1);
    await edge.publish(batch.slice(1, 2));
    await edge.acknowledged(4);
    expect((await ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("stops at a gap within a batch", async () => {
    const edge = enforcer();
    const batch = edge.records(started("c-3"), runs("c-3", 1), done("c-3", 1), ended("c-3"));
    await edge.publish([batch[0]!, batch[2]!]);
    await edge.acknowledged(1);
    await edge.publish(batch);
    await edge.acknowledged(4);
    expect((await ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it("parks what can't be read, and goes on", async () => {
    const edge = enforcer();
    const garbage = Buffer.from(`\xff\xff garbage ${edge.id}`, "latin1");
    await bus.nats.request(edgeRecordsSubject(edge.id), garbage);
    await bus.nats.request(edgeRecordsSubject(edge.id), garbage);
    await bus.nats.request(
      edgeRecordsSubject(edge.id),
      toBinary(edgeV1.RecordBatchSchema, create(edgeV1.RecordBatchSchema, { source: edge.source })),
    );
    await edge.ship({ sessionId: "d-1" }, started("d-1"), {
      sessionId: "d-1",
      time: { seconds: 253402300800n * 1000n },
      fact: { case: "sessionEnded", value: {} },
    });
    await edge.acknowledged(3);
    const entries = (await all()).map((entry) => JSON.parse(entry.json)).filter((e) => e.data.enforcerId === edge.id);
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
    const edge = enforcer();
    await edge.ship(
      started("d-2"),
      { ...runs("d-2", 1), time: { $typeName: "google.protobuf.Timestamp", seconds: 300_000_000_000n, nanos: 0 } },
      { sessionId: "d-2", fact: { case: "commandStarted", value: { command: command(2, "select 'nul \0'") } } },
    );
    await edge.acknowledged(3);
    expect((await ofSource(edge.name)).map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, "session.started"],
      [2, "record.unreadable"],
      [3, "command.started"],
    ]);
    const { commands } = await bus.call(getSession, { id: "d-2" }, context());
    expect(commands.map(({ statement }) => statement)).toEqual(["select 'nul \ufffd'"]);
  });

  it("takes out of the stream what is in the log, and only that", async () => {
    const edge = enforcer();
    const batch = edge.records(started("q-1"), runs("q-1", 1), done("q-1", 1));
    await edge.publish(batch.slice(0, 1));
    await edge.acknowledged(1);
    const { streams } = await jetstreamManager(bus.nats);
    await until(async () => (await streams.info(STREAM.records.name)).state.messages === 0);
    // It waits for what is missing.
    await edge.publish(batch.slice(2));
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect((await streams.info(STREAM.records.name)).state.messages).toBe(1);
    await edge.publish(batch.slice(1, 2));
    await edge.acknowledged();
    expect((await ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  }, 60_000);

  it("can be read past a message of megabytes that is no batch", async () => {
    const edge = enforcer();
    const js = jetstream(bus.nats);
    await js.publish(edgeRecordsSubject(edge.id), Buffer.alloc(7 << 20, 7));
    await edge.ship(started("m-1"));
    await edge.acknowledged();
    expect(await ofSource(edge.name)).toHaveLength(1);
  });

  it("goes on where it stopped, without a gap and without a duplicate", async () => {
    const edge = enforcer();
    await edge.ship(started("e-1"));
    await stop();
    await edge.ship(runs("e-1", 1), done("e-1", 1));
    await start();
    await edge.ship(ended("e-1"));
    await edge.acknowledged();
    expect((await ofSource(edge.name)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  describe("sessions", () => {
    it("are read with their commands", async () => {
      const edge = enforcer();
      await edge.ship(
        started("s-1", { clientApplication: "psql" }),
        runs("s-1", 1),
        done("s-1", 1),
        {
          sessionId: "s-1",
          fact: { case: "commandRefused", value: { command: command(2, "drop table t"), code: "42501", reason: "no" } },
        },
        {
          sessionId: "s-1",
          fact: {
            case: "commandHeld",
            value: { command: command(3, "alter table t"), approvalId: "ap-1", reason: "dba" },
          },
        },
        runs("s-1", 3, { approvalId: "ap-1" }),
        done("s-1", 3, { errorCode: "42P01", errorMessage: "no such table" }),
        runs("s-1", 4),
        ended("s-1"),
      );
      await edge.acknowledged();
      const { session, commands } = await bus.call(getSession, { id: "s-1" }, context());
      expect(session).toMatchObject({
        id: "s-1",
        status: "ended",
        resource: "shop",
        protocol: "postgres",
        enforcerId: edge.id,
        clientApplication: "psql",
        endedBecause: "client",
        commands: 4n,
        refused: 1n,
        valuesMasked: 4n,
      });
      expect(session?.principal).toMatchObject(principal);
      expect(
        commands.map(({ ordinal, verdict, status, approvalId }) => [ordinal, verdict, status, approvalId]),
      ).toEqual([
        [1n, "allow", "done", ""],
        [2n, "deny", "refused", ""],
        [3n, "hold", "failed", "ap-1"],
        [4n, "allow", "unknown", ""],
      ]);
      expect(commands[0]).toMatchObject({
        parameters: ["a", "\\x01ff", "NULL"],
        policies: ["readers"],
        policyEpoch: 3n,
        rows: 3n,
        bytes: 99n,
        durationUs: 1500n,
        tablesRead: ["public.customers"],
      });
      expect(commands[2]).toMatchObject({ errorCode: "42P01", reason: "no such table", statement: "alter table t" });
    });

    const spoolOpened = (replaces = ""): RecordInit => ({ fact: { case: "spoolOpened", value: { replaces } } });
    const get = async (id: string) => (await bus.call(getSession, { id }, context()))!;
    const statusOf = async (id: string) => (await get(id)).session?.status;

    it("are lost, with what was running, when another process takes their spool; others of the enforcer are not", async () => {
      const [edge, sibling] = [enforcer("edge-of-two"), enforcer("edge-of-two")];
      await edge.ship(spoolOpened(), started("l-1"), runs("l-1", 1), started("l-2"), ended("l-2"));
      await sibling.ship(spoolOpened(), started("l-3"));
      await edge.acknowledged();
      await sibling.acknowledged();
      expect([await statusOf("l-1"), await statusOf("l-2"), await statusOf("l-3")]).toEqual(["open", "ended", "open"]);
      await edge.ship(started("l-4"), spoolOpened(), started("l-5"));
      await edge.acknowledged();
      expect((await get("l-1")).commands[0]?.status).toBe("unknown");
      expect([await statusOf("l-1"), await statusOf("l-2"), await statusOf("l-3")]).toEqual(["lost", "ended", "open"]);
      expect([await statusOf("l-4"), await statusOf("l-5")]).toEqual(["lost", "open"]);
    });

    it("are lost when their damaged spool is carried on by another", async () => {
      const edge = enforcer();
      await edge.ship(spoolOpened(), started("damaged-1"));
      await edge.acknowledged();
      const reborn = enforcer(edge.id);
      await reborn.ship(spoolOpened(edge.source));
      await reborn.acknowledged();
      expect(await statusOf("damaged-1")).toBe("lost");
    });

    it("are found again when they speak", async () => {
      const edge = enforcer();
      await edge.ship(started("k-1"), started("k-2"));
      await edge.acknowledged();
      await inLog(await decide("EnforcerEnrolled", { softwareVersion: "1" }, "enforcer", `enforcer/${edge.id}`));
      expect([await statusOf("k-1"), await statusOf("k-2")]).toEqual(["lost", "lost"]);
      await edge.ship(ended("k-1"), { ...runs("k-2", 1), time: timestampFromDate(new Date(Date.now() + 60_000)) });
      await edge.acknowledged();
      expect([await statusOf("k-1"), await statusOf("k-2")]).toEqual(["ended", "open"]);
    });

    it("are lost when their enforcer enrolls again", async () => {
      const edge = enforcer();
      await edge.ship(started("n-1"), runs("n-1", 1));
      await edge.acknowledged();
      const id = await decide("EnforcerEnrolled", { softwareVersion: "1" }, "enforcer", `enforcer/${edge.id}`);
      await inLog(id);
      const { session, commands } = await bus.call(getSession, { id: "n-1" }, context());
      expect([session?.status, commands[0]?.status]).toEqual(["lost", "unknown"]);
    });

    it("that nobody leased are claims: kept in the log, marked, and in no view", async () => {
      const forger = enforcer();
      const boss = { ...principal, id: "demo|boss", subject: "boss", name: "boss" };
      await forger.forge(started("f-1", { principal: boss }), runs("f-1", 1), ended("f-1"));
      await forger.acknowledged();
      const entries = await ofSource(forger.name);
      expect(entries.map(({ type, sessionId }) => [type, sessionId])).toEqual(Array(3).fill(["record.disowned", ""]));
      expect(entries[0].data).toMatchObject({
        enforcerId: forger.id,
        why: "no token was redeemed for this session",
        claimed: { type: "session.started", sessionId: "f-1", data: { principal: { id: "demo|boss" } } },
      });
      await expect(bus.call(getSession, { id: "f-1" }, context())).rejects.toMatchObject({ code: "not_found" });
      // Whose it is later, it was not when that was said.
      await redeem(forger.id, "f-1", { resource: "shop", principal: { ...principal, onBehalfOf: [] } });
      await forger.forge(started("f-1"));
      await forger.acknowledged();
      const { session } = await bus.call(getSession, { id: "f-1" }, context());
      expect(session).toMatchObject({ enforcerId: forger.id, principal: { id: "ci|repo:shop" } });
    });

    it.each([
      ["principal", { principal: { ...principal, name: "boss" } }, "the session's token is another principal's"],
      ["resource", { resource: "bank" }, "the session's token is for another resource"],
      ["token", { tokenId: "t-other" }, "another token was redeemed for this session"],
    ])("are not believed where they name another %s than their token", async (what, over, why) => {
      const forger = enforcer();
      await redeem(forger.id, `g-${what}`, { resource: "shop", principal: { ...principal, onBehalfOf: [] } });
      await forger.forge(started(`g-${what}`, over));
      await forger.acknowledged();
      const [entry] = await ofSource(forger.name);
      expect(entry).toMatchObject({ type: "record.disowned", data: { why } });
    });

    it("are known before the log has followed their redemption, and by a service that has just started", async () => {
      const edge = enforcer();
      const dataSource = service!.app.get(DataSource, { strict: false });
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction();
      try {
        await runner.query("SELECT 1 FROM es.checkpoint WHERE consumer = 'audit' FOR UPDATE");
        await edge.ship(started("o-1"));
        await edge.acknowledged();
        expect(await dataSource.query("SELECT 1 FROM audit.lease WHERE session_id = 'o-1'")).toEqual([]);
      } finally {
        await runner.rollbackTransaction();
        await runner.release();
      }
      expect((await ofSource(edge.name)).map(({ type }) => type)).toEqual(["session.started"]);
      await until(
        async () => (await dataSource.query("SELECT 1 FROM audit.lease WHERE session_id = 'o-1'")).length === 1,
      );
      await stop();
      await start();
      await edge.ship(ended("o-1"));
      await edge.acknowledged();
      expect((await bus.call(getSession, { id: "o-1" }, context())).session?.status).toBe("ended");
    });

    it("of another enforcer can't be touched", async () => {
      const [victim, attacker] = [enforcer(), enforcer()];
      await victim.ship(started("v-1"));
      await victim.acknowledged();
      await attacker.ship(started("v-1", { resource: "other" }), runs("v-1", 1), ended("v-1"));
      await attacker.acknowledged();
      const { session, commands } = await bus.call(getSession, { id: "v-1" }, context());
      expect(session).toMatchObject({ status: "open", resource: "shop", enforcerId: victim.id });
      expect(commands).toEqual([]);
      expect((await ofSource(attacker.name)).map(({ type, data }) => [type, data.why])).toEqual(
        Array(3).fill(["record.disowned", "another enforcer has this session"]),
      );
    });

    it("are listed newest first, filtered, in pages", async () => {
      const edge = enforcer();
      await edge.ship(...Array.from({ length: 7 }, (_, n) => started(`p-${n}`, { resource: `paged` })), ended("p-3"));
      await edge.acknowledged();
      const ids: string[] = [];
      for (let cursor = ""; ; ) {
        const { sessions, next } = await bus.call(
          listSessions,
          { resource: "paged", page: { limit: 3, cursor } },
          context(),
        );
        ids.push(...sessions.map(({ id }) => id));
        if (next === "") break;
        cursor = next;
      }
      expect(ids).toEqual(["p-6", "p-5", "p-4", "p-3", "p-2", "p-1", "p-0"]);
      const open = await bus.call(listSessions, { resource: "paged", status: "ended" }, context());
      expect(open.sessions.map(({ id }) => id)).toEqual(["p-3"]);
      expect((await bus.call(listSessions, { principalId: "nobody" }, context())).sessions).toEqual([]);
    });

    it("refuse a cursor, a status, and an id that are none", async () => {
      const refusal = (code: string) => expect.objectContaining({ code }) as BusFailure;
      await expect(bus.call(listSessions, { page: { cursor: "x" } }, context())).rejects.toEqual(refusal("invalid"));
      await expect(bus.call(listSessions, { status: "x" }, context())).rejects.toEqual(refusal("invalid"));
      await expect(bus.call(getSession, { id: "none" }, context())).rejects.toBeInstanceOf(BusFailure);
    });

    it("can be built anew from the log", async () => {
      const dataSource = service!.app.get(DataSource, { strict: false });
      const read = async () => [
        await dataSource.query("SELECT * FROM audit.session ORDER BY id"),
        await dataSource.query("SELECT * FROM audit.command ORDER BY session_id, ordinal"),
      ];
      const before = await read();
      await dataSource.query("UPDATE audit.session SET status = 'open', commands = 0");
      await dataSource.query("DELETE FROM audit.command");
      await rebuildSessions(dataSource);
      expect(await read()).toEqual(before);
    });
  });

  it("is dense, and its tree is the entries'", async () => {
    const entries = await all();
    expect(entries.map(({ index }) => Number(index))).toEqual(entries.map((_, n) => n + 1));
    expect(entries.map((entry) => leafHash(Buffer.from(entry.json)))).toEqual(
      entries.map((e) => Buffer.from(e.leafHash)),
    );
    const dataSource = service!.app.get(DataSource, { strict: false });
    const [head] = await dataSource.query("SELECT size, frontier FROM audit.head");
    const root = rootOf(entries.map((entry) => Buffer.from(entry.leafHash)).reduce(append, emptyFrontier));
    expect(rootOf(decodeFrontier(Number(head.size), head.frontier))).toEqual(root);
  });

  it("can't be changed", async () => {
    const dataSource = service!.app.get(DataSource, { strict: false });
    for (const sql of ["UPDATE audit.entry SET json = ''", "DELETE FROM audit.entry", "TRUNCATE audit.entry"]) {
      await expect(dataSource.query(sql)).rejects.toMatchObject({ driverError: { code: "42501" } });
    }
  });
});
