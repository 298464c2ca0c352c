/** The bytes are not what the format says. The message names the place and carries no data. */
export class MalformedBytes extends Error {
  override readonly name = "MalformedBytes";
}

/** A frame that had to be read whole is larger than its reader allows. */
export class TooLarge extends Error {
  override readonly name = "TooLarge";
  constructor(
    readonly size: number,
    readonly limit: number,
  ) {
    super(`a message of ${size} bytes is over the limit of ${limit} bytes`);
  }
}
