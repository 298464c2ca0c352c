import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, CLOCK, type Clock, EdgeRpc } from "#bus/nest";
import { edgeV1 } from "#contracts";
import { Refused } from "#event-store";
import { isTokenId } from "#tokens";
import { Reach } from "../handlers/reach.js";
import { Redeem } from "../handlers/redeem.js";
import { Release } from "../handlers/release.js";
import { TokenQueries } from "../projections/token-queries.js";
import { principalMessage } from "./messages.js";

const { lookup, redeem, release, renew } = edgeV1.EdgeTokens.method;

const MOST_RENEWED = 5000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What enforcers ask. `call.enforcerId` is proven by the bus. */
@Controller()
export class EdgeTokensController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: TokenQueries,
    private readonly reach: Reach,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  @EdgeRpc(lookup)
  async lookup(
    { tokenId, protocol }: edgeV1.LookupRequest,
    call: BusCall,
  ): Promise<MessageInitShape<typeof edgeV1.LookupResponseSchema>> {
    const known = isTokenId(tokenId) ? await this.queries.verifier(tokenId, protocol) : null;
    if (!known || !(await this.reaches(call, known.resource))) return { refused: "unknown" };
    const { resource, verifier } = known;
    return verifier === null ? { refused: "expired" } : { found: true, resource, verifier };
  }

  @EdgeRpc(redeem)
  async redeem(
    request: edgeV1.RedeemRequest,
    call: BusCall,
  ): Promise<MessageInitShape<typeof edgeV1.RedeemResponseSchema>> {
    const { context, enforcerId } = call;
    const { tokenId, sessionId, protocol, clientAddress, clientApplication } = request;
    if (!UUID.test(sessionId))
      throw new Refused("invalid", "a session id is a UUID in lower case", { field: "session_id" });
    const needed = isTokenId(tokenId) ? await this.queries.resource(tokenId) : null;
    if (needed === null || !(await this.reaches(call, needed))) {
      return { outcome: { case: "refused", value: "unknown" } };
    }
    const asked = { tokenId, sessionId, enforcerId: enforcerId ?? "", protocol, clientAddress, clientApplication };
    const redeemed = await this.commands.execute(new Redeem(asked, context.actor));
    if ("refused" in redeemed) {
      return { outcome: { case: "refused", value: redeemed.refused }, uses: redeemed.uses };
    }
    const { principal, resource, scope, expiresAt } = redeemed.grant;
    const value = {
      ...{ sessionId, tokenId, principal: principalMessage(principal), resource, scope: [...scope] },
      expiresAt: timestampFromMs(expiresAt),
    };
    return { outcome: { case: "lease", value } };
  }

  @EdgeRpc(release)
  async release(
    { sessionId, unopened }: edgeV1.ReleaseRequest,
    { context, enforcerId }: BusCall,
  ): Promise<MessageInitShape<typeof edgeV1.ReleaseResponseSchema>> {
    await this.commands.execute(new Release(sessionId, enforcerId ?? "", unopened, context.actor));
    return {};
  }

  @EdgeRpc(renew)
  async renew(
    { sessionIds }: edgeV1.RenewRequest,
    { enforcerId }: BusCall,
  ): Promise<MessageInitShape<typeof edgeV1.RenewResponseSchema>> {
    if (sessionIds.length > MOST_RENEWED) {
      throw new Refused("invalid", `at most ${MOST_RENEWED} sessions are renewed at once`, { field: "session_ids" });
    }
    const known = await this.queries.sessions(sessionIds, enforcerId ?? "", this.now());
    const ended = sessionIds.flatMap((sessionId) => {
      const session = known.get(sessionId);
      if (session?.open) return [];
      return [{ sessionId, reason: session ? session.because || "the lease has ended" : "the session is not known" }];
    });
    return { ended };
  }

  private reaches({ enforcerId, context }: BusCall, resource: string): Promise<boolean> {
    return this.reach.includes(enforcerId ?? "", resource, context);
  }
}
