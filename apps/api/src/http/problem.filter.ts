import { type ArgumentsHost, Catch, type ExceptionFilter } from "@nestjs/common";
import type { FastifyReply, FastifyRequest } from "fastify";
import { TOKEN_ENDPOINT, tokenError } from "../exchange/token-error.js";
import { problemOf } from "./failure.js";
import { PROBLEMS, problemDocument } from "./problem.js";

/** The only place where an error becomes an answer: RFC 9457, and RFC 6749 at the token endpoint. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    answerProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

export function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (reply.sent) return;
  const idempotencyKey = request.headers["idempotency-key"] !== undefined;
  const path = request.url.split("?", 1)[0] as string;
  const problem = problemOf(error, { idempotencyKey, id: request.id, method: request.method });
  if (problem.retryAfterSeconds !== undefined) reply.header("retry-after", problem.retryAfterSeconds);
  if (path === TOKEN_ENDPOINT) {
    const { status, body } = tokenError(problem);
    reply.status(status).header("cache-control", "no-store").type("application/json").send(JSON.stringify(body));
    return;
  }
  // Without If-Match there was no precondition that failed: the writers raced.
  const raced = problem.code === "version_conflict" && !hasPrecondition(request);
  const status = raced ? PROBLEMS.conflict[0] : PROBLEMS[problem.code][0];
  if (problem.code === "unauthenticated") reply.header("www-authenticate", 'Bearer realm="counterfoil"');
  const document = problemDocument(problem, path, request.id, status);
  reply.status(status).type("application/problem+json").send(JSON.stringify(document));
}

const hasPrecondition = ({ headers }: FastifyRequest) =>
  headers["if-match"] !== undefined || headers["if-none-match"] !== undefined;
