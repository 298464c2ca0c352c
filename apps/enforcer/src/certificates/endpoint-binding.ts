import { createHash } from "node:crypto";
import { elements, objectIdentifier, TAG } from "./der.js";

/** By a certificate's signature algorithm (RFC 3279, RFC 4055, RFC 5758), with MD5 and SHA-1 raised to SHA-256. */
const HASHES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "1.2.840.113549.1.1.4": "sha256",
    "1.2.840.113549.1.1.5": "sha256",
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.10045.4.1": "sha256",
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    // Hashes as RSASSA-PSS names them.
    "1.3.14.3.2.26": "sha256",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
  }).map(([dotted, hash]) => [hex(objectIdentifier(dotted).subarray(2)), hash]),
);
const RSASSA_PSS = hex(objectIdentifier("1.2.840.113549.1.1.10").subarray(2));
const PSS_HASH = 0xa0;

/**
 * The `tls-server-end-point` channel binding (RFC 5929, section 4.1): the certificate's hash by its signature's own hash
 * function, with MD5 and SHA-1 raised to SHA-256. Null where the signature has no hash of its own (Ed25519).
 * @param certificate DER
 * @throws RangeError where it is none
 */
export function endpointBinding(certificate: Uint8Array): Uint8Array | null {
  const [whole] = elements(certificate);
  const [, algorithm] = elements(whole?.content ?? certificate);
  const [identifier, parameters] = elements(algorithm?.content ?? certificate);
  if (identifier?.tag !== TAG.objectIdentifier) throw new RangeError("no certificate");
  const name = hex(identifier.content);
  const hash = HASHES.get(name === RSASSA_PSS ? pssHash(parameters?.content) : name);
  return hash === undefined ? null : createHash(hash).update(certificate).digest();
}

/** SHA-1 where it is not said (RFC 4055, section 3.1). */
function pssHash(parameters: Uint8Array | undefined): string {
  const said = parameters && elements(parameters).find(({ tag }) => tag === PSS_HASH);
  if (!said) return hex(objectIdentifier("1.3.14.3.2.26").subarray(2));
  const [algorithm] = elements(said.content);
  const [identifier] = elements(algorithm?.content ?? said.content);
  return hex(identifier?.content ?? said.content);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
