import type { ConnectionSettings, ConnectionTarget } from "../protocol.js";

/**
 * What an agent's tools need (libpq's environment variables; URI as in the manual, "Connection URIs"). The user name is
 * the token's public half, the password its secret half.
 * @throws RangeError where the token is not `foil_<id>_<secret>`.
 */
export function connectionSettings(target: ConnectionTarget): ConnectionSettings {
  const { host, port, token, database } = target;
  const [, username, password] = /^(foil_[0-9A-Za-z]+)_([0-9A-Za-z]+)$/.exec(token) ?? [];
  if (!username || !password) throw new RangeError("a token is foil_<id>_<secret>");
  const address = host.includes(":") ? `[${host}]` : host;
  return {
    host,
    port,
    username,
    password,
    database,
    uri: `postgresql://${username}:${password}@${address}:${port}/${encodeURIComponent(database)}?sslmode=verify-full`,
    environment: {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: username,
      PGPASSWORD: password,
      PGDATABASE: database,
      PGSSLMODE: "verify-full",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder that whoever writes the CA's file fills in
      PGSSLROOTCERT: "${ca}",
      // node-postgres knows PGSSLMODE but no PGSSLROOTCERT: Node itself has to know the CA.
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
      NODE_EXTRA_CA_CERTS: "${ca}",
    },
  };
}
