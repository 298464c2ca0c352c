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
