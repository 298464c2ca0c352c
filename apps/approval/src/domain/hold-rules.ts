import { Refused } from "#event-store";
import type { HeldCommand } from "./events.js";

const MOST_VOTES = 20;
const LONGEST_SECONDS = 24 * 3600;
/** In characters: what a person can be shown, and a message of the bus can carry. */
const LONGEST_STATEMENT = 1 << 20;
const LONGEST_PARAMETERS = 1 << 19;
const DEFAULT_SECONDS = 15 * 60;

export interface HoldAsked extends Omit<HeldCommand, "requestedAt" | "expiresAt"> {
  /** 0 stands for the default. */
  readonly ttlSeconds: number;
}

/** The request that is kept. @throws Refused `invalid`, with the `field` in its details */
export function heldCommand(asked: HoldAsked, now: number): HeldCommand {
  const { ttlSeconds, quorum: wanted, ...rest } = asked;
  const quorum = wanted || 1;
  const ttl = ttlSeconds || DEFAULT_SECONDS;
  if (asked.sessionId === "") throw invalid("session_id", "a hold belongs to a session");
  if (asked.requester.id === "") throw invalid("principal", "a hold needs the principal that asks");
  if (asked.resource === "") throw invalid("resource", "a hold needs the resource");
  if (asked.statement.length > LONGEST_STATEMENT) {
    throw invalid("statement", `a held command has at most ${LONGEST_STATEMENT} characters`);
  }
  if (asked.parameters.reduce((sum, { length }) => sum + length, 0) > LONGEST_PARAMETERS) {
    throw invalid("parameters", `a held command's parameters have at most ${LONGEST_PARAMETERS} characters`);
  }
  if (!/^[0-9a-f]{64}$/.test(asked.digest)) throw invalid("digest", "the digest is a SHA-256 of 32 bytes");
  if (!Number.isInteger(quorum) || quorum < 1 || quorum > MOST_VOTES) {
    throw invalid("quorum", `a quorum is 1 to ${MOST_VOTES}, not ${quorum}`);
  }
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > LONGEST_SECONDS) {
    throw invalid("ttl_seconds", `a hold lasts 1 to ${LONGEST_SECONDS} seconds, not ${ttl}`);
  }
  return { ...rest, quorum, requestedAt: now, expiresAt: now + ttl * 1000 };
}

const invalid = (field: string, message: string) => new Refused("invalid", message, { field });
