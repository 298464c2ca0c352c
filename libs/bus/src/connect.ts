import { setTimeout as sleep } from "node:timers/promises";
import {
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { Bus } from "./bus.js";
import { BusUnavailable } from "./failures.js";

export interface BusOptions {
  /** `nats://host:port`, or several separated by commas. */
  readonly url: string;
  /** The text of a NATS `.creds` file. */
  readonly credentials?: string;
  /** Shown in the bus's monitoring. */
  readonly name: string;
  readonly inboxPrefix?: string;
  /** How long to try the first connection, in milliseconds; 10000 where absent. */
  readonly patienceMs?: number;
}

const LONGEST_PAUSE_MS = 5000;

/**
 * Connects, and from then on reconnects for ever.
 * @throws BusUnavailable where there is no connection within the patience, or the credentials are refused.
 */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const deadline = Date.now() + (options.patienceMs ?? 10_000);
  for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
    try {
      return new Bus(await connect(connectionOptions(options)));
    } catch (cause) {
      if (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError) {
        throw new BusUnavailable(`the bus at ${options.url} refused the credentials of ${options.name}`, { cause });
      }
      if (Date.now() + pause > deadline) {
        throw new BusUnavailable(`there is no bus at ${options.url}; is nats-server running there?`, { cause });
      }
      await sleep(pause);
    }
  }
}

function connectionOptions(options: BusOptions): ConnectionOptions {
  return {
    servers: options.url.split(","),
    name: options.name,
    maxReconnectAttempts: -1,
    // A server that starts again may not know the accounts yet.
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: growingPauses(),
    pingInterval: 10_000,
    timeout: 20_000,
    ...(options.inboxPrefix !== undefined && { inboxPrefix: options.inboxPrefix }),
    ...(options.credentials !== undefined && {
      authenticator: credsAuthenticator(new TextEncoder().encode(options.credentials)),
    }),
  };
}

/** Half to all of 50, 100, 200 … 5000 ms; from the start again after a minute of quiet. */
function growingPauses(): () => number {
  let pause = 25;
  let asked = 0;
  return () => {
    if (Date.now() - asked > 60_000) pause = 25;
    asked = Date.now();
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    return pause * (0.5 + Math.random() / 2);
  };
}
