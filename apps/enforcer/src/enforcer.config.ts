import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { protocols } from "#protocols";

export interface EnforcerConfig {
  /** As the control plane knows this node. */
  readonly id: string;
  readonly group: string;
  readonly natsUrl: string;
  /** The node's NATS `.creds` file. */
  readonly credentialsFile: string;
  /** Ed25519 public key, SPKI PEM: what bundles and beats are signed with. */
  readonly signingKeyFile: string;
  /** The node's own state: spool, last good bundle, listener certificate. */
  readonly folder: string;
  readonly listeners: readonly ListenerConfig[];
  /** Clients may log in without TLS. */
  readonly allowPlaintext: boolean;
  /** Processes that share the port; with one there is only this. */
  readonly workers: number;
  /** Client connections at once, per listener. */
  readonly maxConnections: number;
  /** How long a process stays awake for what comes next, while that pays; 0 is never. */
  readonly busyPollMicroseconds: number;
  /** Of all processes' spools together. */
  readonly spoolLimitBytes: number;
  readonly logLevel: string;
  /** Ends when the pipe to the parent closes. */
  readonly followParent: boolean;
  /** Set where this process is one of several. */
  readonly worker: WorkerConfig | null;
}

export interface WorkerConfig {
  /** From 1. */
  readonly number: number;
  /** It starts with its node; false where it replaces one that ended. */
  readonly fresh: boolean;
}

export interface ListenerConfig {
  readonly protocol: string;
  /** What agents dial. */
  readonly host: string;
  /** The address to listen on. */
  readonly bind: string;
  readonly port: number;
}

const MOST_WORKERS = 256;

export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The only place that reads the environment. @throws ConfigError naming the field and what it must be. */
export function readConfig(env: NodeJS.ProcessEnv): EnforcerConfig {
  const path = env.COUNTERFOIL_ENFORCER_CONFIG;
  if (!path) throw new ConfigError("COUNTERFOIL_ENFORCER_CONFIG must be the path of the enforcer's JSON configuration");
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new ConfigError(`the configuration ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const fields = new Fields(document, path);
  const config: EnforcerConfig = {
    id: fields.pattern("id", /^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, - and _"),
    group: fields.pattern("group", /^[a-z][a-z0-9_-]{0,62}$/, "a name such as `default`"),
    natsUrl: fields.text("natsUrl"),
    credentialsFile: fields.path("credentialsFile"),
    signingKeyFile: fields.path("signingKeyFile"),
    folder: fields.path("folder"),
    listeners: fields.list("listeners").map((each) => ({
      protocol: each.oneOf("protocol", [...protocols.keys()]),
      host: each.text("host"),
      bind: each.text("bind", "0.0.0.0"),
      port: each.whole("port", 0, 65_535),
    })),
    allowPlaintext: fields.flag("allowPlaintext", false),
    workers: fields.whole("workers", 1, MOST_WORKERS, Math.min(availableParallelism(), MOST_WORKERS)),
    maxConnections: fields.whole("maxConnections", 1, 1_000_000, 10_000),
    busyPollMicroseconds: fields.whole("busyPollMicroseconds", 0, 10_000, 200),
    spoolLimitBytes: fields.whole("spoolLimitBytes", 1 << 20, 2 ** 50, 256 << 20),
    logLevel: fields.oneOf("logLevel", ["debug", "info", "warn", "error", "silent"], "info"),
    followParent: env.COUNTERFOIL_PARENT_PIPE === "1",
    worker: workerOf(env.COUNTERFOIL_WORKER),
  };
  fields.noOthers();
  return config;
}

/** As the supervisor says it: `2`, or `2 again`. */
function workerOf(text: string | undefined): WorkerConfig | null {
  const [, number, again] = /^(\d+)( again)?$/.exec(text ?? "") ?? [];
  return number === undefined ? null : { number: Number(number), fresh: again === undefined };
}

class Fields {
  readonly #fields: Record<string, unknown>;
  readonly #known = new Set<string>();

  constructor(
    document: unknown,
    private readonly where: string,
  ) {
    if (typeof document !== "object" || document === null || Array.isArray(document)) {
      throw new ConfigError(`${where} must be a JSON object`);
    }
    this.#fields = document as Record<string, unknown>;
  }

  text(name: string, fallback?: string): string {
    const value = this.#take(name) ?? fallback;
    return typeof value === "string" && value !== "" ? value : this.#wrong(name, "a text that is not empty");
  }

  /** Absolute; a relative one is meant from the configuration's own folder. */
  path(name: string): string {
    return resolve(dirname(this.where), this.text(name));
  }

  pattern(name: string, pattern: RegExp, meaning: string): string {
    const value = this.text(name);
    return pattern.test(value) ? value : this.#wrong(name, meaning);
  }

  oneOf(name: string, allowed: readonly string[], fallback?: string): string {
    const value = this.text(name, fallback);
    return allowed.includes(value) ? value : this.#wrong(name, `one of ${allowed.join(", ")}`);
  }

  whole(name: string, least: number, most: number, fallback?: number): number {
    const value = this.#take(name) ?? fallback;
    const good = typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
    return good ? value : this.#wrong(name, `a whole number from ${least} to ${most}`);
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#take(name) ?? fallback;
    return typeof value === "boolean" ? value : this.#wrong(name, "true or false");
  }

  list(name: string): Fields[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length === 0) this.#wrong(name, "a list with at least one entry");
    return (value as unknown[]).map((each, index) => new Fields(each, `${this.where}: ${name}[${index}]`));
  }

  noOthers(): void {
    const other = Object.keys(this.#fields).find((name) => !this.#known.has(name));
    if (other)
      throw new ConfigError(`${this.where}: ${other} is not a setting; known are ${[...this.#known].join(", ")}`);
  }

  #take(name: string): unknown {
    this.#known.add(name);
    return this.#fields[name];
  }

  #wrong(name: string, meaning: string): never {
    const value = this.#fields[name];
    throw new ConfigError(
      `${this.where}: ${name} must be ${meaning}${value === undefined ? "" : `, not ${JSON.stringify(value)}`}`,
    );
  }
}
