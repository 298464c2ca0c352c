import { type Decider, type DomainEvent, Refused } from "#event-store";
import { checkName, checkText, invalid } from "./checks.js";

interface ClaimMapping {
  /** Dotted paths into the claims; empty: not mapped (`subject`: `sub`). */
  readonly subject: string;
  readonly name: string;
  readonly groups: string;
  readonly run: string;
  readonly onBehalfOf: string;
}

/** JSON only, always with the same fields in the same order. */
export interface IssuerDefinition {
  readonly name: string;
  readonly url: string;
  readonly jwksUri: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly claims: ClaimMapping;
  readonly requiredClaims: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
  /** Whether each of its tokens, told apart by `jti`, is exchanged once only. */
  readonly exchangeOnce: boolean;
}

export type IssuerState =
  | { readonly status: "absent" }
  | { readonly status: "trusted"; readonly definition: IssuerDefinition };

export type IssuerCommand =
  /** `creating`: none may be there. */
  | { readonly type: "PutIssuer"; readonly definition: IssuerDefinition; readonly creating: boolean }
  | { readonly type: "DeleteIssuer" };

export type IssuerEvent =
  | DomainEvent<"IssuerDeclared", IssuerDefinition>
  | DomainEvent<"IssuerDeleted", { readonly name: string; readonly url: string }>;

/** RFC 7518 section 3.1, RFC 8037, RFC 9864: signatures by a private key only. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const DEFAULT_ALGORITHMS = ["RS256", "ES256", "PS256", "EdDSA", "Ed25519"];

export const algorithmsOf = ({ algorithms }: IssuerDefinition): readonly string[] =>
  algorithms.length > 0 ? algorithms : DEFAULT_ALGORITHMS;

export const issuerStream = (name: string): string => `issuer/${name}`;

export const issuerDecider: Decider<IssuerState, IssuerCommand, IssuerEvent> = {
  initialState: () => ({ status: "absent" }),

  decide(command, state) {
    switch (command.type) {
      case "PutIssuer": {
        const { definition, creating } = command;
        if (creating && state.status === "trusted") {
          throw new Refused("version_conflict", `there is an issuer ${definition.name} already`);
        }
        checkIssuer(definition);
        if (state.status === "trusted" && JSON.stringify(state.definition) === JSON.stringify(definition)) return [];
        return [{ type: "IssuerDeclared", data: definition }];
      }
      case "DeleteIssuer": {
        if (state.status === "absent") throw new Refused("not_found", "there is no such issuer");
        const { name, url } = state.definition;
        return [{ type: "IssuerDeleted", data: { name, url } }];
      }
      default:
        return command satisfies never;
    }
  },

  evolve(_, event) {
    return event.type === "IssuerDeclared" ? { status: "trusted", definition: event.data } : { status: "absent" };
  },
};

/** @throws Refused `invalid` for one that may not be declared */
export function checkIssuer(issuer: IssuerDefinition): void {
  checkName("name", issuer.name);
  checkUrl("url", issuer.url);
  // OpenID Connect Discovery 1.0 section 3: an issuer has no query and no fragment.
  if (/[?#]/.test(issuer.url)) throw invalid("url", "url must be the `iss` value, which has no query and no fragment");
  if (issuer.jwksUri !== "") checkUrl("jwks_uri", issuer.jwksUri);
  if (issuer.audiences.length === 0) {
    throw invalid("audiences", "audiences must name at least one: a token made for somebody else must not be accepted");
  }
  checkList("audiences", issuer.audiences, 20);
  checkList("groups", issuer.groups, 100);
  for (const algorithm of issuer.algorithms) {
    if (ALGORITHMS.includes(algorithm)) continue;
    throw invalid("algorithms", `algorithms may be ${ALGORITHMS.join(", ")}; never none, never HMAC (HS256, …)`);
  }
  for (const [field, path] of Object.entries(issuer.claims)) if (path !== "") checkText(`claims.${field}`, path);
  const required = Object.entries(issuer.requiredClaims);
  if (required.length > 50) throw invalid("required_claims", "required_claims may be at most 50");
  for (const [path, value] of required) {
    checkText("required_claims", path);
    checkText(`required_claims.${path}`, value, 1024);
  }
}

function checkList(field: string, values: readonly string[], most: number): void {
  if (values.length > most) throw invalid(field, `${field} may be at most ${most}`);
  for (const value of values) checkText(field, value);
}

function checkUrl(field: string, text: string): void {
  const problem = urlProblem(text);
  if (problem) throw invalid(field, `${field} ${problem}`);
}

/** Why keys must not be fetched from there, or null: who can change them on the way can be anybody. */
export function urlProblem(text: string): string | null {
  const url = text.length <= 1024 && URL.canParse(text) ? new URL(text) : null;
  if (!url) return "must be an absolute URL of at most 1024 characters";
  if (url.username || url.password) return "must not have a user name or a password in it";
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) return null;
  return "must be https; http is for localhost only";
}

const isLoopback = (host: string) => host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
