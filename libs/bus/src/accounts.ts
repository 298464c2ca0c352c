import {
  type Account,
  Algorithms,
  decode,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
  type OperatorLimits,
  type RevocationList,
  type User,
} from "@nats-io/jwt";
import { createAccount, createOperator, createUser, type KeyPair } from "@nats-io/nkeys";
import { NodeKeyPair } from "./node-key-pair.js";

/**
 * The seeds that sign who may do what on the bus. SYSTEM is nats-server's own account; CONTROL holds the services and
 * JetStream; ENFORCERS holds the nodes, which reach of CONTROL only `edge.>` to ask and `push.>` to hear.
 */
export interface BusKeys {
  readonly operator: string;
  readonly system: string;
  readonly control: string;
  readonly enforcers: string;
}

/** What nats-server is told of them: nothing in it is secret. */
export interface BusAccounts {
  readonly operator: string;
  /** The system account's public key. */
  readonly system: string;
  /** Account JWTs by public key. */
  readonly accounts: Readonly<Record<string, string>>;
}

const V2 = { algorithm: Algorithms.v2 };
const EVERYTHING: OperatorLimits = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
};
const JETSTREAM: OperatorLimits = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

export function createBusKeys(): BusKeys {
  const seed = (pair: KeyPair) => new TextDecoder().decode(pair.getSeed());
  return {
    operator: seed(createOperator()),
    system: seed(createAccount()),
    control: seed(createAccount()),
    enforcers: seed(createAccount()),
  };
}

/** `revoked`: what the ENFORCERS account has revoked so far, see `revocationsOf`. */
export async function describeAccounts(keys: BusKeys, revoked: Revocations = {}): Promise<BusAccounts> {
  const operator = keyOf(keys.operator);
  const [system, control, enforcers] = [keys.system, keys.control, keys.enforcers].map((seed) =>
    keyOf(seed).getPublicKey(),
  ) as [string, string, string];
  const signed = (name: string, publicKey: string, account: Partial<Account>) =>
    encodeAccount(name, publicKey, account, { ...V2, signer: operator });
  return {
    operator: await encodeOperator("counterfoil", operator, { system_account: system }, V2),
    system,
    accounts: {
      [system]: await signed("SYSTEM", system, { limits: EVERYTHING }),
      [control]: await signed("CONTROL", control, {
        limits: { ...EVERYTHING, ...JETSTREAM },
        exports: [
          { name: "edge", subject: "edge.>", type: "service", response_type: "Singleton" },
          { name: "push", subject: "push.>", type: "stream" },
        ],
      }),
      [enforcers]: await signed("ENFORCERS", enforcers, {
        limits: EVERYTHING,
        revocations: revoked,
        imports: [
          { name: "edge", subject: "edge.>", account: control, type: "service" },
          { name: "push", subject: "push.>", account: control, type: "stream" },
        ],
      }),
    },
  };
}

/** Users revoked, with the time in seconds up to which. */
export type Revocations = RevocationList;

/** What an account's JWT says is revoked. @throws Error where it is none, or its signature is wrong */
export const revocationsOf = (jwt: string): Revocations => decode<Account>(jwt.trim()).nats.revocations ?? {};

/** A user of the account whose seed is given, without restrictions within it. Answers a `.creds` text. */
export async function userCredentials(accountSeed: string, name: string): Promise<string> {
  return (await createUserOf(accountSeed, name, {})).credentials;
}

export interface BusUser {
  /** A `.creds` text; secret. */
  readonly credentials: string;
  /** Names the user for a revocation. */
  readonly publicKey: string;
}

export async function createUserOf(accountSeed: string, name: string, permissions: Partial<User>): Promise<BusUser> {
  const user = new NodeKeyPair(createUser().getSeed());
  const jwt = await encodeUser(name, user, keyOf(accountSeed), permissions, V2);
  return { credentials: new TextDecoder().decode(fmtCreds(jwt, user)), publicKey: user.getPublicKey() };
}

/** Of a seed, with or without white space around it. @throws Error where it is none */
export const keyOf = (seed: string): KeyPair => new NodeKeyPair(new TextEncoder().encode(seed.trim()));

export const publicKeyOf = (seed: string): string => keyOf(seed).getPublicKey();
