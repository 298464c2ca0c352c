import type { DataSource, EntityManager } from "typeorm";
import { eventStoreContract } from "#event-store/contract";
import { type FreshDatabase, freshDatabase } from "../../../test/servers/postgres.js";
import { openDatabase } from "./database.js";
import { PostgresEventStore } from "./postgres-store.js";
import { Sequencer } from "./sequencer.js";

const quiet = { info: () => {}, warn: () => {} };

async function settled(dataSource: DataSource): Promise<void> {
  while ((await dataSource.query("SELECT 1 FROM es.pending LIMIT 1")).length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

eventStoreContract("the PostgreSQL store", async () => {
  const database = await freshDatabase();
  const dataSource = await openDatabase({
    databaseUrl: database.url,
    migrations: [
      {
        name: "test-notes",
        up: (runner) => runner.query("CREATE SCHEMA notes; CREATE TABLE notes.note (text text)"),
        down: async () => {},
      },
    ],
  });
  const sequencer = new Sequencer({ databaseUrl: database.url, logger: quiet });
  sequencer.start();
  return {
    store: new PostgresEventStore(dataSource),
    settle: () => settled(dataSource),
    note: async (tx: EntityManager, text) => {
      await tx.query("INSERT INTO notes.note VALUES ($1)", [text]);
    },
    notes: async () => (await dataSource.query("SELECT text FROM notes.note")).map((row: { text: string }) => row.text),
    close: async () => {
      await sequencer.stop();
      await dataSource.destroy();
      await database.drop();
    },
  };
});

describe("the PostgreSQL store", () => {
  let database: FreshDatabase;
  let service: DataSource;
  beforeAll(async () => {
    database = await freshDatabase();
    service = await openDatabase({ databaseUrl: database.url });
  });
  afterAll(async () => {
    await service?.destroy();
    await database?.drop();
  });

  it("says so where a stream's type differs", async () => {
    const { append } = storeWith(service);
    await append("thing-1", "thing");
    await expect(append("thing-1", "other")).rejects.toThrow("stream thing-1 is of type thing, not other");
  });

  it("tries again where the transaction fell victim to a deadlock", async () => {
    await service.query("SELECT 1");
    const { append } = storeWith(service);
    let runs = 0;
    await append("thing-2", "thing", async (tx) => {
      if (++runs === 1) await tx.query("DO $$ BEGIN RAISE EXCEPTION 'victim' USING ERRCODE = '40P01'; END $$");
    });
    expect(runs).toBe(2);
    expect(await new PostgresEventStore(service).readStream("thing-2")).toHaveLength(1);
  });

  it("passes other failures of the database on", async () => {
    const { append } = storeWith(service);
    const failing = append("thing-3", "thing", async (tx) => {
      await tx.query("SELECT 1 / 0");
    });
    await expect(failing).rejects.toThrow("division by zero");
  });
});

function storeWith(dataSource: DataSource) {
  const store = new PostgresEventStore(dataSource);
  return {
    append: (streamId: string, streamType: string, within?: (tx: EntityManager) => Promise<void>) => {
      const commandId = crypto.randomUUID();
      return store.append(
        {
          streamId,
          streamType,
          expected: "any",
          commandId,
          requestHash: Buffer.alloc(32),
          events: [{ eventId: crypto.randomUUID(), schemaVersion: 1, event: { type: "Happened", data: {} } }],
          meta: { actor: { id: "ada", name: "Ada" }, commandId },
        },
        within,
      );
    },
  };
}
