import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { ResourcePart } from "#commands";

/**
 * How TLS is taken towards a resource, or null where it is not. As libpq means it: `require` encrypts and checks the
 * certificate's chain only where a CA is given; `verify-full` checks chain and name, always.
 */
export function upstreamTls(upstream: ResourcePart["upstream"]): ConnectionOptions | null {
  if (upstream.tls === "disable") return null;
  const full = upstream.tls === "verify-full";
  return {
    ...(upstream.ca && { ca: upstream.ca }),
    ...(isIP(upstream.host) === 0 && { servername: upstream.host }),
    host: upstream.host,
    rejectUnauthorized: full || upstream.ca !== "",
    ...(!full && { checkServerIdentity: () => undefined }),
  };
}
