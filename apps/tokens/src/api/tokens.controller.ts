import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, CLOCK, type Clock, Rpc } from "#bus/nest";
import { tokensV1 } from "#contracts";
import { Refused } from "#event-store";
import { pageOf } from "#event-store-postgres";
import { EndSession } from "../handlers/end-session.js";
import { Mint } from "../handlers/mint.js";
import { RecordRefusal } from "../handlers/record-refusal.js";
import { Revoke } from "../handlers/revoke.js";
import { type Selector, TokenQueries } from "../projections/token-queries.js";
import { modeOf, principalMessage, principalOf, revokedMessage, statusOf, tokenMessage } from "./messages.js";

const { mint, recordRefusal, getToken, listTokens, revoke, endSession, getSession } = tokensV1.Tokens.method;

/** What the control plane asks. */
@Controller()
export class TokensController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: TokenQueries,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  @Rpc(mint)
  async mint(
    request: tokensV1.MintRequest,
    { context }: BusCall,
  ): Promise<MessageInitShape<typeof tokensV1.MintResponseSchema>> {
    const { resource, protocol, lifetimeSeconds, uses, windowSeconds, subjectTokenId } = request;
    const asked = {
      ...{ principal: principalOf(request.principal), mode: modeOf(request.mode), scope: [...request.scope] },
      ...{ resource, protocol, lifetimeSeconds, uses, windowSeconds, subjectTokenId },
    };
    const { tokenId, text } = await this.commands.execute(new Mint(asked, context));
    return { token: await this.token(tokenId), text };
  }

  @Rpc(recordRefusal)
  async recordRefusal(
    { $typeName: _, $unknown: __, since, clientAddresses, ...said }: tokensV1.RecordRefusalRequest,
    { context }: BusCall,
  ): Promise<MessageInitShape<typeof tokensV1.RecordRefusalResponseSchema>> {
    const refused = { ...said, clientAddresses: [...clientAddresses], since: since ? timestampMs(since) : this.now() };
    await this.commands.execute(new RecordRefusal(refused, context));
    return {};
  }

  @Rpc(getToken)
  getToken({ id }: tokensV1.GetTokenRequest, _: BusCall): Promise<MessageInitShape<typeof tokensV1.TokenSchema>> {
    return this.token(id);
  }

  @Rpc(listTokens)
  async listTokens(
    { page, principalId, resource, run, status }: tokensV1.ListTokensRequest,
    _: BusCall,
  ): Promise<MessageInitShape<typeof tokensV1.ListTokensResponseSchema>> {
    const filter = { principalId, resource, run, status: statusOf(status) };
    const { items, next } = await this.queries.list(filter, pageOf(page), this.now());
    return { tokens: items.map(tokenMessage), next };
  }

  @Rpc(revoke)
  async revoke(
    request: tokensV1.RevokeRequest,
    { context }: BusCall,
  ): Promise<MessageInitShape<typeof tokensV1.RevokeResponseSchema>> {
    const { tokenId, principalId, run, resource, issuer, reason } = request;
    const selectors: [Selector, string][] = [
      ["token_id", tokenId],
      ["principal_id", principalId],
      ["run", run],
      ["resource", resource],
      ["issuer", issuer],
    ];
    const [chosen, ...others] = selectors.filter(([, value]) => value !== "");
    if (!chosen || others.length > 0) {
      throw new Refused(
        "invalid",
        "say by exactly one of token_id, principal_id, run, resource and issuer what to revoke",
      );
    }
    const why = reason || `revoked by ${context.actor.name || context.actor.id}`;
    const revoked = await this.commands.execute(new Revoke(...chosen, why, context));
    return { tokens: revoked.map(revokedMessage) };
  }

  @Rpc(endSession)
  async endSession(
    { sessionId, reason }: tokensV1.EndSessionRequest,
    { context }: BusCall,
  ): Promise<MessageInitShape<typeof tokensV1.EndSessionResponseSchema>> {
    const why = reason || `ended by ${context.actor.name || context.actor.id}`;
    await this.commands.execute(new EndSession(sessionId, why, context));
    return {};
  }

  @Rpc(getSession)
  async getSession(
    { sessionId }: tokensV1.GetSessionRequest,
    _: BusCall,
  ): Promise<MessageInitShape<typeof tokensV1.SessionSchema>> {
    const session = await this.queries.session(sessionId, this.now());
    if (!session) throw new Refused("not_found", `there is no session ${sessionId}`);
    return { sessionId, ...session, principal: principalMessage(session.principal) };
  }

  private async token(id: string) {
    const view = await this.queries.find(id, this.now());
    if (!view) throw new Refused("not_found", `there is no token ${id}`);
    return tokenMessage(view);
  }
}
