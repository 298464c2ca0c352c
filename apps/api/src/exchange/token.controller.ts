import { Body, Controller, Header, HttpCode, Inject, Post, Req } from "@nestjs/common";
import { ApiBody, ApiConsumes, ApiOkResponse, ApiOperation, ApiProperty, ApiResponse, ApiTags } from "@nestjs/swagger";
import type { FastifyRequest } from "fastify";
import { API_CONFIG, type ApiConfig } from "../api.config.js";
import { Access } from "../http/access.js";
import { Integer, Nested, Text, TextMap } from "../http/fields.js";
import { Problem } from "../http/problem.js";
import { RateLimit } from "../http/rate-limit.js";
import { Exchange } from "./exchange.js";
import { GRANT_TYPE, ISSUED_TOKEN_TYPE, readTokenRequest, SUBJECT_TOKEN_TYPES, USE_MODES } from "./token-request.js";

export class Connection {
  @Text({ description: "The enforcer's address.", example: "127.0.0.1" })
  host!: string;
  @Integer({ description: "Its port.", example: 7432 })
  port!: number;
  @Text({ description: "The token's public half.", example: "foil_4fJ2…" })
  user!: string;
  @Text({ description: "The token's secret half." })
  password!: string;
  @Text({ description: "Empty where the protocol has none.", example: "shop" })
  database!: string;
  @Text({ description: "All of it in one." })
  uri!: string;
  @TextMap({
    description: `For the protocol's own tools. \`\${ca}\` stands for the path of a file that holds \`ca\`.`,
    example: { PGHOST: "127.0.0.1", PGSSLMODE: "verify-full", PGSSLROOTCERT: `\${ca}` },
  })
  environment!: Record<string, string>;
  @Text({ description: "The CA of the enforcer's certificate, PEM.", max: 65_536 })
  ca!: string;
}

/** RFC 8693 section 2.2.1. */
export class TokenAnswer {
  @Text({ description: "The whole token; shown this once." })
  access_token!: string;
  @ApiProperty({ type: "string", enum: [ISSUED_TOKEN_TYPE], description: "What kind of token it is." })
  issued_token_type!: string;
  @ApiProperty({ type: "string", enum: ["N_A"], description: "It is not an OAuth access token." })
  token_type!: string;
  @Integer({ description: "Seconds.", example: 600 })
  expires_in!: number;
  @Text({ description: "The token's public id, for listing and revoking it." })
  token_id!: string;
  @Text({ description: "The actions it is limited to; empty: whatever policy permits." })
  scope!: string;
  @Nested(() => Connection, { description: "Ready connection settings." })
  connection!: Connection;
}

/** RFC 6749 section 5.2. */
class TokenErrorDocument {
  @ApiProperty({
    type: "string",
    description: "A stable machine word.",
    enum: [
      ...["invalid_request", "unsupported_grant_type", "invalid_scope", "invalid_target"],
      ...["temporarily_unavailable", "server_error"],
    ],
  })
  error!: string;
  @ApiProperty({ type: "string", description: "What went wrong.", example: "there is no resource shopp" })
  error_description!: string;
  @ApiProperty({
    type: "string",
    required: false,
    description:
      "The same as it is written, where `error_description` has other quotes: the standard keeps some characters out of that.",
  })
  detail?: string;
  @ApiProperty({ type: "string", enum: ["not_found"], required: false, description: "There is no such resource." })
  code?: string;
}

const text = (description: string, more: object = {}) => ({ type: "string" as const, description, ...more });
const FORM = {
  type: "object" as const,
  required: ["grant_type", "subject_token", "subject_token_type", "resource"],
  properties: {
    grant_type: text("Always the same.", { enum: [GRANT_TYPE] }),
    subject_token: text("The workload identity: a JWT of a trusted issuer."),
    subject_token_type: text("What it is.", { enum: SUBJECT_TOKEN_TYPES }),
    resource: text("The resource's name, or `urn:counterfoil:resource:<name>`.", { examples: ["shop"] }),
    audience: text("The same as `resource`, for clients that only send this."),
    scope: text("Actions to limit the token to, with spaces between.", { examples: ["sql:read"] }),
    requested_token_type: text("Left out, or always the same.", { enum: [ISSUED_TOKEN_TYPE] }),
    lifetime_seconds: { type: "integer" as const, minimum: 1, description: "How long it lives; 600 where absent." },
    use_mode: text("How often it can be used.", { enum: [...USE_MODES.keys()] }),
    uses: { type: "integer" as const, minimum: 1, description: "Of `burst`: how many sessions." },
    window_seconds: { type: "integer" as const, minimum: 1, description: "Of `burst`: from the first to the last." },
  },
};

@ApiTags("token")
@Controller("v1/token")
export class TokenController {
  private readonly requests: RateLimit;

  constructor(
    @Inject(Exchange) private readonly exchange: Exchange,
    @Inject(API_CONFIG) { tokenRequests }: ApiConfig,
  ) {
    this.requests = new RateLimit(tokenRequests.burst, tokenRequests.perSecond);
  }

  @Post()
  @HttpCode(200)
  @Header("Cache-Control", "no-store")
  @Access("public")
  @ApiOperation({
    operationId: "exchange_token",
    summary: "Exchange a workload identity for a token",
    description: "RFC 8693. The subject token is the authentication.",
  })
  @ApiConsumes("application/x-www-form-urlencoded")
  @ApiBody({
    required: true,
    schema: FORM as never,
    examples: {
      usual: {
        value: {
          grant_type: GRANT_TYPE,
          subject_token: "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
          subject_token_type: SUBJECT_TOKEN_TYPES[0],
          resource: "shop",
        },
      },
    },
  })
  @ApiOkResponse({ type: TokenAnswer, description: "The token and how to use it." })
  @ApiResponse({ status: 400, type: TokenErrorDocument, description: "The request is refused." })
  @ApiResponse({ status: 413, type: TokenErrorDocument, description: "The request is too large." })
  @ApiResponse({ status: 415, type: TokenErrorDocument, description: "It is not a form." })
  @ApiResponse({ status: 429, type: TokenErrorDocument, description: "Too many requests from one address." })
  @ApiResponse({ status: 500, type: TokenErrorDocument, description: "A fault on this side." })
  @ApiResponse({ status: 503, type: TokenErrorDocument, description: "Not available just now; see Retry-After." })
  async post(@Body() body: unknown, @Req() request: FastifyRequest): Promise<TokenAnswer> {
    const wait = this.requests.take(request.ip);
    if (wait > 0) throw new Problem("rate_limited", "too many token requests came from your address", {}, wait);
    if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers["content-type"] ?? "")) {
      throw new Problem("unsupported_media_type", "send the parameters as application/x-www-form-urlencoded");
    }
    const { token, text, expiresIn, connection, ca } = await this.exchange.exchange(readTokenRequest(body), request.ip);
    const { host, port, username, password, database, uri, environment } = connection;
    return {
      access_token: text,
      issued_token_type: ISSUED_TOKEN_TYPE,
      token_type: "N_A",
      expires_in: expiresIn,
      token_id: token.id,
      scope: token.scope.join(" "),
      connection: { host, port, user: username, password, database, uri, environment: { ...environment }, ca },
    };
  }
}
