import type { BusOptions } from "#bus";
import { KeyedServiceEnvironment, readEnvironment } from "#bus/nest";

export interface TokensConfig {
  /** A libpq connection URI. */
  readonly databaseUrl: string;
  /** Absolute path of the folder with `pepper` and `grant.key.pem`; made where there are none. */
  readonly keys: string;
  /** Connections to the database. */
  readonly poolSize?: number;
}

/** @throws EnvironmentError that names each variable and what it must be */
export function readTokensConfig(env: NodeJS.ProcessEnv): TokensConfig & { readonly bus: BusOptions } {
  const given = readEnvironment(KeyedServiceEnvironment, env);
  return { databaseUrl: given.COUNTERFOIL_DATABASE_URL, keys: given.keys, bus: given.bus("tokens") };
}
