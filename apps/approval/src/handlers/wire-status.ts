import { approvalV1 } from "#contracts";
import type { ApprovalStatus } from "../domain/state.js";

const { ApprovalStatus: Wire } = approvalV1;

export const WIRE_STATUSES: Readonly<Record<ApprovalStatus, approvalV1.ApprovalStatus>> = {
  pending: Wire.PENDING,
  approved: Wire.APPROVED,
  rejected: Wire.REJECTED,
  expired: Wire.EXPIRED,
  withdrawn: Wire.WITHDRAWN,
  consumed: Wire.CONSUMED,
};
