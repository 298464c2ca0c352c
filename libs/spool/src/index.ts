export type { Backlog } from "./backlog.js";
export { SpoolFull, SpoolLocked, SpoolUnwritable } from "./errors.js";
export type { Damage } from "./recovery.js";
export type { Frame } from "./segment.js";
export { type Durability, type Replaced, Spool, type SpoolOptions, type SpoolState } from "./spool.js";
