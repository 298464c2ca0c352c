export type * from "./protocol.js";
export { protocols } from "./registry.js";
