import type { NestFastifyApplication } from "@nestjs/platform-fastify";
import { Problem } from "./problem.js";

/** A path that is served answers 405 with `Allow` for a method it does not take (RFC 9110 section 15.5.6). */
export function refuseOtherMethods(app: NestFastifyApplication): void {
  const routes: { readonly path: RegExp; readonly methods: readonly string[] }[] = [];
  const server = app.getHttpAdapter().getInstance();
  server.addHook("onRoute", ({ url, method }) => {
    const path = new RegExp(`^${url.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:\w+/g, "[^/]+")}$`);
    routes.push({ path, methods: [method].flat() });
  });
  server.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return;
    const path = request.url.split("?", 1)[0] as string;
    const allowed = [...new Set(routes.filter((route) => route.path.test(path)).flatMap(({ methods }) => methods))];
    if (allowed.length === 0) return;
    reply.header("allow", allowed.sort().join(", "));
    throw new Problem("method_not_allowed", `${path} does not take ${request.method}.`);
  });
}
