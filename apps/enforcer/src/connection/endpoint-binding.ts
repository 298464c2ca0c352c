import "reflect-metadata";
import { createHash } from "node:crypto";
import * as x509 from "@peculiar/x509";

/**
 * The `tls-server-end-point` channel binding (RFC 5929, section 4.1): the certificate's hash by its signature's own hash
 * function, with MD5 and SHA-1 raised to SHA-256. Null where the signature has no hash of its own (Ed25519).
 * @param certificate DER
 */
export function endpointBinding(certificate: Uint8Array): Uint8Array | null {
  const { signatureAlgorithm } = new x509.X509Certificate(certificate as Uint8Array<ArrayBuffer>);
  const hash = (signatureAlgorithm as { hash?: { name?: string } }).hash?.name?.toUpperCase();
  if (!hash) return null;
  const name = hash === "MD5" || hash === "SHA-1" ? "sha256" : hash.replace("-", "").toLowerCase();
  return createHash(name).update(certificate).digest();
}
