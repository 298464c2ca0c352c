import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { plainToInstance } from "class-transformer";
import { IsInt, IsOptional, IsString, IsUrl, Matches, Max, Min, validateSync } from "class-validator";
import type { BusOptions } from "#bus";

export interface PolicyConfig {
  readonly databaseUrl: string;
  /** Absolute path of the folder with the signing key; made where there is none. */
  readonly keys: string;
  /** How long an enforcer may go without a beat. */
  readonly leaseSeconds: number;
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

  @IsOptional()
  @IsString()
  COUNTERFOIL_NATS_CREDENTIALS?: string;

  @Matches(/./, { message: "COUNTERFOIL_KEYS must be the folder of the key files" })
  COUNTERFOIL_KEYS!: string;

  @IsOptional()
  @IsInt({ message: "COUNTERFOIL_LEASE_SECONDS must be a whole number of seconds" })
  @Min(5, { message: "COUNTERFOIL_LEASE_SECONDS must be at least 5" })
  @Max(86_400, { message: "COUNTERFOIL_LEASE_SECONDS must be at most 86400" })
  COUNTERFOIL_LEASE_SECONDS?: number;
}

/** @throws ConfigError that names each variable and what it must be. */
export function readPolicyConfig(env: NodeJS.ProcessEnv): PolicyConfig & { readonly bus: BusOptions } {
  const { COUNTERFOIL_LEASE_SECONDS: lease, ...texts } = env;
  const given = plainToInstance(Environment, {
    ...texts,
    ...(lease !== undefined && lease !== "" && { COUNTERFOIL_LEASE_SECONDS: Number(lease) }),
  });
  const problems = validateSync(given).flatMap(({ constraints }) => Object.values(constraints ?? {}));
  const credentials = given.COUNTERFOIL_NATS_CREDENTIALS;
  if (credentials && !existsSync(credentials))
    problems.push(`COUNTERFOIL_NATS_CREDENTIALS: there is no file ${credentials}`);
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  const keys = given.COUNTERFOIL_KEYS;
  return {
    databaseUrl: given.COUNTERFOIL_DATABASE_URL,
    keys: isAbsolute(keys) ? keys : resolve(keys),
    leaseSeconds: given.COUNTERFOIL_LEASE_SECONDS ?? 15,
    bus: {
      url: given.COUNTERFOIL_NATS_URL,
      name: "policy",
      ...(credentials && { credentials: readFileSync(credentials, "utf8") }),
    },
  };
}
