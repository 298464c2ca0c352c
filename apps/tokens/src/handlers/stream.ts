import { createHash } from "node:crypto";

export const TOKEN_STREAM = "token";

export const tokenStream = (tokenId: string): string => `${TOKEN_STREAM}-${tokenId}`;

/** The command id for one of several streams that one command changes (a version 8 UUID). */
export function commandIdFor(commandId: string, tokenId: string): string {
  const hex = createHash("sha256").update(`${commandId}/${tokenId}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
