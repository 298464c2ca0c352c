import { readFileSync } from "node:fs";
import { plainToInstance } from "class-transformer";
import { IsOptional, IsString, Matches, validateSync } from "class-validator";
import type { BusOptions } from "#bus";

export interface ApprovalConfig {
  /** A libpq connection URI. */
  readonly databaseUrl: string;
}

class Environment {
  @Matches(/^postgres(ql)?:\/\//, { message: "COUNTERFOIL_DATABASE_URL must be a PostgreSQL URI, postgres://…" })
  COUNTERFOIL_DATABASE_URL!: string;

  @Matches(/^(nats|tls):\/\/\S+$/, { message: "COUNTERFOIL_NATS_URL must be nats://host:port" })
  COUNTERFOIL_NATS_URL!: string;

  @IsOptional()
  @IsString()
  COUNTERFOIL_NATS_CREDENTIALS?: string;
}

/** The only place of the service that looks at the environment. @throws Error that names each variable and what it must be */
export function readApprovalConfig(env: NodeJS.ProcessEnv): ApprovalConfig & { readonly bus: BusOptions } {
  const given = plainToInstance(Environment, env);
  const problems = validateSync(given).flatMap(({ constraints }) => Object.values(constraints ?? {}));
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const path = given.COUNTERFOIL_NATS_CREDENTIALS;
  return {
    databaseUrl: given.COUNTERFOIL_DATABASE_URL,
    bus: { url: given.COUNTERFOIL_NATS_URL, name: "approval", ...(path && { credentials: credentialsIn(path) }) },
  };
}

function credentialsIn(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`COUNTERFOIL_NATS_CREDENTIALS: ${(cause as Error).message}`, { cause });
  }
}
