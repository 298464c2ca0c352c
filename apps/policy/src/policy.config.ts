import type { BusOptions } from "#bus";
import { KeyedServiceEnvironment, readEnvironment, WholeNumber } from "#bus/nest";

export interface PolicyConfig {
  /** A libpq connection URI. */
  readonly databaseUrl: string;
  /** Absolute path of the folder with the signing key; made where there is none. */
  readonly keys: string;
  /** How long an enforcer may go without a beat. */
  readonly leaseSeconds: number;
  /** Connections to the database. */
  readonly poolSize?: number;
}

class Environment extends KeyedServiceEnvironment {
  @WholeNumber(5, 86_400) readonly COUNTERFOIL_LEASE_SECONDS: number = 15;
}

/** @throws EnvironmentError that names each variable and what it must be */
export function readPolicyConfig(env: NodeJS.ProcessEnv): PolicyConfig & { readonly bus: BusOptions } {
  const given = readEnvironment(Environment, env);
  return {
    databaseUrl: given.COUNTERFOIL_DATABASE_URL,
    keys: given.keys,
    leaseSeconds: given.COUNTERFOIL_LEASE_SECONDS,
    bus: given.bus("policy"),
  };
}
