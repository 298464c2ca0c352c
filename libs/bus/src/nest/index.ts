export { BusModule } from "./bus.module.js";
export { BusServer } from "./bus-server.js";
export { CLOCK, type Clock } from "./clock.js";
export { keepKeyFile } from "./key-file.js";
export { type BusCall, EdgeRpc, Rpc } from "./rpc.js";
export { type RunningService, runService, type ServiceOptions, startService } from "./service.js";
export {
  BusEnvironment,
  KeyedServiceEnvironment,
  readEnvironment,
  ServiceEnvironment,
  WholeNumber,
} from "./service-environment.js";
