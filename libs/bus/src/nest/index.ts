export { BusModule } from "./bus.module.js";
export { BusServer } from "./bus-server.js";
export { type BusCall, EdgeRpc, Rpc } from "./rpc.js";
export { type RunningService, runService, type ServiceOptions, startService } from "./service.js";
