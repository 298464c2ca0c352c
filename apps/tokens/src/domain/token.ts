import { type Decider, Refused } from "#event-store";
import type { Grant, TokenEvent } from "./events.js";
import {
  evolve,
  initialState,
  isSpent,
  type MintedToken,
  openSessions,
  type TokenState,
  used,
  usedUp,
  windowClosesAt,
} from "./state.js";

/** Of one token: whoever tries on and on where a resource is down needs a new one, and the log ends somewhere. */
const MOST_GIVEN_BACK = 100;

export type TokenCommand =
  | { readonly type: "Mint"; readonly grant: Grant; readonly signature: string; readonly subjectTokenId?: string }
  | {
      readonly type: "Redeem";
      readonly sessionId: string;
      readonly enforcerId: string;
      readonly protocol: string;
      readonly clientAddress: string;
      readonly clientApplication: string;
      readonly now: number;
    }
  | {
      readonly type: "Release";
      readonly sessionId: string;
      readonly enforcerId: string;
      /** It never opened. */
      readonly unopened: boolean;
      readonly now: number;
    }
  | { readonly type: "EndSession"; readonly sessionId: string; readonly reason: string; readonly now: number }
  | { readonly type: "Revoke"; readonly reason: string; readonly now: number };

type CommandOf<Type extends TokenCommand["type"]> = Extract<TokenCommand, { type: Type }>;

/** Why a token can't be redeemed. */
export type RedeemRefusal = "unknown" | "spent" | "expired" | "revoked" | "window_closed";

/** A token from its minting to its end, with the sessions it opened. */
export const token: Decider<TokenState, TokenCommand, TokenEvent> = { initialState, evolve, decide };

function decide(command: TokenCommand, state: TokenState): readonly TokenEvent[] {
  if (command.type === "Mint") return mint(command, state);
  if (state.status === "absent") throw new Refused("not_found", "there is no such token", { why: "unknown" });
  switch (command.type) {
    case "Redeem":
      return redeem(command, state);
    case "Release":
      return release(command, state);
    case "EndSession":
      return endSession(command, state);
    case "Revoke":
      return revoke(command, state);
    default:
      return command satisfies never;
  }
}

function mint({ grant, signature, subjectTokenId }: CommandOf<"Mint">, state: TokenState): readonly TokenEvent[] {
  if (state.status !== "absent") throw new Refused("exists", "there is a token with this id already");
  return [{ type: "TokenMinted", data: { grant, signature, ...(subjectTokenId && { subjectTokenId }) } }];
}

/** The one place where a use is spent. The same session again has its lease still, for as long as it is open. */
function redeem(command: CommandOf<"Redeem">, state: MintedToken): readonly TokenEvent[] {
  const { sessionId, enforcerId, protocol, clientAddress, clientApplication, now } = command;
  const { grant, revoked, sessions } = state;
  if (protocol !== grant.protocol) throw refused("unknown", `the token is not for ${protocol}`);
  if (revoked) throw refused("revoked", `the token has been revoked: ${revoked.reason}`);
  if (now >= grant.expiresAt) throw refused("expired", "the token has expired");
  const same = sessions.get(sessionId);
  if (same && !same.over && same.enforcerId === enforcerId) return [];
  if (same) throw refused("spent", "this session is over");
  if (usedUp(state)) throw refused("spent", "no use of the token is left", { uses: String(grant.uses) });
  const closes = windowClosesAt(state);
  if (closes !== null && now > closes) throw refused("window_closed", "the token's window has closed");
  return [{ type: "TokenRedeemed", data: { sessionId, enforcerId, clientAddress, clientApplication, at: now } }];
}

/** One that never opened gives its use back; only its enforcer can say so, and it holds the credential anyway. */
function release({ sessionId, enforcerId, unopened, now }: CommandOf<"Release">, state: MintedToken) {
  const session = state.sessions.get(sessionId);
  if (!session || session.over) return [];
  if (session.enforcerId !== enforcerId) throw new Refused("forbidden", "another enforcer has this session");
  const givesBack = unopened && state.sessions.size - used(state) < MOST_GIVEN_BACK;
  return [
    { type: "SessionReleased", data: { sessionId, at: now, ...(givesBack && { unopened: true as const }) } } as const,
  ];
}

function endSession({ sessionId, reason, now }: CommandOf<"EndSession">, state: MintedToken) {
  if (!state.sessions.has(sessionId)) throw new Refused("not_found", "there is no such session");
  if (!openSessions(state, now).includes(sessionId)) throw new Refused("gone", "the session is over already");
  return [{ type: "SessionEndOrdered", data: { sessionId, reason, at: now } } as const];
}

/** Where nothing can be begun with it and nothing is open, there is nothing to revoke: it stays what it is. */
function revoke({ reason, now }: CommandOf<"Revoke">, state: MintedToken): readonly TokenEvent[] {
  const sessionIds = openSessions(state, now);
  if (state.revoked || now >= state.grant.expiresAt || (isSpent(state, now) && sessionIds.length === 0)) return [];
  return [{ type: "TokenRevoked", data: { reason, at: now, sessionIds } }];
}

const refused = (why: RedeemRefusal, message: string, more: Readonly<Record<string, string>> = {}) =>
  new Refused("gone", message, { why, ...more });

export const redeemRefusalOf = (error: unknown): { readonly refused: RedeemRefusal; readonly uses: number } | null =>
  error instanceof Refused && error.details.why
    ? { refused: error.details.why as RedeemRefusal, uses: Number(error.details.uses ?? 0) }
    : null;
