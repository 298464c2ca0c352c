import type { Grant, TokenEvent } from "./events.js";

/** One redemption: the session it opened, and what became of it. */
interface Session {
  readonly enforcerId: string;
  readonly openedAt: number;
  readonly over: null | { readonly at: number; readonly because: string };
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
    case "SessionReleased":
      return { ...state, sessions: ended(state.sessions, [event.data.sessionId], event.data.at, "released") };
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

function ended(sessions: ReadonlyMap<string, Session>, ids: readonly string[], at: number, because: string) {
  const after = new Map(sessions);
  for (const id of ids) {
    const session = after.get(id);
    if (session && !session.over) after.set(id, { ...session, over: { at, because } });
  }
  return after;
}

/** When the last use must have begun, by a burst's window; null before the first use and for the other modes. */
export function windowClosesAt({ grant, sessions }: MintedToken): number | null {
  const [first] = sessions.values();
  return grant.mode === "burst" && first ? first.openedAt + grant.windowSeconds * 1000 : null;
}

/** Whether no use is left, whatever the time. */
export const usedUp = ({ grant, sessions }: MintedToken): boolean =>
  grant.mode !== "run" && sessions.size >= grant.uses;

/** Whether no use could be begun at any later time, though it has not expired: what was spent before that stays spent. */
export function isSpent(state: MintedToken, now: number): boolean {
  const closes = windowClosesAt(state);
  return usedUp(state) || (closes !== null && closes < Math.min(now, state.grant.expiresAt));
}

/** Sessions that have not ended by themselves, by order, or with the token's life. */
export const openSessions = ({ grant, sessions }: MintedToken, now: number): readonly string[] =>
  now >= grant.expiresAt ? [] : [...sessions].filter(([, { over }]) => !over).map(([id]) => id);
