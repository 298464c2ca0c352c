import { type Bus } from "#bus";
import type { CallContext, identityV1, policyV1 } from "#contracts";
import { type KnownNames, policyDoubts } from "#decisions";
import { enforcersOf } from "../fleet/enforcers-of-group.js";
import type { InputError } from "../http/problem.js";
import { atPlace, type Wanted } from "./document.js";
import { issuers } from "./issuers.js";
import type { Kind, Stored } from "./kind.js";
import { labels } from "./labels.js";
import type { Existing, PlannedStep } from "./plan.js";
import { policies } from "./policies.js";
import { resources } from "./resources.js";

/** What is valid, and comes to nothing as things are once the plan is carried out: worth a look, and no reason to refuse it. */
export async function warningsOf(
  bus: Bus,
  wanted: Wanted,
  plan: readonly PlannedStep[],
  current: Existing,
  call: CallContext,
): Promise<InputError[]> {
  return [...(await unserved(bus, wanted, call)), ...doubted(wanted, plan, current)];
}

/** Resources that no enforcer serves. */
async function unserved(bus: Bus, wanted: Wanted, call: CallContext): Promise<InputError[]> {
  const declared = (wanted.get(resources) ?? []) as readonly policyV1.Resource[];
  const groups = [...new Set(declared.map(({ group }) => group))];
  const enforcers = new Map<string, readonly identityV1.Enforcer[]>();
  for (const group of groups) enforcers.set(group, await enforcersOf(bus, group, call));
  return declared.flatMap(({ name, group, protocol }, index) => {
    const why = whyUnserved(enforcers.get(group) ?? [], group, protocol);
    return why === null ? [] : [{ pointer: `/resources/${index}/group`, detail: `resource ${name}: ${why}` }];
  });
}

function whyUnserved(enforcers: readonly identityV1.Enforcer[], group: string, protocol: string): string | null {
  const register = "counterfoil enforcers register makes one known";
  if (enforcers.length === 0) return `no enforcer is in the group ${group}, so nobody can reach it: ${register}`;
  const listening = enforcers.filter(({ listeners }) => listeners.some((each) => each.protocol === protocol));
  if (listening.length === 0) return `no enforcer of the group ${group} listens for ${protocol}: ${register}`;
  if (listening.some(({ seenAt }) => seenAt)) return null;
  return `no enforcer of the group ${group} has ever been started, so nobody can reach it`;
}

function doubted(wanted: Wanted, plan: readonly PlannedStep[], current: Existing): InputError[] {
  const known = knownAfter(plan, current);
  return (wanted.get(policies) ?? []).flatMap((policy, index) => {
    const { name, text } = policy as Stored & { readonly text: string };
    return policyDoubts(text, known).map((doubt) => atPlace(name, doubt, `/policies/${index}/text`));
  });
}

function knownAfter(plan: readonly PlannedStep[], current: Existing): KnownNames {
  const after = (kind: Kind) => {
    const objects = new Map(current.get(kind));
    for (const { of, name, wanted } of plan) {
      if (of !== kind) continue;
      if (wanted) objects.set(name, wanted);
      else objects.delete(name);
    }
    return objects;
  };
  const trusted = [...after(issuers).values()] as unknown as readonly identityV1.Issuer[];
  return {
    resources: new Set(after(resources).keys()),
    labels: new Set(after(labels).keys()),
    // Where an issuer says itself who is in which group, any group may be.
    groups: trusted.some(({ claims }) => claims?.groups) ? null : new Set(trusted.flatMap(({ groups }) => groups)),
  };
}
