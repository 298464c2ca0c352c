import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { Bus, BusFailure } from "#bus";
import { type BusCall, EdgeRpc } from "#bus/nest";
import { approvalV1, edgeV1, tokensV1 } from "#contracts";
import { Refused } from "#event-store";
import { Consume } from "../handlers/consume.js";
import { Hold } from "../handlers/hold.js";
import { decidedMessage } from "../handlers/verdict-push.js";
import { WIRE_STATUSES } from "../handlers/wire-status.js";
import { Withdraw } from "../handlers/withdraw.js";
import { principalOf } from "./messages.js";

const { hold, withdraw, consume } = edgeV1.EdgeApprovals.method;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What enforcers ask. `call.enforcerId` is proven by the bus. */
@Controller()
export class EdgeApprovalsController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(Bus) private readonly bus: Bus,
  ) {}

  @EdgeRpc(hold)
  async hold(request: edgeV1.HoldRequest, call: BusCall): Promise<MessageInitShape<typeof edgeV1.HoldResponseSchema>> {
    const { context, enforcerId } = call;
    const { approvalId, sessionId, statement, approvers, quorum, ttlSeconds, reason, replaces } = request;
    if (!UUID.test(approvalId)) {
      throw new Refused("invalid", "an approval id is a UUID in lower case", { field: "approval_id" });
    }
    if (replaces !== "" && !UUID.test(replaces)) {
      throw new Refused("invalid", "what it replaces is an approval id", { field: "replaces" });
    }
    const { principal, resource } = await this.session(sessionId, call);
    const asked = {
      ...{ enforcerId: enforcerId ?? "", sessionId, requester: principalOf(principal), resource, statement },
      ...{ parameters: [...request.parameters], digest: hexOf(request.digest), policies: [...request.policies] },
      ...{ policyEpoch: Number(request.policyEpoch), approvers, quorum, ttlSeconds, reason },
      ...(replaces !== "" && { replaces }),
    };
    const state = await this.commands.execute(new Hold(approvalId, asked, context.actor));
    const decided = decidedMessage(approvalId, state);
    return { expiresAt: timestampFromMs(state.held.expiresAt), ...(decided && { decided }) };
  }

  @EdgeRpc(withdraw)
  async withdraw(
    { approvalId, reason }: edgeV1.WithdrawRequest,
    { context, enforcerId }: BusCall,
  ): Promise<MessageInitShape<typeof edgeV1.WithdrawResponseSchema>> {
    await this.commands.execute(new Withdraw(approvalId, enforcerId ?? "", reason, context.actor));
    return {};
  }

  @EdgeRpc(consume)
  async consume(
    { approvalId, sessionId, digest }: edgeV1.ConsumeRequest,
    { context, enforcerId }: BusCall,
  ): Promise<MessageInitShape<typeof edgeV1.ConsumeResponseSchema>> {
    const asked = { id: approvalId, enforcerId: enforcerId ?? "", sessionId, digest: hexOf(digest) };
    const consumed = await this.commands.execute(new Consume(asked, context.actor));
    if ("refused" in consumed) {
      const { as, refused } = consumed;
      // A decision's own reason says more than that it cannot be consumed.
      const decided = decidedMessage(approvalId, as);
      const status =
        as.status === "absent" ? approvalV1.ApprovalStatus.APPROVAL_STATUS_UNSPECIFIED : WIRE_STATUSES[as.status];
      return { granted: false, reason: decided?.reason || refused, status, approvedBy: decided?.by ?? [] };
    }
    const approvedBy = consumed.approvedBy.map((actor) => ({ ...actor, roles: [...actor.roles] }));
    return { granted: true, approvedBy, status: approvalV1.ApprovalStatus.CONSUMED };
  }

  /** Who asks and for what is known from the session's token: an enforcer asks in nobody else's name. */
  private async session(sessionId: string, { context, enforcerId }: BusCall): Promise<tokensV1.Session> {
    try {
      const session = await this.bus.call(tokensV1.Tokens.method.getSession, { sessionId }, context);
      if (session.enforcerId === enforcerId && session.open) return session;
    } catch (error) {
      if (!(error instanceof BusFailure && error.code === "not_found")) throw error;
    }
    throw new Refused("forbidden", "a hold needs an open session of the enforcer that asks", { field: "session_id" });
  }
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
