import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { plainToInstance } from "class-transformer";
import { IsOptional, IsString, IsUrl, Matches, validateSync } from "class-validator";
import type { BusOptions } from "#bus";

export interface IdentityConfig {
  readonly databaseUrl: string;
  readonly natsUrl: string;
  /** Absolute path of the folder with the key files; the authority's are made where there are none. */
  readonly keys: string;
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
}

/** @throws ConfigError that names each variable and what it must be. */
export function readIdentityConfig(env: NodeJS.ProcessEnv): IdentityConfig & { readonly bus: BusOptions } {
  const given = plainToInstance(Environment, env);
  const problems = validateSync(given).flatMap(({ constraints }) => Object.values(constraints ?? {}));
  const credentials = given.COUNTERFOIL_NATS_CREDENTIALS;
  if (credentials && !existsSync(credentials)) {
    problems.push(`COUNTERFOIL_NATS_CREDENTIALS: there is no file ${credentials}`);
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  const [keys, natsUrl] = [given.COUNTERFOIL_KEYS, given.COUNTERFOIL_NATS_URL];
  return {
    databaseUrl: given.COUNTERFOIL_DATABASE_URL,
    natsUrl,
    keys: isAbsolute(keys) ? keys : resolve(keys),
    bus: {
      url: natsUrl,
      name: "identity",
      ...(credentials && { credentials: readFileSync(credentials, "utf8") }),
    },
  };
}
