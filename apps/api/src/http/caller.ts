import { createHash, randomUUID } from "node:crypto";
import { createParamDecorator, type ExecutionContext } from "@nestjs/common";
import type { FastifyRequest } from "fastify";
import type { CallContext } from "#contracts";
import { Problem } from "./problem.js";

export type Actor = CallContext["actor"];

declare module "fastify" {
  interface FastifyRequest {
    /** Who the key belongs to; set by the access guard. */
    actor?: Actor;
  }
}

/** The call context of this request: its actor, and a command id that its Idempotency-Key repeats. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): CallContext => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  if (!request.actor) throw new Error(`${request.routeOptions.url} has no actor`);
  return { actor: request.actor, commandId: commandId(request, request.actor) };
});

/** For calls the API makes on nobody's behalf. */
export const systemCall = (name: string): CallContext => ({
  actor: { id: "api", name, roles: [] },
  commandId: randomUUID(),
});

/**
 * The same actor, key and route make the same command; the services tell a different request under it apart
 * (draft-ietf-httpapi-idempotency-key-header).
 */
function commandId(request: FastifyRequest, actor: Actor): string {
  const key = request.headers["idempotency-key"];
  if (key === undefined || request.method === "GET") return randomUUID();
  if (typeof key !== "string" || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem("invalid", "Idempotency-Key must be 1 to 255 printable characters without spaces.");
  }
  const path = request.url.split("?", 1)[0];
  return nameUuid(JSON.stringify([actor.id, key, request.method, path]));
}

/** A UUID that is a function of `name` alone (RFC 9562 section 5.8, version 8: SHA-256). */
export function nameUuid(name: string): string {
  const bytes = createHash("sha256").update("counterfoil command\0").update(name).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
