import type { Grant, TokenEvent } from "./events.js";

/** One redemption: the session it opened, and what became of it. */
interface Session {
  readonly enforcerId: string;
  readonly openedAt: number;
  readonly over: null | { readonly at: number; readonly because: string };
  /** It has given its use back. */
  readonly unopened?: true;
}

export type TokenState =
  | { readonly status: "absent" }
  | {
      readonly status: "minted";
      readonly grant: Grant;
      readonly signature: string;
      readonly subjectTokenId?: string;
      readonly sessions: ReadonlyMap<string, Session>;
      readonly revoked: null | { readonly at: number; readonly reason: string };
    };
export type MintedToken = Extract<TokenState, { status: "minted" }>;

export const initialState = (): TokenState => ({ status: "absent" });

export function evolve(state: TokenState, event: TokenEvent): TokenState {
  if (event.type === "TokenMinted") {
    return { status: "minted", ...event.data, sessions: new Map(), revoked: null };
  }
  if (state.status === "absent") return state;
  switch (event.type) {
    case "TokenRedeemed": {
      const { sessionId, enforcerId, at } = event.data;
      return { ...state, sessions: new Map(state.sessions).set(sessionId, { enforcerId, openedAt: at, over: null }) };
    }
    case "SessionReleased": {
      const { sessionId, at, unopened } = event.data;
      const sessions = ended(state.sessions, [sessionId], at, "released");
      const session = sessions.get(sessionId);
      if (unopened && session) sessions.set(sessionId, { ...session, unopened });
      return { ...state, sessions };
    }
    case "SessionEndOrdered":
      return { ...state, sessions: ended(state.sessions, [event.data.sessionId], event.data.at, event.data.reason) };
    case "TokenRevoked": {
      const { at, reason, sessionIds } = event.data;
      return { ...state, revoked: { at, reason }, sessions: ended(state.sessions, sessionIds, at, reason) };
    }
    default:
      return event satisfies never;
  }
}

function ended(
  sessions: ReadonlyMap<string, Session>,
  ids: readonly string[],
  at: number,
  because: string,
): Map<string, Session> {
  const after = new Map(sessions);
  for (const id of ids) {
    const session = after.get(id);
    if (session && !session.over) after.set(id, { ...session, over: { at, because } });
  }
  return after;
}

/** When the last use must have begun, by a burst's window; null before the first use and for the other modes. */
export function windowClosesAt({ grant, sessions }: MintedToken): number | null {
  const first = [...sessions.values()].find(({ unopened }) => !unopened);
  return grant.mode === "burst" && first ? first.openedAt + grant.windowSeconds * 1000 : null;
}

/** Uses that were taken and not given back. */
export const used = ({ sessions }: MintedToken): number =>
  [...sessions.values()].filter(({ unopened }) => !unopened).length;

/** Whether no use is left, whatever the time. */
export const usedUp = (state: MintedToken): boolean => state.grant.mode !== "run" && used(state) >= state.grant.uses;

/** Whether no use could be begun at any later time, though it has not expired: what was spent before that stays spent. */
export function isSpent(state: MintedToken, now: number): boolean {
  const closes = windowClosesAt(state);
  return usedUp(state) || (closes !== null && closes < Math.min(now, state.grant.expiresAt));
}

/** Sessions that have not ended by themselves, by order, or with the token's life. */
export const openSessions = ({ grant, sessions }: MintedToken, now: number): readonly string[] =>
  now >= grant.expiresAt ? [] : [...sessions].filter(([, { over }]) => !over).map(([id]) => id);
