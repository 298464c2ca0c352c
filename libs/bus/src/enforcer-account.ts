import { type Account, Algorithms, decode, encodeAccount } from "@nats-io/jwt";
import { enforcerInbox, pushSubject } from "#contracts";
import { type BusUser, createUserOf, keyOf } from "./accounts.js";
import type { Bus } from "./bus.js";
import { BusUnavailable } from "./failures.js";

/**
 * Credentials for one node: it may publish under its own id, and hear its own inbox and the pushes meant for it.
 * `accountSeed` is that of the ENFORCERS account.
 */
export function admitEnforcer(
  accountSeed: string,
  node: { readonly id: string; readonly group: string },
): Promise<BusUser> {
  for (const token of [node.id, node.group]) {
    // A subject's separators and wildcards in a name would widen what the node may do.
    if (!/^[A-Za-z0-9_-]+$/.test(token)) throw new Error(`not a name for a subject: ${JSON.stringify(token)}`);
  }
  return createUserOf(accountSeed, `enforcer-${node.id}`, {
    pub: { allow: [`edge.${node.id}.>`] },
    sub: {
      allow: [`${enforcerInbox(node.id)}.>`, pushSubject.all, pushSubject.group(node.group), pushSubject.node(node.id)],
    },
  });
}

/**
 * Revokes users of the ENFORCERS account at the servers, which closes their connections at once. `system` is connected
 * as a user of the system account; `operatorSeed` signs the account. Needs a resolver that takes updates (`full`).
 *
 * Safe to repeat: the account's revocations only grow.
 * @throws BusUnavailable where the servers did not take it.
 */
export async function revokeEnforcers(
  system: Bus,
  keys: { readonly operatorSeed: string; readonly accountSeed: string },
  publicKeys: readonly string[],
  now: Date,
): Promise<void> {
  const account = keyOf(keys.accountSeed).getPublicKey();
  const { name, nats } = decode<Account>(await lookUp(system, account));
  const known = nats.revocations ?? {};
  const missing = publicKeys.filter((key) => !(key in known));
  if (missing.length === 0) return;
  const { type: _type, version: _version, ...content } = nats;
  // Everything issued up to `now`, in seconds.
  const revoked = Object.fromEntries(missing.map((key) => [key, Math.ceil(now.getTime() / 1000)]));
  const jwt = await encodeAccount(
    name,
    account,
    { ...content, revocations: { ...known, ...revoked } },
    { algorithm: Algorithms.v2, signer: keyOf(keys.operatorSeed) },
  );
  const answer = await ask(system, "$SYS.REQ.CLAIMS.UPDATE", jwt);
  const { data, error } = answer.json<{ data?: { code?: number }; error?: { description?: string } }>();
  if (data?.code !== 200) throw new BusUnavailable(`nats-server did not take a revocation: ${error?.description}`);
}

/** Connections a server tells of in one answer: some 2 KB each. */
const PAGE = 2000;

/** The public keys of the ENFORCERS account's users that are connected now, to any server. `system` as above. */
export async function connectedEnforcers(system: Bus, accountSeed: string): Promise<ReadonlySet<string>> {
  const account = keyOf(accountSeed).getPublicKey();
  const users = new Set<string>();
  for (let offset = 0, full = true; full; offset += PAGE) {
    full = false;
    const options = JSON.stringify({ acc: account, auth: true, limit: PAGE, offset });
    // Each server answers for itself.
    const answers = await system.nats.requestMany(`$SYS.REQ.ACCOUNT.${account}.CONNZ`, options, {
      strategy: "stall",
      stall: 300,
      maxWait: 3000,
    });
    for await (const answer of answers) {
      const { connections = [] } = answer.json<{ data?: Connections }>().data ?? {};
      for (const { authorized_user: user } of connections) if (user) users.add(user);
      full ||= connections.length === PAGE;
    }
  }
  return users;
}

interface Connections {
  readonly connections?: readonly { readonly authorized_user?: string }[];
}

async function lookUp(system: Bus, account: string): Promise<string> {
  const jwt = (await ask(system, `$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`, "")).string();
  if (!jwt) throw new BusUnavailable("nats-server does not know the account ENFORCERS");
  return jwt;
}

async function ask(system: Bus, subject: string, body: string) {
  try {
    return await system.nats.request(subject, body, { timeout: 5000 });
  } catch (cause) {
    throw new BusUnavailable(`no answer to ${subject}: are the credentials those of the system account?`, { cause });
  }
}
