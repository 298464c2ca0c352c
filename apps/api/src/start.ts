import "reflect-metadata";
import type { AddressInfo } from "node:net";
import type { Type } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Bus } from "#bus";
import type { ApiConfig } from "./api.config.js";
import { ApiModule } from "./api.module.js";
import { ApiDescription } from "./docs/docs.controller.js";
import { describeApi } from "./docs/openapi.js";
import {
  acceptFormsOnlyAt,
  acceptYaml,
  BODY_LIMIT,
  refusePlainText,
  takeDeleteWithoutBody,
} from "./http/body-parsers.js";
import { refuseZeroCharacters, requestId, sendStandardHeaders, standardHeaders } from "./http/headers.js";
import { refuseOtherMethods } from "./http/methods.js";
import { answerProblem } from "./http/problem.filter.js";

export interface RunningApi {
  /** `http://host:port`, with the port it really listens on. */
  readonly url: string;
  readonly app: NestFastifyApplication;
  close(): Promise<void>;
}

/**
 * Serves the API; `bus` stays the caller's to close.
 *
 * @throws Error saying what to do where the port is taken
 */
export async function startApi(config: ApiConfig, bus: Bus): Promise<RunningApi> {
  const app = await NestFactory.create<NestFastifyApplication>(ApiModule.register(config, bus), adapter(config), {
    logger: ["error", "warn", "fatal"],
    abortOnError: false,
    forceCloseConnections: true,
  } as never);
  const close = () => app.close();
  try {
    sendStandardHeaders(app);
    refuseOtherMethods(app);
    refuseZeroCharacters(app);
    acceptYaml(app);
    refusePlainText(app);
    takeDeleteWithoutBody(app);
    acceptFormsOnlyAt(app, "/v1/token");
    app.get<ApiDescription>(ApiDescription as Type<ApiDescription>).set(describeApi(app));
    await app.listen(config.port, config.host);
  } catch (error) {
    await close();
    throw listenError(error, config);
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return { url: `http://${host}:${port}`, app, close };
}

function adapter({ trustedProxies }: ApiConfig): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    genReqId: requestId as never,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestTimeout: 30_000,
    forceCloseConnections: true,
    // A URL that cannot be decoded never gets as far as the hooks.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      answerProblem(error, request, reply.headers(standardHeaders(request.id))),
  } as never);
}

function listenError(error: unknown, { host, port }: ApiConfig): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return new Error(`${host}:${port} is taken: stop what listens there, or set COUNTERFOIL_API_PORT`, {
      cause: error,
    });
  }
  if (code === "EACCES") {
    return new Error(`${host}:${port} may not be used: set COUNTERFOIL_API_PORT to a port above 1023`, {
      cause: error,
    });
  }
  return error;
}
