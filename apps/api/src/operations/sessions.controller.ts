import { create } from "@bufbuild/protobuf";
import { Controller, Delete, Get, HttpCode, Inject, Param, Query, Req, Res } from "@nestjs/common";
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from "@nestjs/swagger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Bus } from "#bus";
import { auditV1, type CallContext, tokensV1 } from "#contracts";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { Fails, Idempotent } from "../http/documented.js";
import { Checked } from "../http/input.js";
import { PageOf, page, pageRequest } from "../http/pages.js";
import { Problem } from "../http/problem.js";
import { represent } from "../http/representation.js";
import { EndQuery, Session, SessionsQuery, SessionWithCommands } from "./session-views.js";

const ById = () => ApiParam({ name: "id", description: "The session's id.", schema: { type: "string" } });

@ApiTags("sessions")
@Controller("v1/sessions")
export class SessionsController {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  @Get()
  @Access("read")
  @ApiOperation({ operationId: "list_sessions", summary: "List the sessions, newest first" })
  @PageOf(Session)
  @Fails("invalid", "unauthenticated", "forbidden")
  async list(
    @Query(new Checked(SessionsQuery, "query")) query: SessionsQuery,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { sessions, next } = await this.bus.call(
      auditV1.Audit.method.listSessions,
      create(auditV1.ListSessionsRequestSchema, {
        page: pageRequest(query, request),
        status: query.status ?? "",
        resource: query.resource ?? "",
        principalId: query.principal ?? "",
      }),
      call,
    );
    const items = sessions.map((session) => represent(auditV1.SessionSchema, session));
    return page(request, reply, items, next);
  }

  @Get(":id")
  @Access("read")
  @ApiOperation({ operationId: "get_session", summary: "Read one session with its commands" })
  @ById()
  @ApiOkResponse({ type: SessionWithCommands, description: "The session; `command_log` has its commands." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found")
  async get(@Param("id") id: string, @Caller() call: CallContext) {
    const { session, commands } = await this.read(id, call);
    const log = commands.map((command) => represent(auditV1.CommandSchema, command));
    return { ...represent(auditV1.SessionSchema, session), command_log: log };
  }

  @Delete(":id")
  @HttpCode(204)
  @Access("change")
  @ApiOperation({ operationId: "end_session", summary: "End a session on the wire" })
  @ById()
  @Idempotent()
  @ApiNoContentResponse({ description: "Its enforcer has been told to close it." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found", "gone", "key_reused")
  async end(
    @Param("id") sessionId: string,
    @Query(new Checked(EndQuery, "query")) { reason = "" }: EndQuery,
    @Caller() call: CallContext,
  ) {
    const request = create(tokensV1.EndSessionRequestSchema, { sessionId, reason });
    await this.bus.call(tokensV1.Tokens.method.endSession, request, call);
  }

  private async read(id: string, call: CallContext) {
    const request = create(auditV1.GetSessionRequestSchema, { id });
    const { session, commands } = await this.bus.call(auditV1.Audit.method.getSession, request, call);
    if (!session) throw new Problem("not_found", `There is no session ${id}.`);
    return { session, commands };
  }
}
