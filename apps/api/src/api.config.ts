import { readFileSync } from "node:fs";
import { plainToInstance, Transform } from "class-transformer";
import { IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min, MinLength, validateSync } from "class-validator";

export const API_CONFIG = Symbol("ApiConfig");

export interface ApiConfig {
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
  readonly natsUrl: string;
  /** The text of a NATS `.creds` file. */
  readonly natsCredentials?: string;
  /** Addresses or networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Token requests from one address. */
  readonly tokenRequests: { readonly burst: number; readonly perSecond: number };
  /** Wrong keys from one address. */
  readonly failedKeys: { readonly burst: number; readonly perSecond: number };
  /** How often a quiet event stream shows that it lives. */
  readonly heartbeatMs: number;
}

export const API_DEFAULTS = {
  host: "127.0.0.1",
  port: 7070,
  trustedProxies: [],
  tokenRequests: { burst: 60, perSecond: 5 },
  failedKeys: { burst: 20, perSecond: 0.5 },
  heartbeatMs: 15_000,
} as const satisfies Partial<ApiConfig>;

const asNumber = ({ value }: { value: unknown }) =>
  typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;

class Environment {
  @IsString() @MinLength(1) @MaxLength(255) COUNTERFOIL_API_HOST: string = API_DEFAULTS.host;
  @Transform(asNumber) @IsInt() @Min(0) @Max(65_535) COUNTERFOIL_API_PORT: number = API_DEFAULTS.port;
  @Matches(/^(nats|tls):\/\/\S+$/) COUNTERFOIL_NATS_URL: string = "nats://127.0.0.1:4222";
  @IsOptional() @IsString() @MinLength(1) COUNTERFOIL_NATS_CREDENTIALS?: string;
  @IsOptional() @Matches(/^[0-9a-fA-F:.,/ ]+$/) COUNTERFOIL_API_TRUSTED_PROXIES?: string;
}

/** The configuration the environment states. @throws Error naming each variable that is wrong */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): ApiConfig {
  const parsed = plainToInstance(Environment, environment, { exposeDefaultValues: true });
  const errors = validateSync(parsed);
  if (errors.length > 0) {
    const lines = errors.flatMap((error) => Object.values(error.constraints ?? {}));
    throw new Error(`the environment is not valid: ${lines.join("; ")}`);
  }
  const file = parsed.COUNTERFOIL_NATS_CREDENTIALS;
  return {
    ...API_DEFAULTS,
    host: parsed.COUNTERFOIL_API_HOST,
    port: parsed.COUNTERFOIL_API_PORT,
    natsUrl: parsed.COUNTERFOIL_NATS_URL,
    ...(file ? { natsCredentials: readFileSync(file, "utf8") } : {}),
    trustedProxies: (parsed.COUNTERFOIL_API_TRUSTED_PROXIES ?? "").split(/[ ,]+/).filter((text) => text !== ""),
  };
}
