import { IsOptional, Matches } from "class-validator";
import type { BusOptions } from "#bus";
import { BusEnvironment, readEnvironment, WholeNumber } from "#bus/nest";

export const API_CONFIG = Symbol("ApiConfig");

export interface ApiConfig {
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
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

class Environment extends BusEnvironment {
  @Matches(/^\S{1,255}$/, { message: "$property must be an address or a host name" })
  readonly COUNTERFOIL_API_HOST: string = API_DEFAULTS.host;

  @WholeNumber(0, 65_535) readonly COUNTERFOIL_API_PORT: number = API_DEFAULTS.port;

  @IsOptional()
  @Matches(/^[0-9a-fA-F:.,/ ]+$/, { message: "$property must be addresses or networks, separated by commas" })
  readonly COUNTERFOIL_API_TRUSTED_PROXIES?: string;
}

/** @throws EnvironmentError that names each variable and what it must be */
export function readApiConfig(env: NodeJS.ProcessEnv): ApiConfig & { readonly bus: BusOptions } {
  const given = readEnvironment(Environment, env);
  return {
    ...API_DEFAULTS,
    host: given.COUNTERFOIL_API_HOST,
    port: given.COUNTERFOIL_API_PORT,
    trustedProxies: (given.COUNTERFOIL_API_TRUSTED_PROXIES ?? "").split(/[ ,]+/).filter((text) => text !== ""),
    bus: given.bus("api"),
  };
}
