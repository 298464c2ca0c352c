import { create } from "@bufbuild/protobuf";
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from "@nestjs/common";
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from "@nestjs/swagger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Bus } from "#bus";
import { type CallContext, tokensV1 } from "#contracts";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { Fails, Idempotent } from "../http/documented.js";
import { Checked } from "../http/input.js";
import { PageOf, page, pageRequest } from "../http/pages.js";
import { parse, represent } from "../http/representation.js";
import { Revocation, Revoked, type RevokedToken, RevokeQuery, Token, TokensQuery } from "./token-views.js";

const { getToken, listTokens, revoke } = tokensV1.Tokens.method;
const ById = () => ApiParam({ name: "id", description: "The token's public id.", schema: { type: "string" } });

@ApiTags("tokens")
@Controller("v1/tokens")
export class TokensController {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  @Get()
  @Access("read")
  @ApiOperation({ operationId: "list_tokens", summary: "List the tokens, newest first; never their secrets" })
  @PageOf(Token)
  @Fails("invalid", "unauthenticated", "forbidden")
  async list(
    @Query(new Checked(TokensQuery, "query")) query: TokensQuery,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { status, resource, run, principal: principal_id } = query;
    const filter = { status, resource, run, principal_id, page: pageRequest(query, request) };
    const asked = parse(tokensV1.ListTokensRequestSchema, filter);
    const { tokens, next } = await this.bus.call(listTokens, asked, call);
    const items = tokens.map((token) => represent(tokensV1.TokenSchema, token));
    return page(request, reply, items, next);
  }

  @Get(":id")
  @Access("read")
  @ApiOperation({ operationId: "get_token", summary: "Read one token; never its secret" })
  @ById()
  @ApiOkResponse({ type: Token, description: "As it is." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found")
  async get(@Param("id") id: string, @Caller() call: CallContext) {
    const token = await this.bus.call(getToken, create(tokensV1.GetTokenRequestSchema, { id }), call);
    return represent(tokensV1.TokenSchema, token);
  }

  @Delete(":id")
  @Access("change")
  @ApiOperation({ operationId: "revoke_token", summary: "Revoke one token and close its sessions" })
  @ById()
  @Idempotent()
  @ApiOkResponse({ type: Revoked, description: "What became of it." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found", "key_reused")
  async revokeOne(
    @Param("id") tokenId: string,
    @Query(new Checked(RevokeQuery, "query")) { reason = "" }: RevokeQuery,
    @Caller() call: CallContext,
  ): Promise<Revoked> {
    return this.revoke(create(tokensV1.RevokeRequestSchema, { tokenId, reason }), call);
  }

  @Post("revoke")
  @HttpCode(200)
  @Access("change")
  @ApiOperation({
    operationId: "revoke_tokens",
    summary: "Revoke every live token of a principal, run, resource or issuer",
    description:
      "Tokens that have expired, or were revoked before, are left out. Their sessions close, in the middle of a query too.",
  })
  @ApiBody({ type: Revocation })
  @Idempotent()
  @ApiOkResponse({ type: Revoked, description: "Done." })
  @Fails(
    ...(["invalid", "malformed", "unauthenticated", "forbidden", "not_found"] as const),
    ...(["too_large", "unsupported_media_type", "key_reused"] as const),
  )
  async revokeMany(@Body(new Checked(Revocation)) { by, value, reason }: Revocation, @Caller() call: CallContext) {
    const selector = { token: "tokenId", principal: "principalId", run: "run", resource: "resource", issuer: "issuer" }[
      by
    ];
    return this.revoke(create(tokensV1.RevokeRequestSchema, { [selector]: value, reason }), call);
  }

  private async revoke(request: tokensV1.RevokeRequest, call: CallContext): Promise<Revoked> {
    const { tokens } = await this.bus.call(revoke, request, call);
    return { tokens: tokens.map((token) => represent(tokensV1.RevokedTokenSchema, token) as unknown as RevokedToken) };
  }
}
