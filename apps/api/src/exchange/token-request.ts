import { tokensV1 } from "#contracts";
import { isAction } from "#decisions";
import { isName } from "../http/fields.js";
import { TokenRefused } from "./token-error.js";

/** What an agent asks for, checked. */
export interface TokenRequest {
  readonly subjectToken: string;
  readonly subjectTokenType: string;
  readonly resource: string;
  readonly scope: readonly string[];
  /** Seconds; 0 means the default. */
  readonly lifetimeSeconds: number;
  readonly mode: tokensV1.UseMode;
  readonly uses: number;
  readonly windowSeconds: number;
}

export const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange";
export const ISSUED_TOKEN_TYPE = "urn:counterfoil:token-type:foil";
const RESOURCE_URN = "urn:counterfoil:resource:";
export const SUBJECT_TOKEN_TYPES = ["jwt", "id_token", "access_token"].map(
  (type) => `urn:ietf:params:oauth:token-type:${type}`,
);
export const USE_MODES: ReadonlyMap<string, tokensV1.UseMode> = new Map([
  ["once", tokensV1.UseMode.ONCE],
  ["burst", tokensV1.UseMode.BURST],
  ["run", tokensV1.UseMode.RUN],
]);

const MAX_SUBJECT_TOKEN = 32_768;

/**
 * Reads a token request's form (RFC 8693 section 2.1 and our own `lifetime_seconds`, `use_mode`, `uses`,
 * `window_seconds`). Unknown parameters are ignored and empty ones are absent, as RFC 6749 section 3.2 says.
 *
 * @throws TokenRefused
 */
export function readTokenRequest(form: unknown): TokenRequest {
  const parameters = new Parameters(form);
  const grant = parameters.required("grant_type");
  if (grant !== GRANT_TYPE) throw new TokenRefused("unsupported_grant_type", `grant_type must be ${GRANT_TYPE}`);
  for (const name of ["actor_token", "actor_token_type"]) {
    if (parameters.one(name) !== undefined) invalid(`${name} is not supported: leave it out`);
  }
  const wantedType = parameters.one("requested_token_type");
  if (wantedType !== undefined && wantedType !== ISSUED_TOKEN_TYPE) {
    invalid(`requested_token_type can only be ${ISSUED_TOKEN_TYPE}, or left out`);
  }
  const subjectTokenType = parameters.required("subject_token_type");
  if (!SUBJECT_TOKEN_TYPES.includes(subjectTokenType)) {
    invalid(`subject_token_type must be one of ${SUBJECT_TOKEN_TYPES.join(", ")}`);
  }
  const subjectToken = parameters.required("subject_token");
  if (subjectToken.length > MAX_SUBJECT_TOKEN) invalid(`subject_token is longer than ${MAX_SUBJECT_TOKEN} characters`);
  return {
    subjectToken,
    subjectTokenType,
    resource: resourceOf(parameters),
    scope: scopeOf(parameters.one("scope")),
    lifetimeSeconds: parameters.integer("lifetime_seconds", 1, 3_600),
    ...usesOf(parameters),
  };
}

function resourceOf(parameters: Parameters): string {
  const named = [...parameters.all("resource"), ...parameters.all("audience")].map((text) =>
    text.startsWith(RESOURCE_URN) ? text.slice(RESOURCE_URN.length) : text,
  );
  const distinct = [...new Set(named)];
  const [name] = distinct;
  if (name === undefined) {
    return invalid(`resource is missing: the name of a resource, or ${RESOURCE_URN}<name>`);
  }
  if (distinct.length > 1) throw new TokenRefused("invalid_target", "a token is for one resource: ask once for each");
  if (!isName(name)) throw new TokenRefused("invalid_target", `${name.slice(0, 80)} cannot be a resource's name`);
  return name;
}

function scopeOf(text: string | undefined): string[] {
  const scope = [...new Set((text ?? "").split(" ").filter((part) => part !== ""))];
  const unknown = scope.find((part) => !isAction(part));
  if (unknown !== undefined) {
    const says = `${unknown.slice(0, 80)} is no action: scope is a list of actions with spaces between, such as sql:read`;
    throw new TokenRefused("invalid_scope", says);
  }
  return scope;
}

function usesOf(parameters: Parameters) {
  const word = parameters.one("use_mode");
  const mode = word === undefined ? tokensV1.UseMode.USE_MODE_UNSPECIFIED : USE_MODES.get(word);
  if (mode === undefined) return invalid("use_mode must be once, burst or run");
  const uses = parameters.integer("uses", 1, 10_000);
  const windowSeconds = parameters.integer("window_seconds", 1, 3_600);
  if (mode !== tokensV1.UseMode.BURST && (uses !== 0 || windowSeconds !== 0)) {
    return invalid("uses and window_seconds go with use_mode=burst");
  }
  return { mode, uses, windowSeconds };
}

class Parameters {
  private readonly form: Record<string, unknown>;

  constructor(form: unknown) {
    if (typeof form !== "object" || form === null) {
      invalid("send the parameters as application/x-www-form-urlencoded");
    }
    this.form = form as Record<string, unknown>;
  }

  all(name: string): string[] {
    const value = Object.hasOwn(this.form, name) ? this.form[name] : undefined;
    return [value].flat().filter((text): text is string => typeof text === "string" && text !== "");
  }

  one(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) invalid(`${name} is given more than once`);
    return values[0];
  }

  required(name: string): string {
    return this.one(name) ?? invalid(`${name} is missing`);
  }

  /** 0 where absent. */
  integer(name: string, min: number, max: number): number {
    const text = this.one(name);
    if (text === undefined) return 0;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : invalid(`${name} must be a whole number from ${min} to ${max}`);
  }
}

function invalid(detail: string): never {
  throw new TokenRefused("invalid_request", detail);
}
