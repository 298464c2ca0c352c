import { createHash } from "node:crypto";
import { loadX509 } from "./library.js";

/**
 * The `tls-server-end-point` channel binding (RFC 5929, section 4.1): the certificate's hash by its signature's own hash
 * function, with MD5 and SHA-1 raised to SHA-256. Null where the signature has no hash of its own (Ed25519).
 * @param certificate DER
 * @throws Error where it is none
 */
export async function endpointBinding(certificate: Uint8Array): Promise<Uint8Array | null> {
  const x509 = await loadX509();
  const { signatureAlgorithm } = new x509.X509Certificate(certificate as Uint8Array<ArrayBuffer>);
  const hash = (signatureAlgorithm as { hash?: { name?: string } }).hash?.name?.toUpperCase();
  if (!hash) return null;
  const name = hash === "MD5" || hash === "SHA-1" ? "sha256" : hash.replace("-", "").toLowerCase();
  return createHash(name).update(certificate).digest();
}
