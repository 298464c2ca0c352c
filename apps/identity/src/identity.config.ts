import type { BusOptions } from "#bus";
import { KeyedServiceEnvironment, readEnvironment } from "#bus/nest";

export interface IdentityConfig {
  /** A libpq connection URI. */
  readonly databaseUrl: string;
  readonly natsUrl: string;
  /** Absolute path of the folder with the key files; the authority's are made where there are none. */
  readonly keys: string;
  /** Connections to the database. */
  readonly poolSize?: number;
}

/** @throws EnvironmentError that names each variable and what it must be */
export function readIdentityConfig(env: NodeJS.ProcessEnv): IdentityConfig & { readonly bus: BusOptions } {
  const given = readEnvironment(KeyedServiceEnvironment, env);
  return {
    databaseUrl: given.COUNTERFOIL_DATABASE_URL,
    natsUrl: given.COUNTERFOIL_NATS_URL,
    keys: given.keys,
    bus: given.bus("identity"),
  };
}
