import { randomUUID } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import pg from "pg";
import type { DataSource, EntityManager } from "typeorm";
import type { Bus } from "#bus";
import { STREAM } from "#contracts";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { openDatabase } from "./database.js";
import { Follower } from "./follower.js";
import { PostgresEventStore } from "./postgres-store.js";
import { Relay } from "./relay.js";
import { Sequencer } from "./sequencer.js";
import { decodeStoredEvent, encodeStoredEvent } from "./stored-event.js";

const quiet = { info: () => {}, warn: () => {} };
const until = async (condition: () => Promise<boolean>) => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
};

describe("the log", () => {
  let database: FreshDatabase;
  let nats: FreshNats;
  let bus: Bus;
  let dataSource: DataSource;
  let store: PostgresEventStore;
  const running: { stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    [database, nats] = await Promise.all([freshDatabase(), freshNats()]);
    [dataSource, bus] = await Promise.all([
      openDatabase({
        databaseUrl: database.url,
        migrations: [
          {
            name: "test-seen",
            up: (runner) => runner.query("CREATE SCHEMA seen; CREATE TABLE seen.event (position bigint)"),
            down: async () => {},
          },
        ],
      }),
      nats.connect("test"),
    ]);
    store = new PostgresEventStore(dataSource);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((it) => it.stop()));
  });
  afterAll(async () => {
    await dataSource?.destroy();
    await Promise.all([database?.drop(), nats?.drop()]);
  });

  function run<T extends { start(): void; stop(): Promise<void> }>(it: T): T {
    running.push(it);
    it.start();
    return it;
  }
  const sequencer = () => run(new Sequencer({ databaseUrl: database.url, logger: quiet }));
  const relay = () => run(new Relay({ databaseUrl: database.url, store, bus, logger: quiet }));
  const append = async (count = 1) => {
    for (let n = 0; n < count; n++) {
      const commandId = randomUUID();
      await store.append({
        streamId: `thing-${n % 7}`,
        streamType: "thing",
        expected: "any",
        commandId,
        requestHash: Buffer.alloc(32),
        events: [{ eventId: randomUUID(), schemaVersion: 1, event: { type: "Happened", data: { n } } }],
        meta: { actor: { id: "ada", name: "Ada" }, commandId },
      });
    }
  };
  const appended = async () => Number((await dataSource.query("SELECT count(*) FROM es.event"))[0].count);
  const sequenced = () => until(async () => (await store.head()) === (await appended()));
  const manager = () => jetstreamManager(bus.nats, { checkAPI: false, timeout: 500 });
  const lastSequence = async () => {
    const { streams } = await manager();
    return streams.info(STREAM.events.name).then(
      (info) => info.state.last_seq,
      () => null,
    );
  };
  const relayed = async () => {
    await sequenced();
    await until(async () => (await lastSequence()) === (await store.head()));
  };
  const published = async () => {
    const { streams } = await manager();
    const last = (await streams.info(STREAM.events.name)).state.last_seq;
    const found = [];
    for (let seq = 1; seq <= last; seq++) {
      const message = await streams.getMessage(STREAM.events.name, { seq });
      if (message) found.push({ sequence: message.seq, ...decodeStoredEvent(message.data) });
    }
    return found;
  };
  const dense = (positions: readonly number[]) => expect(positions).toEqual(positions.map((_, index) => index + 1));

  describe("sequencer", () => {
    it("whose connection is killed, again and again, leaves no gap and no duplicate", async () => {
      sequencer();
      const admin = new pg.Client({ connectionString: database.url });
      await admin.connect();
      try {
        for (let round = 0; round < 5; round++) {
          await Promise.all([append(15), append(15)]);
          await admin.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'counterfoil/sequencer' AND datname = current_database()",
          );
        }
      } finally {
        await admin.end();
      }
      await sequenced();
      dense((await store.readAll(0, 10_000)).map((event) => event.position));
    });

    it("has a successor where it stops", async () => {
      const first = sequencer();
      const second = sequencer();
      await append(3);
      await sequenced();
      await first.stop();
      await append(3);
      await sequenced();
      await second.stop();
      dense((await store.readAll(0, 10_000)).map((event) => event.position));
    });

    it("is fenced once another has raised the epoch", async () => {
      const [{ epoch }] = await dataSource.query("SELECT epoch FROM es.head");
      await append();
      const [{ placed }] = await dataSource.query("SELECT es.sequence($1, 10) AS placed", [epoch]);
      expect(placed).toBe(1);
      await dataSource.query("UPDATE es.head SET epoch = epoch + 1");
      await append();
      await expect(dataSource.query("SELECT es.sequence($1, 10)", [epoch])).rejects.toThrow("another sequencer");
      sequencer();
      await sequenced();
    });

    it("places what was appended while none ran", async () => {
      await append(4);
      sequencer();
      await sequenced();
      dense((await store.readAll(0, 10_000)).map((event) => event.position));
    });
  });

  describe("relay", () => {
    it("publishes each event at the sequence that is its position", async () => {
      sequencer();
      relay();
      await append(30);
      await relayed();
      const messages = await published();
      dense(messages.map((message) => message.sequence));
      expect(messages.map(({ sequence: _, ...event }) => event)).toEqual(await store.readAll(0, 10_000));
    });

    it("publishes the same history again where the stream was lost", async () => {
      sequencer();
      relay();
      await append(5);
      await relayed();
      const before = await published();
      await (await manager()).streams.delete(STREAM.events.name);
      await append(5);
      await relayed();
      expect((await published()).slice(0, before.length)).toEqual(before);
    });

    it("makes a stream anew that tells another history", async () => {
      sequencer();
      await sequenced();
      const { streams } = await manager();
      await streams.delete(STREAM.events.name).catch(() => {});
      await streams.add({ name: STREAM.events.name, subjects: [...STREAM.events.subjects] });
      const foreign = { ...(await store.readAll(0, 1))[0]!, eventId: randomUUID() };
      await bus.nats.request("events.thing.Happened", encodeStoredEvent(foreign));
      relay();
      await relayed();
      expect((await published()).map((event) => event.eventId)).not.toContain(foreign.eventId);
    });

    it("two of them, racing, publish nothing twice", async () => {
      sequencer();
      relay();
      relay();
      await Promise.all([append(40), append(40)]);
      await relayed();
      const messages = await published();
      expect(messages.map((message) => message.position)).toEqual(messages.map((message) => message.sequence));
    });

    it("goes on where the bus was away", async () => {
      sequencer();
      relay();
      await append(3);
      await relayed();
      const restarting = nats.restart();
      await append(3);
      await sequenced();
      await restarting;
      await relayed();
      dense((await published()).map((message) => message.position));
    });
  });

  describe("follower", () => {
    const follower = (name: string, apply?: (tx: EntityManager, position: number) => Promise<void>) =>
      run(
        new Follower({
          name,
          dataSource,
          store,
          bus,
          logger: quiet,
          async apply(tx, event) {
            await tx.query("INSERT INTO seen.event VALUES ($1)", [event.position]);
            await apply?.(tx, event.position);
          },
          reset: async (tx) => {
            await tx.query("DELETE FROM seen.event");
          },
        }),
      );
    const seen = async () =>
      (await dataSource.query("SELECT position FROM seen.event ORDER BY position")).map((row: { position: string }) =>
        Number(row.position),
      );
    beforeEach(async () => {
      await dataSource.query("DELETE FROM seen.event");
      sequencer();
    });

    it("takes every event exactly once, old ones and new ones", async () => {
      relay();
      await append(10);
      const following = follower(randomUUID());
      await append(10);
      await sequenced();
      await following.reached(await store.head());
      dense(await seen());
      expect(await seen()).toHaveLength(await store.head());
    });

    it("takes them exactly once also where several processes follow under one name", async () => {
      relay();
      const name = randomUUID();
      const followers = [follower(name), follower(name), follower(name)];
      await Promise.all([append(20), append(20)]);
      await sequenced();
      const head = await store.head();
      await Promise.all(followers.map((following) => following.reached(head)));
      dense(await seen());
      expect(await seen()).toHaveLength(head);
    });

    it("tries again what fails, without half of its effects, and without skipping", async () => {
      relay();
      await append(5);
      await sequenced();
      let failures = 3;
      const following = follower(randomUUID(), async (_tx, position) => {
        if (position === 3 && failures-- > 0) throw new Error("not yet");
      });
      await following.reached(await store.head());
      expect(failures).toBe(-1);
      dense(await seen());
    });

    it("reads the store where JetStream lost messages or is gone", async () => {
      const following = follower(randomUUID());
      await (await manager()).streams.delete(STREAM.events.name).catch(() => {});
      await append(5);
      await sequenced();
      await following.reached(await store.head());
      relay();
      await append(5);
      await sequenced();
      await following.reached(await store.head());
      dense(await seen());
    });

    it("goes on from its checkpoint", async () => {
      const name = randomUUID();
      const first = follower(name);
      await first.reached(await store.head());
      await first.stop();
      await append(3);
      await sequenced();
      const second = follower(name);
      await second.reached(await store.head());
      dense(await seen());
    });

    it("rebuilds its projection from the log", async () => {
      relay();
      const following = follower(randomUUID());
      await sequenced();
      await following.reached(await store.head());
      await dataSource.query("INSERT INTO seen.event VALUES (-1)");
      await following.rebuild();
      await append(2);
      await sequenced();
      await following.reached(await store.head());
      dense(await seen());
      expect(await seen()).toHaveLength(await store.head());
    });
  });

  describe("append-only", () => {
    const tables = ["es.event", "es.log", "es.command"];
    beforeAll(() => append());

    it.each(tables)("%s can't be changed by the owner", async (table) => {
      const owner = new pg.Client({ connectionString: database.url });
      await owner.connect();
      try {
        for (const sql of [
          `UPDATE ${table} SET stream_id = 'x'`,
          `DELETE FROM ${table}`,
          `TRUNCATE ${table} CASCADE`,
          `SET session_replication_role = replica; DELETE FROM ${table}`,
        ]) {
          await expect(owner.query(sql)).rejects.toMatchObject({ code: "ES009" });
        }
      } finally {
        await owner.end();
      }
    });

    it.each(tables)("%s can't be changed by a service, nor its guard be removed", async (table) => {
      for (const sql of [
        `UPDATE ${table} SET stream_id = 'x'`,
        `DELETE FROM ${table}`,
        `TRUNCATE ${table}`,
        `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
        `DROP TABLE ${table}`,
      ]) {
        await expect(dataSource.query(sql)).rejects.toMatchObject({ driverError: { code: "42501" } });
      }
    });
  });
});
