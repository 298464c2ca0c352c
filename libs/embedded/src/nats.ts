import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BusUnavailable,
  connectBus,
  describeAccounts,
  publicKeyOf,
  type Revocations,
  revocationsOf,
  serverConfig,
} from "#bus";
import { type Exit, endChild, exitOf, tail } from "./child.js";
import { findNats } from "./nats-binary.js";
import { keepNatsKeys } from "./nats-keys.js";
import { freePort, rememberedPort } from "./ports.js";
import { adopt } from "./reaper.js";

export interface NatsOptions {
  /** Where its store, its accounts and its log live; made when it is not there. */
  readonly folder: string;
  /** Where its keys live; `keys` in `folder` where absent. */
  readonly keys?: string;
  /** The port it must have. Absent: the one it had before if that is free, else any. */
  readonly port?: number;
}

export interface PrivateNats {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  /** Files of credentials: of the services, and of the server's own account. */
  readonly credentials: { readonly control: string; readonly system: string };
  /** The folder with `enforcers.seed`, `operator.seed` and the credentials: what the identity service needs of the bus. */
  readonly keys: string;
  /** The file it logs to. */
  readonly log: string;
  /** Resolves when the server is gone, whoever ended it. */
  readonly exited: Promise<Exit>;
  /** Ends it in order; what JetStream holds is kept. */
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 60_000;

/**
 * Starts a nats-server of our own on 127.0.0.1, with JetStream and the accounts of `#bus`. It ends with this process.
 *
 * @throws Error with the tail of the server's log where it does not come up; where `port` is taken; where another server
 *   works on the folder; where there is no nats-server
 */
export async function startNats(options: NatsOptions): Promise<PrivateNats> {
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const binary = await findNats(join(folder, "bin"));
  const keysFolder = resolve(options.keys ?? join(folder, "keys"));
  const keys = await keepNatsKeys(keysFolder);
  const files = {
    config: join(folder, "nats.conf"),
    log: join(folder, "nats.log"),
    pid: join(folder, "pid"),
    port: join(folder, "port"),
  };
  await awaitAbsence(files.pid, folder);

  const accountsFolder = join(folder, "accounts");
  const accounts = await describeAccounts(keys.seeds, revokedSoFar(accountsFolder, keys.seeds.enforcers));
  const control = readFileSync(keys.credentials.control, "utf8");
  for (let attempt = 1; ; attempt++) {
    const port = options.port ? await freePort(options.port) : await rememberedPort(files.port);
    const url = `nats://127.0.0.1:${port}`;
    const config = serverConfig(accounts, {
      host: "127.0.0.1",
      port,
      store: join(folder, "jetstream"),
      accountsFolder,
      version: binary.version,
    });
    writeFileSync(files.config, config, { mode: 0o600 });
    const child = launch(binary.path, files, folder);
    const failure = await ready(child, url, control);
    if (!failure) {
      writeFileSync(files.port, `${port}\n`);
      return {
        url,
        port,
        version: binary.version,
        credentials: keys.credentials,
        keys: keysFolder,
        log: files.log,
        exited: exitOf(child),
        stop: () => endChild(child, ["SIGINT", "SIGKILL"]),
      };
    }
    await endChild(child, ["SIGINT", "SIGKILL"]);
    const said = readFileSync(files.log, "utf8");
    if (!/address already in use/.test(said) || options.port || attempt === 5) {
      throw new Error(
        `nats-server ${binary.version} did not come up (${failure}). Its log (${files.log}) ends:\n${tail(said)}`,
      );
    }
    rmSync(files.port, { force: true });
  }
}

function launch(program: string, files: { config: string; log: string; pid: string }, cwd: string): ChildProcess {
  const log = openSync(files.log, "w", 0o600);
  const child = spawn(program, ["-c", files.config, "-P", files.pid], {
    cwd,
    stdio: ["ignore", log, log],
    // Its own session: Ctrl-C is for us, who then stop it in the right order.
    detached: true,
    env: { PATH: process.env.PATH ?? "", TZ: "UTC" },
  });
  closeSync(log);
  child.unref();
  adopt(child);
  return child;
}

/** The server keeps the accounts as they were last updated; the configuration's are newer and would undo revocations. */
function revokedSoFar(accountsFolder: string, enforcersSeed: string): Revocations {
  const kept = join(accountsFolder, `${publicKeyOf(enforcersSeed)}.jwt`);
  return existsSync(kept) ? revocationsOf(readFileSync(kept, "utf8")) : {};
}

/** Null when it takes our services' credentials, else what went wrong. */
async function ready(child: ChildProcess, url: string, credentials: string): Promise<string | null> {
  let failure: string | null = null;
  let last: unknown = null;
  child.once("error", (error) => (failure = error.message));
  child.once("exit", (code, signal) => (failure = `it ended with ${signal ?? `code ${code}`}`));
  for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline; await sleep(15)) {
    if (failure) return failure;
    try {
      const bus = await connectBus({ url, credentials, name: "start", patienceMs: 0 });
      await bus.close();
      return failure;
    } catch (error) {
      if (!(error instanceof BusUnavailable)) throw error;
      last = error.cause ?? error;
    }
  }
  return `it took no connection within ${START_DEADLINE_MS / 1000} s: ${String(last)}`;
}

/** After a crash of our parent the old server is about to be ended; two on one store would spoil it. */
async function awaitAbsence(pidFile: string, folder: string): Promise<void> {
  for (const deadline = Date.now() + 10_000; existsSync(pidFile); await sleep(50)) {
    const pid = Number(readFileSync(pidFile, "utf8"));
    if (!worksIn(pid, folder)) return rmSync(pidFile, { force: true });
    if (Date.now() > deadline) throw new Error(`another nats-server (pid ${pid}) works on ${folder}: stop it first`);
  }
}

function worksIn(pid: number, folder: string): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === folder;
  } catch {
    return process.platform !== "linux" || existsSync(`/proc/${pid}`);
  }
}
