export { type CallContext, HEADER } from "./call-context.js";
export * as approvalV1 from "./generated/counterfoil/approval/v1/approval_pb.js";
export * as auditV1 from "./generated/counterfoil/audit/v1/audit_pb.js";
export * as busV1 from "./generated/counterfoil/bus/v1/bus_pb.js";
export * as edgeV1 from "./generated/counterfoil/edge/v1/edge_pb.js";
export * as identityV1 from "./generated/counterfoil/identity/v1/identity_pb.js";
export * as modelV1 from "./generated/counterfoil/model/v1/model_pb.js";
export * as policyV1 from "./generated/counterfoil/policy/v1/policy_pb.js";
export * as tokensV1 from "./generated/counterfoil/tokens/v1/tokens_pb.js";
export {
  AUDIT_APPENDED,
  edgeRecordsSubject,
  edgeSubject,
  enforcerInbox,
  enforcerOf,
  eventSubject,
  pushSubject,
  rpcSubject,
  STREAM,
} from "./subjects.js";
