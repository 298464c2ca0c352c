import { PROBLEMS, Problem, type ProblemCode } from "../http/problem.js";

export const TOKEN_ENDPOINT = "/v1/token";

/** RFC 6749 section 5.2, RFC 8693 section 2.2.2, and `temporarily_unavailable` of RFC 6749 section 4.1.2.1. */
export type TokenErrorCode =
  | "invalid_request"
  | "unsupported_grant_type"
  | "invalid_scope"
  | "invalid_target"
  | "temporarily_unavailable"
  | "server_error";

/** What the log is told of it: why, in a word, and what the service that refused it knows of the identity token. */
export interface Evidence {
  readonly reason: string;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly subjectTokenId?: string | undefined;
}

/** A token request that is refused in the standard's own words. */
export class TokenRefused extends Problem {
  constructor(
    readonly error: TokenErrorCode,
    detail: string,
    /** Where the standard's word says less than is known. */
    readonly why?: ProblemCode,
    /** Where it belongs in the log. */
    readonly evidence?: Evidence,
  ) {
    super("invalid", detail);
  }
}

export function tokenError(problem: Problem) {
  const error = problem instanceof TokenRefused ? problem.error : codeOf(problem);
  const status = problem instanceof TokenRefused ? 400 : statusOf(problem);
  const why = problem instanceof TokenRefused && problem.why ? { code: problem.why } : {};
  const error_description = printable(problem.detail);
  // A policy's text has quotes in it, and with others it is none.
  const exact = error_description === problem.detail ? {} : { detail: problem.detail };
  return { status, body: { error, error_description, ...exact, ...why } };
}

function codeOf({ code }: Problem): TokenErrorCode {
  if (code === "unavailable" || code === "rate_limited") return "temporarily_unavailable";
  return code === "internal" ? "server_error" : "invalid_request";
}

function statusOf({ code }: Problem): number {
  const status = PROBLEMS[code][0];
  return status >= 500 || [404, 405, 413, 415, 429].includes(status) ? status : 400;
}

/** What section 5.2 permits in a description. */
const printable = (text: string) =>
  text
    .replaceAll('"', "'")
    .replaceAll("\\", "/")
    .replaceAll(/[^\x20-\x7e]/g, "?");
