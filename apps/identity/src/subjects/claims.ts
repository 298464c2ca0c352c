import { Refused } from "#event-store";
import type { IssuerDefinition } from "../domain/issuer.js";

export type Claims = Readonly<Record<string, unknown>>;

export interface MappedPrincipal {
  /** `<issuer name>|<subject>` */
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly run: string;
  readonly onBehalfOf: readonly string[];
}

const MOST_GROUPS = 500;
const DEEPEST_CHAIN = 10;
const LONGEST = 512;

/**
 * What an issuer's verified claims say of who acts. A mapped claim of the wrong shape is refused, never ignored.
 * @throws Refused `invalid`
 */
export function principalOf(issuer: IssuerDefinition, claims: Claims): MappedPrincipal {
  for (const [path, value] of Object.entries(issuer.requiredClaims)) {
    if (scalar(claimAt(claims, path)) !== value) {
      throw refused("required_claim", `the token's claim ${path} is not what the issuer ${issuer.name} requires`);
    }
  }
  const chain = actors(claims);
  const mapping = issuer.claims;
  // RFC 8693 section 4.1: the outermost actor acts now, those inside acted before it, and all of them for the subject.
  const subject = mapping.subject ? text(claims, mapping.subject) : (chain[0] ?? text(claims, "sub"));
  if (subject === "")
    throw refused("subject", `the token has no claim ${mapping.subject || "sub"} that says who it is for`);
  const delegated = chain.length > 0 ? [...chain.slice(1), text(claims, "sub")].filter((it) => it !== "") : [];
  return {
    id: `${issuer.name}|${subject}`,
    issuer: issuer.name,
    subject,
    name: (mapping.name && text(claims, mapping.name)) || subject,
    groups: [...new Set([...issuer.groups, ...(mapping.groups ? texts(claims, mapping.groups) : [])])],
    run: mapping.run ? text(claims, mapping.run) : "",
    onBehalfOf: mapping.onBehalfOf ? texts(claims, mapping.onBehalfOf) : delegated,
  };
}

/** Which token of the issuer's it is (RFC 7519 section 4.1.7). @throws Refused `invalid` for one that does not say */
export function idOf({ name }: IssuerDefinition, claims: Claims): string {
  const id = text(claims, "jti");
  if (id === "")
    throw refused("jti", `the token has no claim jti, and one of the issuer ${name} is exchanged once only`);
  return id;
}

/**
 * The claim at a dotted path. A claim's name may have dots in it (`https://example.org/groups`): at each level the longest
 * name that is there wins.
 */
export function claimAt(claims: unknown, path: string): unknown {
  if (typeof claims !== "object" || claims === null || Array.isArray(claims)) return undefined;
  if (Object.hasOwn(claims, path)) return (claims as Claims)[path];
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const name = path.slice(0, dot);
    if (!Object.hasOwn(claims, name)) continue;
    const found = claimAt((claims as Claims)[name], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The `sub` of each `act`, the current actor first. */
function actors(claims: Claims): string[] {
  const chain: string[] = [];
  for (let act = claims.act; act !== undefined; act = (act as Claims).act) {
    const sub = typeof act === "object" && act !== null ? (act as Claims).sub : undefined;
    if (typeof sub !== "string" || !sound(sub)) throw refused("act", "the token's claim act does not say who acts");
    if (chain.push(sub) > DEEPEST_CHAIN) throw refused("act", `the token's chain of actors is over ${DEEPEST_CHAIN}`);
  }
  return chain;
}

/** Empty where the claim is not there. */
function text(claims: Claims, path: string): string {
  const claim = claimAt(claims, path);
  if (claim === undefined || claim === null) return "";
  const value = scalar(claim);
  if (value === null || !sound(value)) throw refused("claim", `the token's claim ${path} is no short text`);
  return value;
}

function texts(claims: Claims, path: string): string[] {
  const claim = claimAt(claims, path);
  if (claim === undefined || claim === null) return [];
  const values = Array.isArray(claim) ? claim : [claim];
  if (values.length > MOST_GROUPS) throw refused("claim", `the token's claim ${path} has over ${MOST_GROUPS} values`);
  for (const value of values) {
    if (typeof value !== "string" || !sound(value)) {
      throw refused("claim", `the token's claim ${path} is neither a text nor a list of texts`);
    }
  }
  return values as string[];
}

/** A claim that stands for one text; CI systems write run numbers as numbers. */
function scalar(claim: unknown): string | null {
  if (typeof claim === "string") return claim;
  return typeof claim === "boolean" || Number.isSafeInteger(claim) ? String(claim) : null;
}

/** The claim as it may stand in a log; empty where it may not. */
export const shown = (claim: unknown): string => (typeof claim === "string" && sound(claim) ? claim : "");

const sound = (value: string) => value.length > 0 && value.length <= LONGEST && !/\p{Cc}/u.test(value);

export const refused = (reason: string, message: string): Refused => new Refused("invalid", message, { reason });
