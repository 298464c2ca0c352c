import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { isIP } from "node:net";
import { element, objectIdentifier, sequence, TAG } from "./der.js";

const COMMON_NAME = objectIdentifier("2.5.4.3");
const EXTENSION_REQUEST = objectIdentifier("1.2.840.113549.1.9.14");
const SUBJECT_ALT_NAME = objectIdentifier("2.5.29.17");
const ECDSA_WITH_SHA256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));
const VERSION = element(TAG.integer, Buffer.from([0]));
/** Context tags: a request's attributes, and kinds of GeneralName. */
const ATTRIBUTES = 0xa0;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

export interface CertificateRequest {
  /** PKCS #8, PEM. */
  readonly key: string;
  /** PKCS #10 (RFC 2986), PEM. */
  readonly request: string;
}

/** A new P-256 key, and the request for a certificate of it. @param hosts names and addresses it is to be good for */
export function makeRequest(commonName: string, hosts: readonly string[]): CertificateRequest {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const info = sequence(
    VERSION,
    sequence(element(TAG.set, sequence(COMMON_NAME, element(TAG.utf8, Buffer.from(commonName))))),
    publicKey.export({ type: "spki", format: "der" }),
    element(ATTRIBUTES, sequence(EXTENSION_REQUEST, element(TAG.set, sequence(subjectAltName(hosts))))),
  );
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    request: pem(sequence(info, ECDSA_WITH_SHA256, bitString(signed(info, privateKey)))),
  };
}

const signed = (bytes: Uint8Array, key: KeyObject) => sign("sha256", bytes, key);

const bitString = (bytes: Uint8Array) => element(TAG.bitString, Buffer.from([0]), bytes);

function subjectAltName(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIP(host) ? element(IP_ADDRESS, addressBytes(host)) : element(DNS_NAME, Buffer.from(host, "latin1")),
  );
  return sequence(SUBJECT_ALT_NAME, element(TAG.octetString, sequence(...names)));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // As a URL's host it has no dotted part and no zone.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined) => (part ? part.split(":") : []);
  const [before, behind] = [groups(head), groups(tail)];
  const all = [...before, ...Array<string>(8 - before.length - behind.length).fill("0"), ...behind];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function pem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE REQUEST-----", ...lines, "-----END CERTIFICATE REQUEST-----", ""].join("\n");
}
