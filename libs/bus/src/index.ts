export {
  type BusAccounts,
  type BusKeys,
  type BusUser,
  createBusKeys,
  describeAccounts,
  publicKeyOf,
  type Revocations,
  revocationsOf,
  userCredentials,
} from "./accounts.js";
export { Bus, type CallOptions, type EdgeCallOptions, type EncodedBatch } from "./bus.js";
export { type BusOptions, connectBus } from "./connect.js";
export { admitEnforcer, connectedEnforcers, revokeEnforcers } from "./enforcer-account.js";
export { BusFailure, BusUnavailable } from "./failures.js";
export { type ServerConfigOptions, serverConfig } from "./server-config.js";
export { ensureStreams } from "./streams.js";
