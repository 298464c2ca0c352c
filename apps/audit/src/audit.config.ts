import { existsSync, readFileSync } from "node:fs";
import { plainToInstance } from "class-transformer";
import { IsUrl, Matches, validateSync } from "class-validator";
import type { BusOptions } from "#bus";

export interface AuditConfig {
  readonly databaseUrl: string;
  /** Connections to the database. */
  readonly poolSize?: number;
}

class ConfigError extends Error {
  override readonly name = "ConfigError";
}

class Environment {
  @Matches(/^postgres(ql)?:\/\//, { message: "COUNTERFOIL_DATABASE_URL must be a PostgreSQL URI, postgres://…" })
  COUNTERFOIL_DATABASE_URL!: string;

  @IsUrl(
    { protocols: ["nats", "tls"], require_protocol: true, require_tld: false },
    { message: "COUNTERFOIL_NATS_URL must be nats://host:port" },
  )
  COUNTERFOIL_NATS_URL!: string;

  COUNTERFOIL_NATS_CREDENTIALS?: string;
}

/** @throws ConfigError that names each variable and what it must be. */
export function readAuditConfig(env: NodeJS.ProcessEnv): AuditConfig & { readonly bus: BusOptions } {
  const given = plainToInstance(Environment, { ...env });
  const problems = validateSync(given).flatMap(({ constraints }) => Object.values(constraints ?? {}));
  const credentials = given.COUNTERFOIL_NATS_CREDENTIALS;
  if (credentials && !existsSync(credentials)) {
    problems.push(`COUNTERFOIL_NATS_CREDENTIALS: there is no file ${credentials}`);
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return {
    databaseUrl: given.COUNTERFOIL_DATABASE_URL,
    bus: {
      url: given.COUNTERFOIL_NATS_URL,
      name: "audit",
      ...(credentials && { credentials: readFileSync(credentials, "utf8") }),
    },
  };
}
