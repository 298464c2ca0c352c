/** The service refused or failed: its code and its sentence. */
export class BusFailure extends Error {
  override readonly name = "BusFailure";
  constructor(
    /** `not_found`, `version_conflict`, `invalid`, `forbidden`, `unavailable`, `internal`, … */
    readonly code: string,
    message: string,
    readonly details: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Nobody answered: no service listens, none answered in time, or the bus is away. It may or may not have happened. */
export class BusUnavailable extends Error {
  override readonly name = "BusUnavailable";
}
