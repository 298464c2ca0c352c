import type { MessageInitShape } from "@bufbuild/protobuf";
import { Controller, Inject } from "@nestjs/common";
import { CommandBus } from "@nestjs/cqrs";
import { type BusCall, CLOCK, type Clock, Rpc } from "#bus/nest";
import { approvalV1 } from "#contracts";
import { Refused } from "#event-store";
import { pageOf } from "#event-store-postgres";
import { Decide } from "../handlers/decide.js";
import { ApprovalQueries } from "../projections/approval-queries.js";
import { approvalMessage, statusOf } from "./messages.js";

const { getApproval, listApprovals, decide } = approvalV1.Approvals.method;
const LONGEST_REASON = 2000;

/** What people ask, through the control API. */
@Controller()
export class ApprovalsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: ApprovalQueries,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  @Rpc(getApproval)
  getApproval(
    { id }: approvalV1.GetApprovalRequest,
    _: BusCall,
  ): Promise<MessageInitShape<typeof approvalV1.ApprovalSchema>> {
    return this.approval(id);
  }

  @Rpc(listApprovals)
  async listApprovals(
    { page, status, resource }: approvalV1.ListApprovalsRequest,
    _: BusCall,
  ): Promise<MessageInitShape<typeof approvalV1.ListApprovalsResponseSchema>> {
    const filter = { status: statusOf(status), resource };
    const { items, next } = await this.queries.list(filter, pageOf(page), this.now());
    return { approvals: items.map(approvalMessage), next };
  }

  @Rpc(decide)
  async decide(
    { id, approve, reason, precondition }: approvalV1.DecideRequest,
    { context }: BusCall,
  ): Promise<MessageInitShape<typeof approvalV1.ApprovalSchema>> {
    if (reason.length > LONGEST_REASON) {
      throw new Refused("invalid", `a reason has at most ${LONGEST_REASON} characters`, { field: "reason" });
    }
    const version = precondition && Number(precondition.version);
    await this.commands.execute(new Decide(id, approve, reason, version, context));
    return this.approval(id);
  }

  private async approval(id: string) {
    const view = await this.queries.find(id, this.now());
    if (!view) throw new Refused("not_found", `there is no approval ${id}`);
    return approvalMessage(view);
  }
}
