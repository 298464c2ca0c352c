/** What the exit codes mean; in README.md too. */
export const EXIT = { ok: 0, failed: 1, usage: 2, denied: 3, notFound: 4, unavailable: 5 } as const;

/** Why a command did not work: what is printed, and the code it exits with. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";
  constructor(
    override readonly message: string,
    readonly exitCode: number = EXIT.failed,
    /** What to do about it. */
    readonly advice = "",
  ) {
    super(message);
  }
}

/** The exit code for an HTTP status of the API. */
export function exitCodeOf(status: number): number {
  if (status === 401 || status === 403) return EXIT.denied;
  if (status === 404 || status === 410) return EXIT.notFound;
  if (status === 429 || status >= 500) return EXIT.unavailable;
  return EXIT.failed;
}
