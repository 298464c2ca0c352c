import { HttpException, Logger } from "@nestjs/common";
import { BusFailure, BusUnavailable } from "#bus";
import { FailedPartway, type InputError, PROBLEMS, Problem, type ProblemCode } from "./problem.js";

const RETRY_AFTER_SECONDS = 2;
const log = new Logger("api");

interface Asked {
  readonly id: string;
  readonly method: string;
  readonly idempotencyKey: boolean;
}

/** Whatever was thrown, as the problem its caller gets. What is nobody's business is logged and left out. */
export function problemOf(error: unknown, request: Asked): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof FailedPartway) {
    const { code, detail, extensions, retryAfterSeconds } = problemOf(error.cause, request);
    // Its pointers are into the part that failed, and would be taken for ones into the whole.
    const { errors: _, ...others } = extensions;
    return new Problem(code, `${error.soFar}: ${detail}`, { ...others, ...error.extensions }, retryAfterSeconds);
  }
  if (error instanceof BusUnavailable) {
    log.warn(`request ${request.id}: ${error.message}`);
    return unavailable("The part of the control plane that answers this cannot be reached.");
  }
  if (error instanceof BusFailure) return ofService(error, request);
  return ofFramework(error) ?? unexpected(error, request.id);
}

/** A service's refusal: its codes are ours. */
function ofService(failure: BusFailure, request: Asked): Problem {
  if (request.idempotencyKey && failure.code === "conflict" && failure.details.reason === "command_id_reused") {
    return new Problem("key_reused", "This Idempotency-Key came with another request before.");
  }
  if (failure.code === "unavailable") return unavailable(failure.message);
  if (!(failure.code in PROBLEMS) || failure.code === "internal") return unexpected(failure, request.id);
  // The store speaks of its streams; the caller knows versions.
  const message = failure.message.replace(/^stream \S+ is/, "It is");
  const { faults: _, ...details } = failure.details;
  const more = Object.keys(details).length > 0 ? { details } : {};
  return new Problem(failure.code as ProblemCode, message, { ...more, ...fieldErrors(failure, request) });
}

/** The fields a service names (`columns[0].resource`), in the same place where our own checks name theirs. */
function fieldErrors(failure: BusFailure, { method }: Asked): { errors?: readonly InputError[] } {
  if (failure.code !== "invalid" || failure.details.field === undefined) return {};
  return {
    errors: faultsOf(failure).map(({ field, message }) =>
      method === "GET" ? { parameter: field, detail: message } : { pointer: pointerOf(field), detail: message },
    ),
  };
}

/** What is wrong with each field, where a service says of more than one. */
export function faultsOf({ details, message }: BusFailure): readonly { field: string; message: string }[] {
  return details.faults === undefined ? [{ field: details.field ?? "", message }] : JSON.parse(details.faults);
}

/** `columns[0].resource` as a JSON pointer. */
export const pointerOf = (field: string): string =>
  field
    .split(/[.[\]]+/)
    .filter(Boolean)
    .map((part) => `/${part}`)
    .join("");

/** The errors of Fastify and Nest that are the client's: an unknown route, a body that cannot be read. */
function ofFramework(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined;
  const own = error as Error & { statusCode?: number };
  const status = error instanceof HttpException ? error.getStatus() : own.statusCode;
  if (status === undefined || status < 400 || status >= 500) return undefined;
  const code: ProblemCode =
    status === 404
      ? "not_found"
      : status === 413
        ? "too_large"
        : status === 415
          ? "unsupported_media_type"
          : status === 429
            ? "rate_limited"
            : "malformed";
  return new Problem(code, error.message);
}

const unavailable = (detail: string) => new Problem("unavailable", detail, {}, RETRY_AFTER_SECONDS);

function unexpected(error: unknown, id: string): Problem {
  log.error(`request ${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return new Problem("internal", "The request could not be carried out because of a fault on this side.");
}
