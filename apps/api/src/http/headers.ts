import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { NestFastifyApplication } from "@nestjs/platform-fastify";
import { Problem } from "./problem.js";

/** The caller's X-Request-Id where it is a plain word, else a new one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

/** On every answer: its request's id, and what keeps a browser from making anything else of it. */
export const standardHeaders = (id: string) => ({
  "x-request-id": id,
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "strict-transport-security": "max-age=31536000",
  "cache-control": "no-cache",
});

export function sendStandardHeaders(app: NestFastifyApplication): void {
  app
    .getHttpAdapter()
    .getInstance()
    .addHook("onRequest", async (request, reply) => {
      reply.headers(standardHeaders(request.id));
    });
}

/** No name, id or cursor of ours has a zero character in it, and the stores behind cannot hold one. */
export function refuseZeroCharacters(app: NestFastifyApplication): void {
  app
    .getHttpAdapter()
    .getInstance()
    .addHook("onRequest", async (request) => {
      if (request.url.includes("%00")) throw new Problem("invalid", "The URL must not hold a zero character (%00).");
    });
}
