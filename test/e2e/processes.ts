import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalIssuer } from "../../apps/identity/src/subjects/issuer.fixture.js";
import { build } from "../../scripts/install.mjs";
import { type FreshNats, freshNats } from "../servers/nats.js";
import { type FreshDatabase, freshDatabase } from "../servers/postgres.js";
import { type Finished, Running } from "./installation.js";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const GROUP = "demo";

export const SERVICES = ["identity", "tokens", "policy", "approval", "audit"] as const;
type Program = (typeof SERVICES)[number] | "api" | "enforcer";

interface Connection {
  readonly environment: Readonly<Record<string, string>>;
  readonly ca: string;
}

/** A Counterfoil of one process a service, as a larger installation runs it. */
export class Processes {
  readonly folder = mkdtempSync(join(tmpdir(), "counterfoil-processes-"));
  readonly running = new Map<Program, Running>();
  private readonly others = new Set<Running>();
  private apiUrl = "";
  private key = "";

  private constructor(
    readonly nats: FreshNats,
    readonly database: FreshDatabase,
    readonly shop: FreshDatabase,
    readonly issuer: LocalIssuer,
  ) {}

  static async create(): Promise<Processes> {
    build(() => {});
    const [nats, database, shop, issuer] = await Promise.all([
      freshNats(),
      freshDatabase(),
      freshDatabase(),
      LocalIssuer.start(),
    ]);
    const processes = new Processes(nats, database, shop, issuer);
    cpSync(nats.keys, join(processes.keys, "nats"), { recursive: true });
    await issuer.addKey();
    return processes;
  }

  get keys(): string {
    return join(this.folder, "keys");
  }

  /** What every service of the control plane is told. */
  environment(): NodeJS.ProcessEnv {
    return {
      COUNTERFOIL_DATABASE_URL: this.database.url,
      COUNTERFOIL_NATS_URL: this.nats.url,
      COUNTERFOIL_NATS_CREDENTIALS: this.nats.credentials.control,
      COUNTERFOIL_KEYS: this.keys,
      COUNTERFOIL_LEASE_SECONDS: "5",
      COUNTERFOIL_API_PORT: "0",
    };
  }

  /** Starts a program, told nothing but `env`, and waits for nothing. */
  launch(program: Program, env: NodeJS.ProcessEnv): Running {
    const child = spawn(process.execPath, [join(ROOT, "dist/apps", program, "src/main.js")], {
      cwd: this.folder,
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return this.track(new Running(child));
  }

  /** Starts a program of the installation, and waits until it is ready. */
  async start(program: Program): Promise<Running> {
    const env =
      program === "enforcer"
        ? {
            COUNTERFOIL_ENFORCER_CONFIG: join(this.folder, "enforcer.json"),
            SHOP_PASSWORD: new URL(this.shop.url).password,
          }
        : this.environment();
    const running = this.launch(program, env);
    this.running.set(program, running);
    const [, said = ""] = await running.says(/^ready ?(.*)$/m);
    if (program === "api") this.apiUrl = said;
    return running;
  }

  /** The control plane, and the first key it made. */
  async startControlPlane(): Promise<void> {
    await Promise.all(SERVICES.map((service) => this.start(service)));
    this.key = readFileSync(join(this.keys, "first-admin-key"), "utf8");
    await this.start("api");
  }

  /** Registers the enforcer on a port, writes its configuration and starts it. */
  async startEnforcer(port: number): Promise<void> {
    const listener = { protocol: "postgres", host: "127.0.0.1", port };
    const node = await this.api<{ enforcer: { id: string }; bus_credentials: string; signing_key: string }>(
      ...(["POST", "/v1/enforcers", { name: "one", group: GROUP, listeners: [listener] }] as const),
    );
    const [credentialsFile, signingKeyFile] = [join(this.folder, "node.creds"), join(this.folder, "signing.pem")];
    writeFileSync(credentialsFile, node.bus_credentials, { mode: 0o600 });
    writeFileSync(signingKeyFile, node.signing_key);
    const config = {
      id: node.enforcer.id,
      group: GROUP,
      natsUrl: this.nats.url,
      ...{ credentialsFile, signingKeyFile, folder: join(this.folder, "node"), logLevel: "warn" },
      listeners: [{ ...listener, bind: "127.0.0.1" }],
      workers: 2,
    };
    writeFileSync(join(this.folder, "enforcer.json"), JSON.stringify(config));
    await this.start("enforcer");
  }

  /** As a crash would, a power cut or the kernel short of memory. */
  async kill(program: Program): Promise<void> {
    const running = this.running.get(program);
    running?.child.kill("SIGKILL");
    await running?.finished;
  }

  async api<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.apiUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** The audit log, whole. */
  async events(): Promise<{ readonly index: number; readonly type: string; readonly [field: string]: unknown }[]> {
    const response = await fetch(`${this.apiUrl}/v1/events?after=0&limit=1000`, {
      headers: { authorization: `Bearer ${this.key}` },
    });
    const lines = (await response.text()).split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line));
  }

  /** Trades a JWT for a token any number of sessions may use. */
  async exchange(jti: string = randomUUID()): Promise<Connection> {
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: await this.issuer.token({ jti, sub: "job-1", groups: ["ci"], run: "7" }),
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      ...{ resource: "shop", use_mode: "run" },
    });
    const response = await fetch(`${this.apiUrl}/v1/token`, { method: "POST", body });
    const answer = (await response.json()) as { connection: Connection };
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
    return answer.connection;
  }

  /** A real psql under a token, with what the exchange says and nothing else. */
  psql({ environment, ca }: Connection, ...args: readonly string[]): Running {
    const caFile = join(this.folder, "ca.pem");
    writeFileSync(caFile, ca);
    const child = spawn("psql", ["-X", "-A", "-t", "-v", "VERBOSITY=verbose", ...args], {
      env: { PATH: process.env.PATH, HOME: this.folder, ...environment, PGSSLROOTCERT: caFile },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin?.on("error", () => {});
    return this.track(new Running(child));
  }

  query(connection: Connection, sql: string): Promise<Finished> {
    return this.psql(connection, "-c", sql).finished;
  }

  /** Ends whatever still runs and removes all of it. */
  async dispose(): Promise<void> {
    const ended = [...this.others].map(async ({ child, finished }) => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await finished.catch(() => {});
    });
    await Promise.all(ended);
    await Promise.allSettled([this.issuer.stop(), this.nats.drop(), this.database.drop(), this.shop.drop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private track(running: Running): Running {
    this.others.add(running);
    return running;
  }
}
