import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from "jose";
import { BusFailure } from "#bus";
import { Refused } from "#event-store";
import { algorithmsOf, type IssuerDefinition } from "../domain/issuer.js";
import { idOf, type MappedPrincipal, principalOf, refused, shown } from "./claims.js";
import { type IssuerKeys, unreachable } from "./issuer-keys.js";

export interface VerifiedSubject {
  readonly principal: MappedPrincipal;
  readonly expiresAt: Date;
  /** Its id, where it may be exchanged once only; else empty. */
  readonly onceBy: string;
}

/** RFC 8693 section 3, and the `typ` headers (RFC 7519, RFC 9068) that go with each. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  "urn:ietf:params:oauth:token-type:jwt": ["jwt", "at+jwt"],
  "urn:ietf:params:oauth:token-type:id_token": ["jwt"],
  "urn:ietf:params:oauth:token-type:access_token": ["jwt", "at+jwt"],
};
const LONGEST_TOKEN = 16 * 1024;
const SKEW_SECONDS = 30;

/** Whether a token is what it says, and whom it is for. Refusals say why, and never quote the token. */
export class SubjectVerifier {
  constructor(
    private readonly issuers: { byUrl(url: string): Promise<IssuerDefinition | null> },
    private readonly keys: IssuerKeys,
    private readonly now: () => Date = () => new Date(),
  ) {}

  /**
   * @throws Refused `invalid`, with a `reason`, the trusted `issuer` it names, and, where that has signed it, its `subject`
   * and `subject_token_id`. @throws BusFailure `unavailable` where the issuer's keys can't be had
   */
  async verify(token: string, tokenType: string): Promise<VerifiedSubject> {
    const types = TYPES[tokenType];
    if (!types) {
      throw refused("token_type", `subject_token_type must be one of ${Object.keys(TYPES).join(", ")}`);
    }
    const issuer = await this.issuerOf(token);
    const { payload, protectedHeader } = await this.checked(token, issuer);
    try {
      const typ = (protectedHeader.typ ?? "jwt").toLowerCase().replace(/^application\//, "");
      if (!types.includes(typ)) throw refused("typ", "the token's typ says it was made for another purpose");
      return this.accepted(payload as JWTPayload & { exp: number }, issuer);
    } catch (error) {
      throw attributed(error, issuer, payload);
    }
  }

  private accepted(payload: JWTPayload & { exp: number }, issuer: IssuerDefinition): VerifiedSubject {
    const { iat, exp } = payload;
    if (iat !== undefined && iat > this.now().getTime() / 1000 + SKEW_SECONDS) {
      throw refused("iat", "the token says it was issued in the future");
    }
    if (iat !== undefined && iat > exp) throw refused("iat", "the token says it expired before it was issued");
    const principal = principalOf(issuer, payload);
    return { principal, expiresAt: new Date(exp * 1000), onceBy: issuer.exchangeOnce ? idOf(issuer, payload) : "" };
  }

  private async issuerOf(token: string): Promise<IssuerDefinition> {
    if (token.length > LONGEST_TOKEN) throw refused("too_large", `the token is over ${LONGEST_TOKEN} characters`);
    let iss: unknown;
    try {
      iss = decodeJwt(token).iss;
    } catch {
      throw refused("malformed", "the subject token is no signed JWT");
    }
    const issuer = typeof iss === "string" && /^[\x21-\x7e]+$/.test(iss) ? await this.issuers.byUrl(iss) : null;
    if (!issuer) throw refused("untrusted_issuer", "the token's issuer is not trusted here; see the list of issuers");
    return issuer;
  }

  private async checked(token: string, issuer: IssuerDefinition) {
    const options: JWTVerifyOptions = {
      issuer: issuer.url,
      audience: [...issuer.audiences],
      algorithms: [...algorithmsOf(issuer)],
      clockTolerance: SKEW_SECONDS,
      currentDate: this.now(),
      requiredClaims: ["exp"],
    };
    try {
      return await verifyWithAnyKey(token, this.keys.of(issuer), options);
    } catch (error) {
      // jose looks at claims only once the signature is good.
      const signed = error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed;
      throw attributed(refusalOf(error, issuer), issuer, signed ? error.payload : {});
    }
  }
}

/** A refusal with whose word it is about: what is in `signed`, the issuer has said. */
function attributed(error: unknown, { name }: IssuerDefinition, signed: JWTPayload): unknown {
  if (!(error instanceof Refused)) return error;
  const { code, message, details } = error;
  const said = { subject: shown(signed.sub), subject_token_id: shown(signed.jti) };
  return new Refused(code, message, { ...details, issuer: name, ...said });
}

/** A token need not name its key: then each that fits is tried. */
async function verifyWithAnyKey(token: string, keys: JWTVerifyGetKey, options: JWTVerifyOptions) {
  try {
    return await jwtVerify<JWTPayload>(token, keys, options);
  } catch (several) {
    if (!(several instanceof errors.JWKSMultipleMatchingKeys)) throw several;
    let last: unknown = several;
    for await (const key of several) {
      try {
        return await jwtVerify<JWTPayload>(token, key, options);
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
        last = error;
      }
    }
    throw last;
  }
}

function refusalOf(error: unknown, issuer: IssuerDefinition): Refused | BusFailure | unknown {
  if (error instanceof BusFailure) return error;
  if (error instanceof errors.JWTExpired) return refused("expired", "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error.claim, issuer);
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return refused("algorithm", `the token's algorithm is not one of ${algorithmsOf(issuer).join(", ")}`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return refused("signature", `the token was not signed by a key of the issuer ${issuer.name}`);
  }
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) {
    return unreachable(issuer, "its key set", error);
  }
  // jose says so of a key set's answer that is no 200, and lets what fetch throws through.
  if (error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC") {
    return refused("malformed", "the subject token is no JWT that can be verified");
  }
  return unreachable(issuer, "its key set", error);
}

function claimRefusal(claim: string, issuer: IssuerDefinition): Refused {
  switch (claim) {
    case "aud":
      return refused("audience", `the token's audience is none of the issuer's: ${issuer.audiences.join(", ")}`);
    case "nbf":
      return refused("not_yet_valid", "the token is not valid yet");
    case "exp":
      return refused("expiry", "the token has no expiry");
    default:
      return refused(claim, `the token's claim ${claim} is wrong`);
  }
}
