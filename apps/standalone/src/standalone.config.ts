import { isAbsolute, join, resolve } from "node:path";

/** What can be set from outside. This is the only file of the app that reads the environment. */
export interface StandaloneConfig {
  /** Absolute; everything the installation knows is in it. */
  readonly state: string;
  readonly host: string;
  readonly apiPort: number;
  readonly issuerPort: number;
  /** Where agents dial PostgreSQL resources. */
  readonly postgresPort: number;
  /** Lets agents log in without TLS. Their secret stays off the wire all the same (SCRAM), their data does not. */
  readonly allowPlaintext: boolean;
  readonly reset: boolean;
}

class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** @throws ConfigError that names the setting and what it must be. */
export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string): StandaloneConfig {
  const unknown = args.find((arg) => arg !== "--reset");
  if (unknown !== undefined) throw new ConfigError(`unknown option ${unknown}: only --reset is understood`);
  const state = env.COUNTERFOIL_STATE || ".counterfoil";
  const ports = {
    COUNTERFOIL_API_PORT: port(env, "COUNTERFOIL_API_PORT", 7070),
    COUNTERFOIL_ISSUER_PORT: port(env, "COUNTERFOIL_ISSUER_PORT", 7071),
    COUNTERFOIL_POSTGRES_PORT: port(env, "COUNTERFOIL_POSTGRES_PORT", 7432),
  };
  for (const [name, value] of Object.entries(ports)) {
    const other = Object.entries(ports).find(([each, same]) => each > name && same === value);
    if (other) throw new ConfigError(`${name} and ${other[0]} are both ${value}: each needs a port of its own`);
  }
  return {
    state: isAbsolute(state) ? state : resolve(join(cwd, state)),
    host: env.COUNTERFOIL_HOST || "127.0.0.1",
    apiPort: ports.COUNTERFOIL_API_PORT,
    issuerPort: ports.COUNTERFOIL_ISSUER_PORT,
    postgresPort: ports.COUNTERFOIL_POSTGRES_PORT,
    allowPlaintext: env.COUNTERFOIL_ALLOW_PLAINTEXT === "1",
    reset: args.includes("--reset"),
  };
}

function port(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65535) {
    throw new ConfigError(`${name} must be a port from 1 to 65535, not ${JSON.stringify(text)}`);
  }
  return value;
}
