import { create } from "@bufbuild/protobuf";
import type { Bus } from "#bus";
import { type CallContext, identityV1, modelV1 } from "#contracts";

/** All that are known in a group, whether or not they run. */
export async function enforcersOf(bus: Bus, group: string, call: CallContext): Promise<identityV1.Enforcer[]> {
  const enforcers: identityV1.Enforcer[] = [];
  let cursor = "";
  do {
    const page = create(modelV1.PageRequestSchema, { cursor, limit: 500 });
    const request = create(identityV1.ListEnforcersRequestSchema, { group, page });
    const answer = await bus.call(identityV1.Identity.method.listEnforcers, request, call);
    enforcers.push(...answer.enforcers);
    cursor = answer.next;
  } while (cursor !== "");
  return enforcers;
}
