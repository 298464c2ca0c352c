import { create } from "@bufbuild/protobuf";
import type { FastifyReply, FastifyRequest } from "fastify";
import { BusFailure } from "#bus";
import { modelV1 } from "#contracts";
import { Problem } from "./problem.js";

export const etag = (version: bigint) => `"${version}"`;

/**
 * What If-Match and If-None-Match (RFC 9110 section 13.1) ask of the version that is written. `If-Match: *` needs the
 * current version, which `current` finds.
 */
export async function precondition(request: FastifyRequest, current: () => Promise<bigint>) {
  const { "if-match": match, "if-none-match": noneMatch } = request.headers;
  if (match !== undefined && noneMatch !== undefined) {
    throw new Problem("invalid", "If-Match and If-None-Match exclude each other: send only one.");
  }
  if (noneMatch !== undefined) {
    if (noneMatch.trim() !== "*") throw new Problem("invalid", "If-None-Match must be * when writing.");
    return version(0n);
  }
  if (match === undefined) return undefined;
  if (match.trim() === "*") return version(await current().catch(missing));
  const tag = /^\s*"(\d{1,18})"\s*$/.exec(match);
  if (!tag) throw new Problem("invalid", 'If-Match must be * or one ETag as it was answered, such as "3".');
  return version(BigInt(tag[1] as string));
}

/** Sets the ETag; true where the client has this version already and 304 is the answer. */
export function unchanged(request: FastifyRequest, reply: FastifyReply, current: bigint): boolean {
  reply.header("etag", etag(current));
  const known = request.headers["if-none-match"];
  const has = known?.split(",").some((tag) => ["*", etag(current), `W/${etag(current)}`].includes(tag.trim()));
  if (has) reply.status(304);
  return has ?? false;
}

/** `If-Match: *` on nothing is a precondition that failed. */
function missing(error: unknown): never {
  const code = error instanceof BusFailure || error instanceof Problem ? error.code : undefined;
  if (code !== "not_found") throw error;
  throw new Problem("version_conflict", "If-Match asks for one that exists, and there is none.");
}

const version = (exact: bigint) => create(modelV1.PreconditionSchema, { version: exact });
