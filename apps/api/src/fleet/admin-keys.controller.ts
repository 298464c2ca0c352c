import { create } from "@bufbuild/protobuf";
import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from "@nestjs/common";
import { ApiBody, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from "@nestjs/swagger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Bus } from "#bus";
import { type CallContext, identityV1, modelV1 } from "#contracts";
import { given } from "../declared/kind.js";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { ETAG, Fails, Idempotent, IfMatch } from "../http/documented.js";
import { Checked } from "../http/input.js";
import { PageOf, PageQuery, page, pageRequest } from "../http/pages.js";
import { Problem } from "../http/problem.js";
import { parse, represent } from "../http/representation.js";
import { etag, precondition } from "../http/versions.js";
import { AdminKey, CreatedAdminKey, NewAdminKey } from "./fleet-views.js";

const { createAdminKey, listAdminKeys, revokeAdminKey } = identityV1.Identity.method;
const ById = () => ApiParam({ name: "id", description: "The key's id.", schema: { type: "string" } });

/** Keys of people and programs that use this API. Only an administrator sees them. */
@ApiTags("admin-keys")
@Controller("v1/admin-keys")
@Access("change")
export class AdminKeysController {
  constructor(@Inject(Bus) private readonly bus: Bus) {}

  @Get()
  @ApiOperation({ operationId: "list_admin_keys", summary: "List the keys; never their secrets" })
  @PageOf(AdminKey)
  @Fails("invalid", "unauthenticated", "forbidden")
  async list(
    @Query(new Checked(PageQuery, "query")) query: PageQuery,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const asked = create(identityV1.ListAdminKeysRequestSchema, { page: pageRequest(query, request) });
    const { keys, next } = await this.bus.call(listAdminKeys, asked, call);
    const items = keys.map((key) => represent(identityV1.AdminKeySchema, key));
    return page(request, reply, items, next);
  }

  @Post()
  @ApiOperation({ operationId: "create_admin_key", summary: "Create a key; its secret is shown this once" })
  @ApiBody({ type: NewAdminKey })
  @Idempotent()
  @ApiCreatedResponse({ type: CreatedAdminKey, description: "Created; Location is where it reads." })
  @Fails(
    ...(["invalid", "malformed", "unauthenticated", "forbidden", "conflict"] as const),
    ...(["too_large", "unsupported_media_type", "key_reused"] as const),
  )
  async create(
    @Body(new Checked(NewAdminKey)) body: NewAdminKey,
    @Caller() call: CallContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const request = parse(identityV1.CreateAdminKeyRequestSchema, body);
    const created = await this.bus.call(createAdminKey, request, call);
    reply.header("location", `/v1/admin-keys/${created.key?.id}`).header("cache-control", "no-store");
    return represent(identityV1.CreateAdminKeyResponseSchema, created);
  }

  @Get(":id")
  @ApiOperation({ operationId: "get_admin_key", summary: "Read one key; never its secret" })
  @ById()
  @ApiOkResponse({ type: AdminKey, headers: ETAG, description: "As it is." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found")
  async get(@Param("id") id: string, @Caller() call: CallContext, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.answer(await this.find(id, call), reply);
  }

  @Delete(":id")
  @ApiOperation({ operationId: "revoke_admin_key", summary: "Revoke a key; it stops working within seconds" })
  @ById()
  @IfMatch()
  @Idempotent()
  @ApiOkResponse({ type: AdminKey, headers: ETAG, description: "As it is now." })
  @Fails("invalid", "unauthenticated", "forbidden", "not_found", "conflict", "version_conflict", "key_reused")
  async revoke(
    @Param("id") id: string,
    @Caller() call: CallContext,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const condition = await precondition(request, async () => (await this.find(id, call)).version);
    const asked = create(identityV1.RevokeAdminKeyRequestSchema, { id, ...given(condition) });
    return this.answer(await this.bus.call(revokeAdminKey, asked, call), reply);
  }

  /** There are few keys, so no call of its own finds one. */
  private async find(id: string, call: CallContext): Promise<identityV1.AdminKey> {
    let cursor = "";
    do {
      const page = create(modelV1.PageRequestSchema, { cursor, limit: 500 });
      const answer = await this.bus.call(listAdminKeys, create(identityV1.ListAdminKeysRequestSchema, { page }), call);
      const found = answer.keys.find((key) => key.id === id);
      if (found) return found;
      cursor = answer.next;
    } while (cursor !== "");
    throw new Problem("not_found", `There is no key with the id ${id}.`);
  }

  private answer(key: identityV1.AdminKey, reply: FastifyReply) {
    reply.header("etag", etag(key.version));
    return represent(identityV1.AdminKeySchema, key);
  }
}
