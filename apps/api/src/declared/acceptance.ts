import { type Bus, BusFailure } from "#bus";
import type { CallContext, identityV1 } from "#contracts";
import { faultsOf, pointerOf } from "../http/failure.js";
import type { InputError } from "../http/problem.js";
import { issuers } from "./issuers.js";
import type { Stored } from "./kind.js";
import type { Existing, PlannedStep } from "./plan.js";

const AT_ONCE = 8;

/** What the services would not take of what is to be written, asked before anything is. */
export async function unaccepted(
  bus: Bus,
  plan: readonly PlannedStep[],
  current: Existing,
  call: CallContext,
): Promise<readonly InputError[]> {
  const errors = takenUrls(plan, current);
  const writes = plan.filter(({ wanted, action }) => wanted && action !== "unchanged");
  for (let from = 0; from < writes.length; from += AT_ONCE) {
    const some = writes.slice(from, from + AT_ONCE);
    const found = await Promise.all(some.map((step) => refusalOf(bus, step, call)));
    errors.push(...found.flat());
  }
  return errors;
}

async function refusalOf(bus: Bus, { of, wanted, at }: PlannedStep, call: CallContext): Promise<readonly InputError[]> {
  try {
    if (wanted) await of.check(bus, wanted, call);
    return [];
  } catch (error) {
    if (!(error instanceof BusFailure && error.code === "invalid")) throw error;
    return faultsOf(error).map(({ field, message }) => {
      // The pointer says where already.
      const detail = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
      return { pointer: at + pointerOf(field), detail };
    });
  }
}

/** Two issuers with one URL, in the order in which they are written; what is pruned goes last, and so has its URL still. */
function takenUrls(plan: readonly PlannedStep[], current: Existing): InputError[] {
  const urls = new Map([...(current.get(issuers)?.values() ?? [])].map((issuer) => [issuer.name, urlOf(issuer)]));
  return plan.flatMap(({ of, name, wanted, at }) => {
    if (of !== issuers || !wanted) return [];
    const url = urlOf(wanted);
    const [other] = [...urls].find(([named, theirs]) => theirs === url && named !== name) ?? [];
    urls.set(name, url);
    return other === undefined ? [] : [{ pointer: `${at}/url`, detail: `the issuer ${other} has this url` }];
  });
}

const urlOf = (issuer: Stored) => (issuer as unknown as identityV1.Issuer).url;
