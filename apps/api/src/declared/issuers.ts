import { create } from "@bufbuild/protobuf";
import { identityV1, tokensV1 } from "#contracts";
import { Choices, Flag, Integer, isName, Name, Nested, Text, TextMap, Texts } from "../http/fields.js";
import { given, type Kind } from "./kind.js";

const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
const CLAIM = { max: 256, optional: true };

class ClaimMapping {
  @Text({ description: "Dotted path of the claim that identifies the principal; `sub` where empty.", ...CLAIM })
  subject = "";
  @Text({ description: "Dotted path of a readable name; empty: not mapped.", ...CLAIM })
  name = "";
  @Text({ description: "Dotted path of a string or a list of strings: the groups.", ...CLAIM, example: "groups" })
  groups = "";
  @Text({ description: "Dotted path of the run (CI job, agent task).", ...CLAIM, example: "run_id" })
  run = "";
  @Text({
    description:
      "Dotted path of those it acts for, nearest first; empty: as the claim `act` says (RFC 8693 section 4.1).",
    ...CLAIM,
    example: "acts_for",
  })
  on_behalf_of = "";
}

class IssuerBody {
  @Text({
    description: "The `iss` value, exactly. Keys come from its discovery document unless `jwks_uri` is set.",
    pattern: /^https?:\/\/[^\s?#]+$/,
    says: "an http(s) URL without query or fragment",
    example: "https://token.actions.githubusercontent.com",
  })
  url!: string;
  @Text({
    description: "Where its keys are; empty: as its discovery document says.",
    pattern: /^$|^https?:\/\/\S+$/,
    says: "an http(s) URL",
    optional: true,
  })
  jwks_uri = "";
  @Texts({
    description: "Accepted `aud` values; one must be in the token.",
    min: 1,
    atLeast: 1,
    example: ["counterfoil"],
  })
  audiences!: string[];
  @Choices(ALGORITHMS, {
    description: "JWS algorithms accepted; empty means RS256, ES256, PS256 and EdDSA. `none` and HMAC never are.",
    optional: true,
  })
  algorithms: string[] = [];
  @Nested(() => ClaimMapping, { description: "Which claims say what.", optional: true })
  claims: ClaimMapping = new ClaimMapping();
  @TextMap({
    description: "Claims that must have exactly these values, by dotted path.",
    optional: true,
    example: { repository: "acme/shop" },
  })
  required_claims: Record<string, string> = {};
  @Texts({
    description: "Groups every principal of this issuer belongs to, beside the mapped ones.",
    min: 1,
    max: 128,
    optional: true,
    example: ["ci"],
  })
  groups: string[] = [];
  @Flag({
    description:
      "Whether each of its tokens is exchanged once only, by its `jti`. For issuers that give a new one whenever asked " +
      "(GitHub Actions); not where a job has one for all its life (GitLab CI).",
    optional: true,
  })
  exchange_once = false;
}

class DeclaredIssuer extends IssuerBody {
  @Name({ description: "Its name.", example: "github" })
  name!: string;
}

class Issuer extends DeclaredIssuer {
  @Integer({ description: "Rises with every change; the ETag.", example: 3 })
  version!: number;
}

const { putIssuer, checkIssuer, getIssuer, listIssuers, deleteIssuer } = identityV1.Identity.method;

export const issuers: Kind = {
  one: "issuer",
  many: "issuers",
  summary: "A trusted OIDC identity provider, with claim mappings",
  schema: identityV1.IssuerSchema,
  body: IssuerBody,
  declared: DeclaredIssuer,
  view: Issuer,
  example: {
    url: "https://token.actions.githubusercontent.com",
    audiences: ["counterfoil"],
    claims: { name: "job_workflow_ref", run: "run_id" },
    required_claims: { repository: "acme/shop" },
    groups: ["ci"],
  },
  isName,
  async list(bus, page, call) {
    const { issuers, next } = await bus.call(listIssuers, create(identityV1.ListIssuersRequestSchema, { page }), call);
    return { items: issuers, next };
  },
  get: (bus, name, call) => bus.call(getIssuer, create(identityV1.GetIssuerRequestSchema, { name }), call),
  put: (bus, issuer, precondition, call) =>
    bus.call(
      putIssuer,
      create(identityV1.PutIssuerRequestSchema, { issuer: issuer as identityV1.Issuer, ...given(precondition) }),
      call,
    ),
  async check(bus, issuer, call) {
    await bus.call(
      checkIssuer,
      create(identityV1.CheckIssuerRequestSchema, { issuer: issuer as identityV1.Issuer }),
      call,
    );
  },
  async remove(bus, name, precondition, call) {
    await bus.call(deleteIssuer, create(identityV1.DeleteIssuerRequestSchema, { name, ...given(precondition) }), call);
    // Whom it vouched for is no longer trusted either. From here on it can vouch for nobody anew.
    const reason = `the issuer ${name} is no longer trusted`;
    await bus.call(tokensV1.Tokens.method.revoke, create(tokensV1.RevokeRequestSchema, { issuer: name, reason }), call);
  },
};
