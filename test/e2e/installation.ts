import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { removePostgres } from "../../libs/embedded/src/index.js";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way, its output as it comes. */
export class Running {
  stdout = "";
  stderr = "";
  readonly finished: Promise<Finished>;
  private readonly waiting = new Set<() => void>();

  constructor(readonly child: ChildProcess) {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.wake();
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.wake();
    });
    this.finished = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        this.wake();
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** The first match in what it has said or will say. */
  async says(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = `${this.stdout}\n${this.stderr}`.match(pattern);
      if (match) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`ended with ${this.child.exitCode} before saying ${pattern}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}

/** A whole Counterfoil as `npm start` makes it, in a folder and on ports of its own. */
export class Installation {
  readonly folder = mkdtempSync(join(tmpdir(), "counterfoil-e2e-"));
  private server: Running | null = null;
  private readonly others = new Set<Running>();

  private constructor(readonly ports: { readonly api: number; readonly issuer: number; readonly postgres: number }) {}

  static async create(): Promise<Installation> {
    const [api, issuer, postgres] = await freePorts(3);
    return new Installation({ api: api ?? 0, issuer: issuer ?? 0, postgres: postgres ?? 0 });
  }

  get state(): string {
    return join(this.folder, ".counterfoil");
  }

  private get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      NODE_OPTIONS: "",
      NO_COLOR: "1",
      PSQLRC: "/dev/null",
      COUNTERFOIL_STATE: this.state,
      COUNTERFOIL_API_PORT: String(this.ports.api),
      COUNTERFOIL_ISSUER_PORT: String(this.ports.issuer),
      COUNTERFOIL_POSTGRES_PORT: String(this.ports.postgres),
    };
  }

  /** Starts it without waiting for anything. */
  launch(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Running {
    return this.track(
      spawn(process.execPath, [join(ROOT, "scripts/start.mjs"), ...args], {
        cwd: ROOT,
        env: { ...this.environment, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
  }

  start(args: readonly string[] = []): Promise<Running> {
    return this.ready(this.launch(args));
  }

  /** As a user does; a signal to this child goes to npm, and to nobody else. */
  startByNpm(): Promise<Running> {
    const options = { cwd: ROOT, env: this.environment, detached: true };
    return this.ready(this.track(spawn("npm", ["start"], { ...options, stdio: ["ignore", "pipe", "pipe"] })));
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!this.server) return;
    this.server.child.kill(signal);
    await this.server.finished;
    this.server = null;
  }

  /** Runs `counterfoil …`, as a user in the installation's folder would. */
  begin(args: readonly string[], input?: "pipe"): Running {
    return this.track(
      spawn(process.execPath, [join(ROOT, "apps/cli/bin/counterfoil.mjs"), ...args], {
        cwd: this.folder,
        env: this.environment,
        stdio: [input ?? "ignore", "pipe", "pipe"],
      }),
    );
  }

  cli(...args: readonly string[]): Promise<Finished> {
    return this.begin(args).finished;
  }

  /** One psql under one fresh token. */
  psql(sql: string, ...options: readonly string[]): Promise<Finished> {
    return this.cli("run", "--as", "ci", "--resource", "shop", "--", "psql", "-X", "-A", "-t", ...options, "-c", sql);
  }

  /** The admin key, as the CLI keeps it. */
  get key(): string {
    return JSON.parse(readFileSync(join(this.state, "cli.json"), "utf8")).key;
  }

  async api(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.ports.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.api("GET", path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Ends whatever still runs and removes the folder. */
  async dispose(): Promise<void> {
    await this.stop();
    for (const running of this.others) {
      if (running.child.exitCode === null && running.child.signalCode === null) running.child.kill("SIGKILL");
      await running.finished.catch(() => {});
    }
    // Started by root, its database may be elsewhere.
    const postgres = join(this.state, "postgres");
    if (existsSync(postgres)) removePostgres(postgres);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async ready(server: Running): Promise<Running> {
    this.server = server;
    await server.says(/^ready$/m);
    return server;
  }

  private track(child: ChildProcess): Running {
    const running = new Running(child);
    this.others.add(running);
    return running;
  }
}

/** Asks again until `check` gives something, at most for half a minute. */
export async function eventually<T>(check: () => Promise<T | undefined | false | null>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false && found !== null) return found;
    if (Date.now() > deadline) throw new Error(`did not happen: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
