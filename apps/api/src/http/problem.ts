/** Every way a request can fail, in one table: the code, its HTTP status, its title, and what to do about it. */
export const PROBLEMS = {
  invalid: [400, "The request is not valid", "Correct the fields that are named and send it again."],
  malformed: [400, "The request could not be read", "Check the body's syntax and its Content-Type."],
  unauthenticated: [401, "A valid key is needed", "Send `Authorization: Bearer cfk_…` with a key that is not revoked."],
  forbidden: [403, "Not permitted", "Ask an administrator, or use a key with a role that may do this."],
  not_found: [404, "Not found", "Check the name, or list what there is."],
  method_not_allowed: [405, "This path does not take that method", "Use one of the methods in the Allow header."],
  exists: [409, "It exists already", "Use another name, or change the one that exists."],
  conflict: [409, "The state does not permit it", "Read the current state and decide again."],
  version_conflict: [412, "It has changed meanwhile", "Read it again and send its ETag in If-Match."],
  gone: [410, "It is over", "Nothing can be done with it any more."],
  too_large: [413, "The request is too large", "Send less at once."],
  unsupported_media_type: [415, "This media type is not understood", "Send a Content-Type the endpoint lists."],
  key_reused: [422, "The Idempotency-Key was used for another request", "Use a new Idempotency-Key for a new request."],
  rate_limited: [429, "Too many requests", "Wait as long as Retry-After says."],
  internal: [500, "Something failed here", "Try again; if it stays, give an operator the request id."],
  unavailable: [503, "Not available just now", "Try again after a moment; Retry-After says when."],
} as const satisfies Record<string, readonly [status: number, title: string, advice: string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One thing that is wrong in the input: a JSON pointer (RFC 6901) into the body, or a parameter's name. */
export interface InputError {
  readonly pointer?: string;
  readonly parameter?: string;
  readonly detail: string;
}

/** A refused request. `extensions` become members of the problem document (RFC 9457 section 3.2). */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly extensions: Readonly<Record<string, unknown>> = {},
    readonly retryAfterSeconds?: number,
  ) {
    super(detail);
  }
}

/** Work that failed when some of it was done: `cause` is the failure, `extensions` say how far it came. */
export class FailedPartway extends Error {
  override readonly name = "FailedPartway";
  constructor(
    override readonly cause: unknown,
    readonly soFar: string,
    readonly extensions: Readonly<Record<string, unknown>>,
  ) {
    super(soFar);
  }
}

/** The body of an `application/problem+json` answer (RFC 9457). */
export function problemDocument(problem: Problem, instance: string, requestId: string, status?: number) {
  const [ownStatus, title, advice] = PROBLEMS[problem.code];
  return {
    type: `urn:counterfoil:problem:${problem.code}`,
    title,
    status: status ?? ownStatus,
    detail: problem.detail,
    instance,
    code: problem.code,
    advice,
    request_id: requestId,
    ...problem.extensions,
  };
}
