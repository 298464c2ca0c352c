import { setTimeout as sleep } from "node:timers/promises";
import { encode } from "@nats-io/nkeys";
import {
  type Authenticator,
  AuthorizationError,
  type ConnectionOptions,
  connect,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { keyOf } from "./accounts.js";
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
 * @throws Error where the credentials are none.
 */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const authenticator = options.credentials === undefined ? undefined : authenticatorOf(options.credentials);
  const deadline = Date.now() + (options.patienceMs ?? 10_000);
  for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
    try {
      return new Bus(await connect(connectionOptions(options, authenticator)));
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

function connectionOptions(options: BusOptions, authenticator?: Authenticator): ConnectionOptions {
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
    ...(authenticator && { authenticator }),
  };
}

/** A user's JWT, and then its seed, each between two lines that name it. */
const CREDENTIALS = /^-{3,}BEGIN .*-{3,}\s+(\S+)\s+-{3,}END .*-{3,}$/gm;

/** Tells the server the JWT and signs what it asks to be signed. */
function authenticatorOf(credentials: string): Authenticator {
  const [jwt, seed] = [...credentials.matchAll(CREDENTIALS)].map(([, text]) => text);
  if (!jwt || !seed)
    throw new Error("the bus's credentials must be the text of a .creds file: a user's JWT and its seed");
  const user = keyOf(seed);
  return (nonce) => ({ jwt, nkey: user.getPublicKey(), sig: nonce ? encode(user.sign(Buffer.from(nonce))) : "" });
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
