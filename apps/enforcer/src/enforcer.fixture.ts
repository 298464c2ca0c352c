import "reflect-metadata";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { admitEnforcer, ensureStreams } from "#bus";
import { type FreshNats, freshNats } from "../../../test/servers/nats.js";
import { freshDatabase } from "../../../test/servers/postgres.js";
import type { EnforcerConfig } from "./enforcer.config.js";
import { GROUP, SHOP } from "./shop.fixture.js";
import { TestControl } from "./test-control.fixture.js";

/** What an enforcer needs around it: a real PostgreSQL with the shop, a real nats-server, and a control plane. */
export interface World {
  readonly nats: FreshNats;
  readonly control: TestControl;
  readonly folder: string;
  /** A configuration for a node of its own. */
  config(change?: Partial<EnforcerConfig>): Promise<EnforcerConfig>;
  /** Straight to the database. */
  direct(sql: string): Promise<pg.QueryResult>;
  drop(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "counterfoil-enforcer-"));
  const [nats, database] = await Promise.all([freshNats(), freshDatabase()]);
  const bus = await nats.connect("control");
  await ensureStreams(bus);
  const control = new TestControl(bus, database);
  await control.serve();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(SHOP);
  writeFileSync(join(folder, "signing.pem"), control.signingKey());
  writeFileSync(join(folder, "ca.pem"), await control.ca());
  const seed = readFileSync(join(nats.keys, "enforcers.seed"), "utf8").trim();
  return {
    nats,
    control,
    folder,
    async config(change = {}) {
      const id = randomUUID();
      const credentialsFile = join(folder, `${id}.creds`);
      writeFileSync(credentialsFile, (await admitEnforcer(seed, { id, group: GROUP })).credentials);
      return {
        id,
        group: GROUP,
        natsUrl: nats.url,
        credentialsFile,
        signingKeyFile: join(folder, "signing.pem"),
        folder: join(folder, id),
        listeners: [{ protocol: "postgres", host: "127.0.0.1", bind: "127.0.0.1", port: 0 }],
        allowPlaintext: false,
        workers: 1,
        maxConnections: 1000,
        busyPollMicroseconds: 200,
        spoolLimitBytes: 64 << 20,
        logLevel: "silent",
        followParent: false,
        worker: null,
        ...change,
      };
    },
    direct: (sql) => client.query(sql),
    async drop() {
      control.stop();
      await client.end();
      await nats.drop();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
