import {
  createRemoteJWKSet,
  customFetch,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTVerifyGetKey,
} from "jose";
import { BusFailure } from "#bus";
import { type IssuerDefinition, urlProblem } from "../domain/issuer.js";
import { boundedFetch } from "./bounded-fetch.js";

const TIMEOUT_MS = 5000;
const MOST_ISSUERS = 500;
const KEYS_ARE_FRESH_MS = 10 * 60_000;

type KeySet = ReturnType<typeof createRemoteJWKSet>;

/** The issuers' published keys, fetched when first needed, again when a key is unknown, and every ten minutes. */
export class IssuerKeys {
  private readonly sets = new Map<string, Promise<KeySet>>();

  /** `cooldownMs`: how long an unknown key id makes nobody fetch again. */
  constructor(private readonly options: { readonly cooldownMs: number } = { cooldownMs: 10_000 }) {}

  /**
   * Finds keys for jose. A definition that changed has a set of its own.
   * @throws BusFailure `unavailable` where the issuer can't be reached or answers nonsense
   */
  of(issuer: IssuerDefinition): JWTVerifyGetKey {
    return async (header: JWSHeaderParameters, token: FlattenedJWSInput) => (await this.setOf(issuer))(header, token);
  }

  private setOf(issuer: IssuerDefinition): Promise<KeySet> {
    const id = JSON.stringify([issuer.url, issuer.jwksUri]);
    const known = this.sets.get(id);
    if (known) return known;
    if (this.sets.size >= MOST_ISSUERS) this.sets.delete(this.sets.keys().next().value!);
    const opening = this.open(issuer);
    this.sets.set(id, opening);
    // What failed is tried again by the next token.
    opening.catch(() => this.sets.delete(id));
    return opening;
  }

  private async open(issuer: IssuerDefinition): Promise<KeySet> {
    const uri = issuer.jwksUri || (await discover(issuer));
    return createRemoteJWKSet(new URL(uri), {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: this.options.cooldownMs,
      cacheMaxAge: KEYS_ARE_FRESH_MS,
      [customFetch]: boundedFetch,
    });
  }
}

/** OpenID Connect Discovery 1.0 section 4: where the issuer says its keys are. */
async function discover(issuer: IssuerDefinition): Promise<string> {
  const url = `${issuer.url.replace(/\/$/, "")}/.well-known/openid-configuration`;
  let document: { issuer?: unknown; jwks_uri?: unknown };
  try {
    const response = await boundedFetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    document = (await response.json()) as typeof document;
  } catch (cause) {
    throw unreachable(issuer, url, cause);
  }
  // Section 4.3: the same, exactly; or one issuer could speak for another.
  if (document?.issuer !== issuer.url) throw unreachable(issuer, `${url}, which speaks for another issuer`);
  const uri = document.jwks_uri;
  if (typeof uri !== "string" || urlProblem(uri)) throw unreachable(issuer, `${url}, whose jwks_uri is no https URL`);
  return uri;
}

export function unreachable(issuer: IssuerDefinition, where: string, cause?: unknown): BusFailure {
  const failure = new BusFailure("unavailable", `the keys of the issuer ${issuer.name} can't be had from ${where}`);
  failure.cause = cause;
  return failure;
}
