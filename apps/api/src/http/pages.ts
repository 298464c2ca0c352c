import { create } from "@bufbuild/protobuf";
import { applyDecorators, type Type } from "@nestjs/common";
import { ApiExtraModels, ApiOkResponse, getSchemaPath } from "@nestjs/swagger";
import type { FastifyReply, FastifyRequest } from "fastify";
import { modelV1 } from "#contracts";
import { IntegerText, Text } from "./fields.js";
import { Problem } from "./problem.js";
import type { Json } from "./representation.js";

export class PageQuery {
  @IntegerText({ description: "At most this many.", min: 1, max: 1000, optional: true, example: 100 })
  limit?: number;

  @Text({ description: "The `next` of the page before; absent for the first page.", max: 2048, optional: true })
  cursor?: string;
}

/** @throws Problem `invalid` where the cursor is another list's: a place there would be some other place here */
export function pageRequest({ limit = 0, cursor = "" }: PageQuery, request: FastifyRequest): modelV1.PageRequest {
  const own = `${listOf(request)}.`;
  if (cursor !== "" && !cursor.startsWith(own)) {
    const detail = "is not one that a page of this list gave: begin without";
    throw new Problem("invalid", `cursor ${detail}`, { errors: [{ parameter: "cursor", detail }] });
  }
  return create(modelV1.PageRequestSchema, { limit, cursor: cursor.slice(own.length) });
}

/** `sessions` of `/v1/sessions?limit=3`. */
const listOf = ({ url }: FastifyRequest) => url.split("?", 1)[0]!.split("/").at(-1)!;

/** A page of items, with where the next one is: in the body, and as a Link header (RFC 8288). */
export function page(request: FastifyRequest, reply: FastifyReply, items: Json[], following: string) {
  if (following === "") return { items };
  const next = `${listOf(request)}.${following}`;
  const [path, query] = request.url.split("?", 2);
  const parameters = new URLSearchParams(query);
  parameters.set("cursor", next);
  reply.header("link", `<${path}?${parameters}>; rel="next"`);
  return { items, next };
}

export const PageOf = (view: Type) =>
  applyDecorators(
    ApiExtraModels(view),
    ApiOkResponse({
      description: "One page.",
      headers: { Link: { description: 'RFC 8288: rel="next", where there is more.', schema: { type: "string" } } },
      schema: {
        type: "object",
        required: ["items"],
        properties: {
          items: { type: "array", items: { $ref: getSchemaPath(view) } },
          next: { type: "string", description: "The cursor of the next page; absent on the last one." },
        },
      },
    }),
  );
