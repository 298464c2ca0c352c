import { createHash } from "node:crypto";
import type { Parameter } from "./command.js";

/** What an approval is bound to. Change one part, and it is another command. */
export interface ExactCommand {
  readonly statement: string;
  readonly parameters: readonly Parameter[];
  readonly principal: string;
  readonly resource: string;
  readonly session: string;
  readonly policyEpoch: number;
}

/**
 * SHA-256 over the parts, each prefixed with a kind byte and its length (32 bit, big-endian), so that no two different
 * commands share an encoding.
 * @returns 32 bytes.
 */
export function commandDigest(command: ExactCommand): Uint8Array {
  const hash = createHash("sha256").update("counterfoil command v1\0");
  const part = (kind: string, bytes: Uint8Array) => {
    const head = Buffer.alloc(5);
    head.write(kind, 0, "latin1");
    head.writeUInt32BE(bytes.length, 1);
    hash.update(head).update(bytes);
  };
  const text = (kind: string, value: string) => part(kind, Buffer.from(value, "utf8"));
  text("s", command.statement);
  text("p", command.principal);
  text("r", command.resource);
  text("c", command.session);
  text("e", String(command.policyEpoch));
  for (const parameter of command.parameters) {
    if (parameter.kind === "text") text("t", parameter.value);
    else if (parameter.kind === "binary") part("b", parameter.value);
    else part("n", new Uint8Array(0));
  }
  return hash.digest();
}
