import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import pg from "pg";
import type { EnforcerConfig } from "./enforcer.config.js";
import { createWorld, type World } from "./enforcer.fixture.js";
import { Enforcer } from "./enforcer.js";
import type { TestControl } from "./test-control.fixture.js";

export interface Connected extends pg.Client {
  readonly notices: readonly Partial<pg.DatabaseError>[];
}

/** What stands before the shop: an enforcer in this process, or a node of its own ones. */
export interface Enforcing {
  readonly ports: readonly number[];
  readonly sessions: number;
  /** Records that are not with the control plane yet. */
  readonly unshipped: number;
  drain(): Promise<unknown>;
}

/** An enforcer before the shop, in a world of its own, and clients that come to it. One a test file. */
export class EnforcedShop {
  readonly #clients: pg.Client[] = [];
  readonly #sockets: Socket[] = [];
  readonly #children: ChildProcessWithoutNullStreams[] = [];

  private constructor(
    readonly world: World,
    readonly enforcer: Enforcing,
  ) {}

  /** @param prepare what the world needs before the enforcer looks at it. */
  static async start(
    change: Partial<EnforcerConfig> = {},
    prepare: (world: World) => Promise<unknown> = async () => {},
    begin = async (world: World, change: Partial<EnforcerConfig>): Promise<Enforcing> =>
      Enforcer.start(await world.config(change)),
  ): Promise<EnforcedShop> {
    const world = await createWorld();
    try {
      await prepare(world);
      return new EnforcedShop(world, await begin(world, change));
    } catch (error) {
      await world.drop();
      throw error;
    }
  }

  get control(): TestControl {
    return this.world.control;
  }

  get port(): number {
    return this.enforcer.ports[0]!;
  }

  get ca(): string {
    return readFileSync(join(this.world.folder, "ca.pem"), "utf8");
  }

  /** Past the enforcer. */
  direct(sql: string): Promise<pg.QueryResult> {
    return this.world.direct(sql);
  }

  async connect(options: Partial<pg.ClientConfig> = {}, token = this.control.token()): Promise<Connected> {
    const client = new pg.Client({
      host: "127.0.0.1",
      port: this.port,
      user: `foil_${token.id}`,
      password: token.secret,
      database: "shop",
      ssl: { ca: this.ca },
      ...options,
    });
    client.on("error", () => {});
    const notices: Partial<pg.DatabaseError>[] = [];
    client.on("notice", (notice) => notices.push(notice as Partial<pg.DatabaseError>));
    this.#clients.push(client);
    await client.connect();
    return Object.assign(client, { notices });
  }

  /** A connection on which nothing has been said. */
  async socket(): Promise<Socket> {
    const socket = dial({ host: "127.0.0.1", port: this.port });
    this.#sockets.push(socket);
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  }

  /** Real psql; its answer is what it wrote and how it ended. */
  psql(args: readonly string[], token = this.control.token()) {
    const child = spawn("psql", ["-X", "-v", "VERBOSITY=verbose", ...args], {
      env: {
        PATH: process.env.PATH ?? "",
        PGHOST: "127.0.0.1",
        PGPORT: String(this.port),
        PGUSER: `foil_${token.id}`,
        PGPASSWORD: token.secret,
        PGDATABASE: "shop",
        PGSSLMODE: "verify-full",
        PGSSLROOTCERT: join(this.world.folder, "ca.pem"),
        LC_ALL: "C.UTF-8",
      },
    });
    this.#children.push(child);
    const said = { out: "", err: "" };
    child.stdout.on("data", (chunk) => (said.out += chunk));
    child.stderr.on("data", (chunk) => (said.err += chunk));
    const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
      child.once("close", (code) => resolve({ code, ...said })),
    );
    return { child, said, ended };
  }

  /** Behind a test: nobody is connected any more, and no record of it reaches the next. */
  async settled(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.end().catch(() => {});
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    for (const child of this.#children.splice(0)) child.kill("SIGKILL");
    await this.control.until(() => this.enforcer.sessions === 0 && this.enforcer.unshipped === 0);
    this.control.clear();
  }

  async drop(): Promise<void> {
    await this.enforcer.drain();
    await this.world.drop();
  }
}

/** The socket under a client, which no longer is the client's alone. */
export const streamOf = (client: pg.Client): Socket =>
  (client as unknown as { connection: { stream: Socket } }).connection.stream;

/** The error that ends a session while nothing is asked. */
export const sessionError = (client: pg.Client): Promise<pg.DatabaseError> =>
  new Promise((resolve) => client.on("error", (error) => resolve(error as pg.DatabaseError)));

export const failure = (query: Promise<unknown>): Promise<pg.DatabaseError> =>
  query.then(
    () => Promise.reject(new Error("it was let through")),
    (error: pg.DatabaseError) => error,
  );
