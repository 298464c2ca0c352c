import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Put,
  Query,
  Req,
  Res,
  type Type,
} from "@nestjs/common";
import {
  ApiBody,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from "@nestjs/swagger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Bus } from "#bus";
import type { CallContext } from "#contracts";
import { Access } from "../http/access.js";
import { Caller } from "../http/caller.js";
import { ETAG, Fails, Idempotent, IfMatch } from "../http/documented.js";
import { Checked, checked, invalidInput } from "../http/input.js";
import { PageOf, PageQuery, page, pageRequest } from "../http/pages.js";
import { Problem } from "../http/problem.js";
import { parse, represent } from "../http/representation.js";
import { etag, precondition, unchanged } from "../http/versions.js";
import type { Kind, Stored } from "./kind.js";

/** The controller of one kind of declared object: list, read, write and delete, with versions as ETags. */
export function declaredController(kind: Kind): Type {
  const ByName = () => ApiParam({ name: "name", description: `The ${kind.one}'s name.`, schema: { type: "string" } });

  @ApiTags(kind.many)
  @Controller(`v1/${kind.many}`)
  class DeclaredController {
    constructor(@Inject(Bus) private readonly bus: Bus) {}

    @Get()
    @Access("read")
    @ApiOperation({ operationId: `list_${kind.many}`, summary: `List the ${kind.many}`, description: kind.summary })
    @PageOf(kind.view)
    @Fails("invalid", "unauthenticated", "forbidden")
    async list(
      @Query(new Checked(PageQuery, "query")) query: PageQuery,
      @Caller() call: CallContext,
      @Req() request: FastifyRequest,
      @Res({ passthrough: true }) reply: FastifyReply,
    ) {
      const { items, next } = await kind.list(this.bus, pageRequest(query, request), call);
      return page(
        request,
        reply,
        items.map((item) => represent(kind.schema, item)),
        next,
      );
    }

    @Get(":name")
    @Access("read")
    @ApiOperation({ operationId: `get_${kind.one}`, summary: `Read one ${kind.one}` })
    @ByName()
    @ApiHeader({ name: "If-None-Match", required: false, schema: { type: "string" }, example: '"3"' })
    @ApiOkResponse({ type: kind.view, headers: ETAG, description: "As it is." })
    @ApiResponse({ status: 304, description: "The client has this version." })
    @Fails("invalid", "unauthenticated", "forbidden", "not_found")
    async get(
      @Param("name") name: string,
      @Caller() call: CallContext,
      @Req() request: FastifyRequest,
      @Res({ passthrough: true }) reply: FastifyReply,
    ) {
      const object = await kind.get(this.bus, this.named(name), call);
      return unchanged(request, reply, object.version) ? undefined : represent(kind.schema, object);
    }

    @Put(":name")
    @Access("change")
    @ApiOperation({
      operationId: `put_${kind.one}`,
      summary: `Create or replace one ${kind.one}`,
      description: "The body is the whole object: what it leaves out goes back to its default. It may repeat the name.",
    })
    @ByName()
    @ApiBody({ type: kind.body, examples: { usual: { value: kind.example } } })
    @IfMatch()
    @ApiHeader({
      name: "If-None-Match",
      required: false,
      description: "`*`: only if it does not exist yet.",
      schema: { type: "string", const: "*" } as never,
    })
    @Idempotent()
    @ApiOkResponse({ type: kind.view, headers: ETAG, description: "As it is now." })
    @ApiResponse({ status: 201, type: kind.view, headers: ETAG, description: "It is new." })
    @Fails(
      ...(["invalid", "malformed", "unauthenticated", "forbidden", "not_found", "exists", "conflict"] as const),
      ...(["version_conflict", "too_large", "unsupported_media_type", "key_reused"] as const),
    )
    async put(
      @Param("name") name: string,
      @Body() plain: unknown,
      @Caller() call: CallContext,
      @Req() request: FastifyRequest,
      @Res({ passthrough: true }) reply: FastifyReply,
    ) {
      const body = checked(kind.body, withoutName(plain, this.named(name)));
      const object = parse(kind.schema, { ...body, name }) as Stored;
      const condition = await precondition(request, () => this.currentVersion(name, call));
      const written = await kind.put(this.bus, object, condition, call);
      reply.header("etag", etag(written.version));
      reply.status(condition?.version === 0n || written.version === 1n ? 201 : 200);
      return represent(kind.schema, written);
    }

    @Delete(":name")
    @Access("change")
    @HttpCode(204)
    @ApiOperation({ operationId: `delete_${kind.one}`, summary: `Delete one ${kind.one}` })
    @ByName()
    @IfMatch()
    @Idempotent()
    @ApiNoContentResponse({ description: "It is gone." })
    @Fails("invalid", "unauthenticated", "forbidden", "not_found", "conflict", "version_conflict", "key_reused")
    async remove(@Param("name") name: string, @Caller() call: CallContext, @Req() request: FastifyRequest) {
      const condition = await precondition(request, () => this.currentVersion(name, call));
      await kind.remove(this.bus, this.named(name), condition, call);
    }

    private async currentVersion(name: string, call: CallContext): Promise<bigint> {
      return (await kind.get(this.bus, name, call)).version;
    }

    private named(name: string): string {
      if (kind.isName(name)) return name;
      const detail = `${JSON.stringify(name)} cannot be the name of a ${kind.one}: a-z first, then a-z, 0-9, _ and -.`;
      throw new Problem("invalid", detail, { errors: [{ parameter: "name", detail: "must be a name" }] });
    }
  }
  Object.defineProperty(DeclaredController, "name", { value: `${kind.one}-controller` });
  return DeclaredController;
}

/** What is read can be written back: a name in the body must be that of the path. */
function withoutName(plain: unknown, expected: string): unknown {
  if (typeof plain !== "object" || plain === null || !("name" in plain)) return plain;
  const { name, ...body } = plain;
  if (name === expected) return body;
  throw invalidInput([{ pointer: "/name", detail: `must be ${expected}, as in the path, or be left out` }]);
}
