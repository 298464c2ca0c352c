/** Who asks, and which ask it is: travels in headers beside every request on the bus. */
export interface CallContext {
  readonly actor: { readonly id: string; readonly name: string; readonly roles: readonly string[] };
  /** UUID: the same again is the same command and has the same answer. */
  readonly commandId: string;
}

export const HEADER = {
  actor: "Cf-Actor",
  commandId: "Cf-Command-Id",
  /** `failure` where the reply is a Failure. */
  outcome: "Cf-Outcome",
} as const;
