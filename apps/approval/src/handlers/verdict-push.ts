import type { MessageInitShape } from "@bufbuild/protobuf";
import { Injectable } from "@nestjs/common";
import { Bus } from "#bus";
import { type edgeV1, pushSubject } from "#contracts";
import { type ApprovalState, decidedBy } from "../domain/state.js";
import { WIRE_STATUSES } from "./wire-status.js";

/** What an enforcer is told of an approval that is no longer pending; null of one that is. */
export function decidedMessage(
  id: string,
  state: ApprovalState,
): MessageInitShape<typeof edgeV1.ApprovalDecidedSchema> | null {
  if (state.status === "absent" || state.status === "pending") return null;
  const by = decidedBy(state).map((actor) => ({ ...actor, roles: [...actor.roles] }));
  return { approvalId: id, status: WIRE_STATUSES[state.status], reason: state.because, by };
}

/** Tells the enforcer that holds the command. One that does not hear it learns by asking for the hold again. */
@Injectable()
export class VerdictPush {
  constructor(private readonly bus: Bus) {}

  push(id: string, state: ApprovalState): void {
    const value = decidedMessage(id, state);
    if (!value || state.status === "absent") return;
    this.bus.push(pushSubject.node(state.held.enforcerId), { message: { case: "approvalDecided", value } });
  }
}
