import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import type { IssuerDefinition } from "../domain/issuer.js";

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly published: JWK;
}

/** A real issuer on the loopback: a discovery document and a key set, both to be spoilt by tests. */
export class LocalIssuer {
  readonly keys: Key[] = [];
  /** Answers instead of the document at a path. */
  readonly answers = new Map<string, { status: number; body: string; headers?: Record<string, string> }>();
  readonly requests: string[] = [];

  private constructor(
    readonly url: string,
    private readonly server: Server,
  ) {}

  static async start(): Promise<LocalIssuer> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const issuer = new LocalIssuer(`http://127.0.0.1:${(server.address() as { port: number }).port}`, server);
    server.on("request", (request, response) => {
      const path = request.url ?? "";
      issuer.requests.push(path);
      const documents: Record<string, object> = {
        "/.well-known/openid-configuration": { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` },
        "/jwks": { keys: issuer.keys.map(({ published }) => published) },
      };
      const set = issuer.answers.get(path) ?? {
        status: documents[path] ? 200 : 404,
        body: JSON.stringify(documents[path] ?? {}),
      };
      response.writeHead(set.status, { "content-type": "application/json", ...set.headers }).end(set.body);
    });
    return issuer;
  }

  async addKey(alg = "ES256", changes: { kid?: string } = {}): Promise<Key> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const kid = randomUUID();
    const key = {
      kid,
      alg,
      privateKey,
      published: { ...(await exportJWK(publicKey)), kid, alg, use: "sig", ...changes },
    };
    this.keys.push(key);
    return key;
  }

  /** A good token, but for `claims`; undefined leaves a claim out. */
  token(
    claims: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    key = this.keys[0]!,
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.url, aud: "counterfoil", sub: "job", iat: now, exp: now + 300, ...claims };
    const head = { alg: key.alg, kid: key.kid, typ: "JWT", ...header };
    return new SignJWT(JSON.parse(JSON.stringify(all)))
      .setProtectedHeader(JSON.parse(JSON.stringify(head)))
      .sign(key.privateKey);
  }

  definition(changes: Partial<IssuerDefinition> = {}): IssuerDefinition {
    return {
      name: "ci",
      url: this.url,
      jwksUri: "",
      audiences: ["counterfoil"],
      algorithms: [],
      claims: { subject: "", name: "", groups: "groups", run: "run", onBehalfOf: "" },
      requiredClaims: {},
      groups: [],
      exchangeOnce: false,
      ...changes,
    };
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((closed) => this.server.close(() => closed()));
  }
}
