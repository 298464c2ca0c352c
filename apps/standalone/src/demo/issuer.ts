import { createServer, type Server } from "node:http";
import { exportJWK, generateKeyPair, type JWK } from "jose";

/** One machine identity the demo's CI system can vouch for. */
export interface DemoIdentity {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly groups: readonly string[];
  readonly run: string;
}

export interface DemoIssuer {
  readonly url: string;
  stop(): Promise<void>;
}

const AUDIENCE = "counterfoil";

/** The signing key of a new issuer, private. */
export async function newIssuerKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { ...(await exportJWK(privateKey)), use: "sig", alg: "ES256", kid: "demo" };
}

/**
 * An OpenID provider standing for a CI system: its jobs get a signed JWT about themselves by client credentials
 * (RFC 6749 section 4.4) with `resource=counterfoil` (RFC 8707).
 */
export async function startDemoIssuer(options: {
  readonly host: string;
  readonly port: number;
  readonly key: JWK;
  readonly identities: readonly DemoIdentity[];
}): Promise<DemoIssuer> {
  const url = `http://${options.host}:${options.port}`;
  const Provider = await quietly(async () => (await import("oidc-provider")).default);
  const create = () =>
    new Provider(url, {
      jwks: { keys: [options.key] },
      clients: options.identities.map((identity) => ({
        client_id: identity.clientId,
        client_secret: identity.clientSecret,
        grant_types: ["client_credentials"],
        id_token_signed_response_alg: "ES256" as const,
        redirect_uris: [],
        response_types: [],
      })),
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => `urn:${AUDIENCE}`,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({
            scope: "",
            audience: AUDIENCE,
            accessTokenFormat: "jwt",
            accessTokenTTL: 600,
            jwt: { sign: { alg: "ES256" } },
          }),
        },
      },
      ttl: { ClientCredentials: 600 },
      extraTokenClaims: (_context, token) => {
        const identity = options.identities.find(({ clientId }) => clientId === token.clientId);
        return identity && { groups: [...identity.groups], run_id: identity.run };
      },
    });
  const provider = await quietly(async () => create());
  const server = createServer(provider.callback());
  await listen(server, options.host, options.port);
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The provider warns of what a demo may do: an in-memory store, a Node it was not released for. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { warn, info } = console;
  console.warn = console.info = () => {};
  try {
    return await work();
  } finally {
    console.warn = warn;
    console.info = info;
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
