export type * from "./protocol.js";
export { protocolNames, protocolOf } from "./registry.js";
