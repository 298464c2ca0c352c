import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { approvalV1, modelV1 } from "#contracts";
import { Refused } from "#event-store";
import type { Principal } from "../domain/events.js";
import type { ApprovalStatus } from "../domain/state.js";
import { WIRE_STATUSES } from "../handlers/wire-status.js";
import type { ApprovalView } from "../projections/approval-queries.js";

/** Null where any will do. */
export function statusOf(status: approvalV1.ApprovalStatus): ApprovalStatus | null {
  if (status === approvalV1.ApprovalStatus.APPROVAL_STATUS_UNSPECIFIED) return null;
  const found = (Object.keys(WIRE_STATUSES) as ApprovalStatus[]).find((name) => WIRE_STATUSES[name] === status);
  if (!found) throw new Refused("invalid", `there is no approval status ${status}`, { field: "status" });
  return found;
}

export function principalOf(message: modelV1.Principal | undefined): Principal {
  const { id, issuer, subject, name, groups, run, onBehalfOf } = message ?? create(modelV1.PrincipalSchema);
  return { id, issuer, subject, name, groups: [...groups], run, onBehalfOf: [...onBehalfOf] };
}

export function approvalMessage(view: ApprovalView): MessageInitShape<typeof approvalV1.ApprovalSchema> {
  const { held } = view;
  const { requester } = held;
  return {
    ...{ id: view.id, status: WIRE_STATUSES[view.status], version: BigInt(view.version) },
    requester: { ...requester, groups: [...requester.groups], onBehalfOf: [...requester.onBehalfOf] },
    ...{ resource: held.resource, sessionId: held.sessionId, enforcerId: held.enforcerId },
    ...{ statement: held.statement, parameters: [...held.parameters], digest: Buffer.from(held.digest, "hex") },
    ...{ policyEpoch: BigInt(held.policyEpoch), policies: [...held.policies] },
    endedBecause: view.because,
    ...{ approvers: held.approvers, quorum: held.quorum, reason: held.reason },
    ...{ requestedAt: timestampFromMs(held.requestedAt), expiresAt: timestampFromMs(held.expiresAt) },
    ...{ replaces: held.replaces ?? "", replacedBy: view.replacedBy },
    votes: view.votes.map(({ by, approve, reason, at }) => ({
      by: { ...by, roles: [...by.roles] },
      ...{ approve, reason, at: timestampFromMs(at) },
    })),
  };
}
