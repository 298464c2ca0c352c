import type { BusAccounts } from "./accounts.js";

export interface ServerConfigOptions {
  readonly host: string;
  readonly port: number;
  /** JetStream's store. */
  readonly store: string;
  /** Where the server keeps account JWTs, with what was revoked since. */
  readonly accountsFolder: string;
  /** `2.9.10`, of the server that will read it. */
  readonly version: string;
  /** JetStream's disk limit, bytes. */
  readonly maxStore?: number;
}

/** Text of a nats-server configuration for one server. */
export function serverConfig(accounts: BusAccounts, options: ServerConfigOptions): string {
  // Before 2.10 the server knows no such setting and syncs every 2 minutes.
  const sync = atLeast(options.version, 2, 10) ? "\n  sync_interval: always" : "";
  const preload = Object.entries(accounts.accounts).map(([key, jwt]) => `  ${key}: ${jwt}`);
  return `
listen: ${quoted(`${options.host}:${options.port}`)}
max_payload: 8MB
ping_interval: 10s
ping_max: 2
# After a restart all come back at once, and each signs before it is let in: the default of 2 s turns them away for ever.
authorization { timeout: 20 }
jetstream {
  store_dir: ${quoted(options.store)}
  max_file_store: ${options.maxStore ?? 16 * 1024 ** 3}${sync}
}
operator: ${accounts.operator}
system_account: ${accounts.system}
resolver {
  type: full
  dir: ${quoted(options.accountsFolder)}
}
resolver_preload {
${preload.join("\n")}
}
`.trimStart();
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

const quoted = (text: string) => JSON.stringify(text);
