import { create } from "@bufbuild/protobuf";
import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from "@nestjs/common";
import {
  ApiBody,
  ApiCreatedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from "@nestjs/swagger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Bus } from "#bus";
import { type CallContext, identityV1 } from "#contracts";
import { given } from "../declared/kind.js";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { ETAG, Fails, Idempotent, IfMatch } from "../http/documented.js";
import { Checked } from "../http/input.js";
import { PageOf, page, pageRequest } from "../http/pages.js";
import { parse, represent } from "../http/representation.js";
import { etag, precondition, unchanged } from "../http/versions.js";
import { Enforcer, EnforcersQuery, NewEnforcer, RegisteredEnforcer } from "./fleet-views.js";

const { registerEnforcer, getEnforcer, listEnforcers, removeEnforcer } = identityV1.Identity.method;
const ById = () => ApiParam({ name: "id", description: "The enforcer's id.", schema: { type: "string" } });

@ApiTags("enforcers")
@Controller("v1/enforcers")
export class EnforcersController {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  @Get()
  @Access("read")
  @ApiOperation({ operationId: "list_enforcers", summary: "List the enforcers" })
  @PageOf(Enforcer)
  @Fails("invalid", "unauthenticated", "forbidden")
  async list(
    @Query(new Checked(EnforcersQuery, "query")) query: EnforcersQuery,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { group = "" } = query;
    const asked = create(identityV1.ListEnforcersRequestSchema, { page: pageRequest(query, request), group });
    const { enforcers, next } = await this.bus.call(listEnforcers, asked, call);
    const items = enforcers.map((enforcer) => represent(identityV1.EnforcerSchema, enforcer));
    return page(request, reply, items, next);
  }

  @Post()
  @Access("change")
  @ApiOperation({
    operationId: "register_enforcer",
    summary: "Register an enforcer",
    description: "The credentials in the answer are shown this once: give them to the new node.",
  })
  @ApiBody({ type: NewEnforcer })
  @Idempotent()
  @ApiCreatedResponse({ type: RegisteredEnforcer, description: "Registered; Location is where it reads." })
  @Fails(
    ...(["invalid", "malformed", "unauthenticated", "forbidden", "conflict"] as const),
    ...(["too_large", "unsupported_media_type", "key_reused"] as const),
  )
  async register(
    @Body(new Checked(NewEnforcer)) body: NewEnforcer,
    @Caller() call: CallContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const request = parse(identityV1.RegisterEnforcerRequestSchema, body);
    const registered = await this.bus.call(registerEnforcer, request, call);
    reply.header("location", `/v1/enforcers/${registered.enforcer?.id}`).header("cache-control", "no-store");
    return represent(identityV1.RegisterEnforcerResponseSchema, registered);
  }

  @Get(":id")
  @Access("read")
  @ApiOperation({ operationId: "get_enforcer", summary: "Read one enforcer" })
  @ById()
  @ApiOkResponse({ type: Enforcer, headers: ETAG, description: "As it is." })
  @ApiResponse({ status: 304, description: "The client has this version." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found")
  async get(
    @Param("id") id: string,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const enforcer = await this.read(id, call);
    return unchanged(request, reply, enforcer.version) ? undefined : represent(identityV1.EnforcerSchema, enforcer);
  }

  @Delete(":id")
  @Access("change")
  @ApiOperation({ operationId: "remove_enforcer", summary: "Remove an enforcer: it may no longer join" })
  @ById()
  @IfMatch()
  @Idempotent()
  @ApiOkResponse({ type: Enforcer, headers: ETAG, description: "As it is now." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found", "conflict", "version_conflict", "key_reused")
  async remove(
    @Param("id") id: string,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const condition = await precondition(request, async () => (await this.read(id, call)).version);
    const asked = create(identityV1.RemoveEnforcerRequestSchema, { id, ...given(condition) });
    const enforcer = await this.bus.call(removeEnforcer, asked, call);
    reply.header("etag", etag(enforcer.version));
    return represent(identityV1.EnforcerSchema, enforcer);
  }

  private read(id: string, call: CallContext): Promise<identityV1.Enforcer> {
    return this.bus.call(getEnforcer, create(identityV1.GetEnforcerRequestSchema, { id }), call);
  }
}
