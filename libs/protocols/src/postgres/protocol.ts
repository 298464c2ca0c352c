import type { Protocol } from "../protocol.js";
import { ALPN } from "./codes.js";
import { connectionSettings } from "./connection-settings.js";
import { PostgresConversation } from "./conversation.js";
import { cancelRequest } from "./encoder.js";
import { PostgresClientLogin } from "./handshake/client.js";
import { scramVerifier } from "./handshake/scram.js";
import { PostgresUpstreamLogin } from "./handshake/upstream.js";

/** PostgreSQL, frontend/backend protocol 3.0 and 3.2, servers 14 and later. */
export const postgres: Protocol = {
  name: "postgres",
  semantics: "postgresql",
  defaultPort: 5432,
  alpn: [ALPN],
  clientLogin: (options) => new PostgresClientLogin(options),
  upstreamLogin: (options) => new PostgresUpstreamLogin(options),
  conversation: (options) => new PostgresConversation(options),
  cancelRequest,
  verifier: (secret, salt) => scramVerifier(secret, salt),
  connectionSettings,
};
