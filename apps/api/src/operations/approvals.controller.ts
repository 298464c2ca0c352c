import { create } from "@bufbuild/protobuf";
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from "@nestjs/common";
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from "@nestjs/swagger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Bus } from "#bus";
import { approvalV1, type CallContext } from "#contracts";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { ETAG, Fails, Idempotent, IfMatch } from "../http/documented.js";
import { Checked } from "../http/input.js";
import { PageOf, page, pageRequest } from "../http/pages.js";
import { parse, represent } from "../http/representation.js";
import { etag, precondition } from "../http/versions.js";
import { Approval, ApprovalsQuery, Decision } from "./approval-views.js";

const { getApproval, listApprovals, decide } = approvalV1.Approvals.method;
const ById = () => ApiParam({ name: "id", description: "The approval's id.", schema: { type: "string" } });

@ApiTags("approvals")
@Controller("v1/approvals")
export class ApprovalsController {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  @Get()
  @Access("read")
  @ApiOperation({ operationId: "list_approvals", summary: "List the approvals, newest first" })
  @PageOf(Approval)
  @Fails("invalid", "unauthenticated", "forbidden")
  async list(
    @Query(new Checked(ApprovalsQuery, "query")) query: ApprovalsQuery,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { status, resource } = query;
    const filter = parse(approvalV1.ListApprovalsRequestSchema, {
      status,
      resource,
      page: pageRequest(query, request),
    });
    const { approvals, next } = await this.bus.call(listApprovals, filter, call);
    const items = approvals.map((approval) => represent(approvalV1.ApprovalSchema, approval));
    return page(request, reply, items, next);
  }

  @Get(":id")
  @Access("read")
  @ApiOperation({ operationId: "get_approval", summary: "Read one approval" })
  @ById()
  @ApiOkResponse({ type: Approval, headers: ETAG, description: "The exact command, and how it stands." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found")
  async get(@Param("id") id: string, @Caller() call: CallContext, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.answer(await this.read(id, call), reply);
  }

  @Post(":id/decision")
  @HttpCode(200)
  @Access("decide")
  @ApiOperation({
    operationId: "decide_approval",
    summary: "Approve or reject",
    description: "The requester cannot approve, and a quorum counts distinct people. A decision is consumed once.",
  })
  @ById()
  @ApiBody({ type: Decision, examples: { approve: { value: { decision: "approve", reason: "ticket 42" } } } })
  @IfMatch()
  @Idempotent()
  @ApiOkResponse({ type: Approval, headers: ETAG, description: "How it stands now." })
  @Fails(
    ...(["invalid", "malformed", "unauthenticated", "forbidden", "not_found", "conflict", "gone"] as const),
    ...(["version_conflict", "too_large", "unsupported_media_type", "key_reused"] as const),
  )
  async decide(
    @Param("id") id: string,
    @Body(new Checked(Decision)) { decision, reason }: Decision,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const condition = await precondition(request, async () => (await this.read(id, call)).version);
    const vote = create(approvalV1.DecideRequestSchema, {
      ...{ id, approve: decision === "approve", reason },
      ...(condition ? { precondition: condition } : {}),
    });
    return this.answer(await this.bus.call(decide, vote, call), reply);
  }

  private read(id: string, call: CallContext): Promise<approvalV1.Approval> {
    return this.bus.call(getApproval, create(approvalV1.GetApprovalRequestSchema, { id }), call);
  }

  private answer(approval: approvalV1.Approval, reply: FastifyReply) {
    reply.header("etag", etag(approval.version));
    return represent(approvalV1.ApprovalSchema, approval);
  }
}
