import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { LabelPart, PolicyPart } from "#commands";
import { createWorld, type World } from "../../apps/enforcer/src/enforcer.fixture.js";
import { Enforcer } from "../../apps/enforcer/src/enforcer.js";
import { type FreshDatabase, freshDatabase } from "../servers/postgres.js";
import { Tap } from "./tap.js";

const SCHEMA = readFileSync(join(import.meta.dirname, "schema.sql"), "utf8");

const EVERYTHING: PolicyPart[] = [
  {
    name: "everything",
    text: `permit (principal, action == Action::"connect", resource);
           permit (principal, action in Action::"sql:any", resource);`,
  },
];

/** On a table that the compared work leaves alone: masking is at work, and has nothing to hide. */
const LABELS: LabelPart[] = [
  {
    name: "pii.email",
    columns: [{ resource: "labelled", schema: "public", table: "people", column: "email" }],
    transform: { kind: "redact", options: {} },
  },
];

/** How a client gets to the server. */
export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A way to a database with the content of `schema.sql`, one of its own. */
export interface Way {
  readonly name: "direct" | "labelled" | "plain";
  /** Past the enforcer, for `direct` only; with TLS where it goes through. */
  readonly connection: Connection;
  readonly ca: string | null;
  /** Without TLS, through a tap. */
  readonly tapped: Connection;
  readonly tap: Tap;
  /** Straight to its database, whichever way it is. */
  readonly behind: pg.Client;
}

export interface Ways {
  readonly world: World;
  readonly all: readonly [Way, Way, Way];
  close(): Promise<void>;
}

/** Straight to the server; through an enforcer whose resource has labels; through one whose resource has none. */
export async function openWays(): Promise<Ways> {
  const [world, direct, plain] = await Promise.all([createWorld(), freshDatabase(), freshDatabase()]);
  const { control } = world;
  const labelled = control.database;
  const resource = { ...control.resource, name: "labelled" };
  const unlabelled = { ...resource, name: "plain", upstream: { ...resource.upstream, database: databaseOf(plain) } };
  control.change({ policies: EVERYTHING, labels: LABELS, resource, others: [unlabelled] });
  const enforcer = await Enforcer.start(await world.config({ allowPlaintext: true }));

  const way = async (name: Way["name"], database: FreshDatabase): Promise<Way> => {
    const behind = new pg.Client({ connectionString: database.url });
    await behind.connect();
    await behind.query("drop table customers, orders, notes, big cascade").catch(() => {});
    await behind.query(SCHEMA);
    const { hostname, port, username, password } = new URL(database.url);
    const straight = { host: hostname, port: Number(port), user: username, password, database: databaseOf(database) };
    const token = name === "direct" ? null : control.token({ resource: name, uses: 100_000 });
    const connection = token
      ? { ...straight, port: enforcer.ports[0]!, user: `foil_${token.id}`, password: token.secret }
      : straight;
    const tap = await Tap.to(connection);
    const ca = token ? join(world.folder, "ca.pem") : null;
    return { name, connection, ca, tapped: { ...connection, port: tap.port }, tap, behind };
  };
  const all = await Promise.all([way("direct", direct), way("labelled", labelled), way("plain", plain)]);
  return {
    world,
    all,
    async close() {
      for (const { tap, behind } of all) {
        await tap.close();
        await behind.end();
      }
      await enforcer.drain();
      await world.drop();
      await Promise.all([direct.drop(), plain.drop()]);
    },
  };
}

const databaseOf = ({ url }: FreshDatabase) => new URL(url).pathname.slice(1);

/** What a client printed, without what must differ between the ways. */
export function normalised(text: string, { connection, tapped }: Way): string {
  return text
    .replaceAll(connection.database, "DATABASE")
    .replaceAll(/\bfoil_[0-9a-f]+|\bcounterfoil\b/g, "USER")
    .replaceAll(String(tapped.port), "PORT")
    .replaceAll(String(connection.port), "PORT");
}
