import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { HostPart, UpstreamPart } from "#commands";

/**
 * How TLS is taken towards a host of a resource, or null where it is not. As libpq means it: `require` encrypts and
 * checks the certificate's chain only where a CA is given (libpq's `verify-ca`); `verify-full` checks chain and name,
 * always.
 */
export function upstreamTls({ tls, ca }: UpstreamPart, { host }: HostPart): ConnectionOptions | null {
  if (tls === "disable") return null;
  const full = tls === "verify-full";
  return {
    ...(ca && { ca }),
    ...(isIP(host) === 0 && { servername: host }),
    host,
    minVersion: "TLSv1.2",
    rejectUnauthorized: full || ca !== "",
    ...(!full && { checkServerIdentity: () => undefined }),
  };
}

/** Codes of OpenSSL's verification and of Node's own check of the name, said of the certificate. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet",
  CERT_REVOKED: "has been revoked",
  ERR_TLS_CERT_ALTNAME_INVALID: "is for another host name",
  HOSTNAME_MISMATCH: "is for another host name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "is signed by itself, not by the CA that is trusted for it",
  SELF_SIGNED_CERT_IN_CHAIN: "comes from a CA that is not trusted for it",
  UNABLE_TO_GET_ISSUER_CERT: "comes from a CA that is not trusted for it",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "comes from a CA that is not trusted for it",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "comes from a CA that is not trusted for it",
  CERT_SIGNATURE_FAILURE: "comes from a CA that is not trusted for it",
  CERT_UNTRUSTED: "comes from a CA that is not trusted for it",
  CERT_REJECTED: "comes from a CA that is not trusted for it",
  INVALID_CA: "comes from a CA that may not sign it",
  INVALID_PURPOSE: "is not one for servers",
};

/** What is wrong with a server's certificate, as the end of "its certificate …"; null for any other error. */
export const certificateFault = (error: unknown): string | null =>
  CERTIFICATE[String((error as NodeJS.ErrnoException).code)] ?? null;
