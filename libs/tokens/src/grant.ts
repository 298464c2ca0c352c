import { type KeyObject, sign, verify } from "node:crypto";
import type { Principal } from "#commands";

/** The control plane's statement of what a token permits. */
export interface Grant {
  readonly tokenId: string;
  readonly principal: Principal;
  readonly resource: string;
  readonly protocol: string;
  /** Actions it is limited to; empty means whatever policy permits. */
  readonly scope: readonly string[];
  readonly mode: "once" | "burst" | "run";
  readonly uses: number;
  readonly windowSeconds: number;
  /** Milliseconds since 1970. */
  readonly mintedAt: number;
  readonly expiresAt: number;
}

const CONTEXT = "counterfoil grant v1\0";

/**
 * Ed25519 (RFC 8032) over the grant as canonical JSON, prefixed with `counterfoil grant v1\0`.
 * @returns 64 bytes.
 */
export function signGrant(grant: Grant, key: KeyObject): Uint8Array {
  return sign(null, bytesOf(grant), key);
}

/** Whether this very grant was signed with the key's private half. */
export function verifyGrant(grant: Grant, signature: Uint8Array, key: KeyObject): boolean {
  return signature.length === 64 && verify(null, bytesOf(grant), key, signature);
}

/** Every field named here, in this order: what is not signed is not read either. */
function bytesOf(grant: Grant): Buffer {
  const { principal } = grant;
  const fields = [
    ["token", grant.tokenId],
    ["principal", principal.id, principal.issuer, principal.subject, principal.name, principal.run],
    ["groups", ...principal.groups],
    ["on_behalf_of", ...principal.onBehalfOf],
    ["resource", grant.resource, grant.protocol],
    ["scope", ...grant.scope],
    ["uses", grant.mode, grant.uses, grant.windowSeconds],
    ["time", grant.mintedAt, grant.expiresAt],
  ];
  return Buffer.from(CONTEXT + JSON.stringify(fields), "utf8");
}
