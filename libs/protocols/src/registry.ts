import { postgres } from "./postgres/protocol.js";
import type { Protocol } from "./protocol.js";

/** Every protocol an enforcer speaks. One more is one folder and one line. */
const PROTOCOLS: readonly Protocol[] = [postgres];

const byName = new Map(PROTOCOLS.map((protocol) => [protocol.name, protocol]));

export const protocolNames: readonly string[] = [...byName.keys()];

/** Undefined where no such protocol is known. */
export const protocolOf = (name: string): Protocol | undefined => byName.get(name);
