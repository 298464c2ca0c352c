import { postgres } from "./postgres/protocol.js";
import type { Protocol } from "./protocol.js";

/** Every protocol an enforcer speaks, by name. One more is one folder and one line. */
export const protocols: ReadonlyMap<string, Protocol> = new Map(
  [postgres].map((protocol) => [protocol.name, protocol]),
);
