import type { BusOptions } from "#bus";
import { readEnvironment, ServiceEnvironment } from "#bus/nest";

export interface ApprovalConfig {
  /** A libpq connection URI. */
  readonly databaseUrl: string;
  /** Connections to the database. */
  readonly poolSize?: number;
}

/** @throws EnvironmentError that names each variable and what it must be */
export function readApprovalConfig(env: NodeJS.ProcessEnv): ApprovalConfig & { readonly bus: BusOptions } {
  const given = readEnvironment(ServiceEnvironment, env);
  return { databaseUrl: given.COUNTERFOIL_DATABASE_URL, bus: given.bus("approval") };
}
