export { Bus, type CallOptions, type EdgeCallOptions } from "./bus.js";
export { type BusOptions, connectBus } from "./connect.js";
export { BusFailure, BusUnavailable } from "./failures.js";
export { ensureStreams } from "./streams.js";
