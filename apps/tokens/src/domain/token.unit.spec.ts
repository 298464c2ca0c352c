import fc from "fast-check";
import { Refused } from "#event-store";
import type { Grant, TokenEvent } from "./events.js";
import { grantFor, type MintRequest } from "./mint-rules.js";
import { redeemRefusalOf, type TokenCommand, token } from "./token.js";

const MINTED_AT = 1_000_000;
const request: MintRequest = {
  tokenId: "T",
  principal: { id: "ci|7", issuer: "ci", subject: "7", name: "build 7", groups: [], run: "run-7", onBehalfOf: [] },
  resource: "shop",
  protocol: "postgres",
  scope: [],
  mode: "once",
  uses: 0,
  windowSeconds: 0,
  lifetimeSeconds: 600,
  now: MINTED_AT,
};
const minted = (over: Partial<MintRequest> = {}): TokenEvent => ({
  type: "TokenMinted",
  data: { grant: grantFor({ ...request, ...over }), signature: "c2ln" },
});
const redeem = (sessionId: string, now: number, over: Partial<TokenCommand> = {}): TokenCommand =>
  ({
    type: "Redeem",
    sessionId,
    enforcerId: "e1",
    protocol: "postgres",
    clientAddress: "10.0.0.7",
    clientApplication: "psql",
    now,
    ...over,
  }) as TokenCommand;
const redeemed = (sessionId: string, at: number): TokenEvent => ({
  type: "TokenRedeemed",
  data: { sessionId, enforcerId: "e1", clientAddress: "10.0.0.7", clientApplication: "psql", at },
});
const released = (sessionId: string, at: number): TokenEvent => ({ type: "SessionReleased", data: { sessionId, at } });
const givenBack = (sessionId: string, at: number): TokenEvent => ({
  type: "SessionReleased",
  data: { sessionId, at, unopened: true },
});
const revoked = (at: number, ...sessionIds: string[]): TokenEvent => ({
  type: "TokenRevoked",
  data: { reason: "leaked", at, sessionIds },
});

const given = (...events: TokenEvent[]) => {
  const state = events.reduce(token.evolve, token.initialState());
  const decide = (command: TokenCommand) => token.decide(command, state);
  return {
    when: (command: TokenCommand) => ({
      happens: (...expected: TokenEvent[]) => expect(decide(command)).toEqual(expected),
      isRefused: (why: string) => {
        try {
          decide(command);
        } catch (error) {
          return expect(redeemRefusalOf(error)?.refused ?? (error as Refused).code).toBe(why);
        }
        throw new Error("it was not refused");
      },
    }),
  };
};
const BURST = { mode: "burst", uses: 3, windowSeconds: 30 } as const;
const soon = MINTED_AT + 1000;

describe("a once token", () => {
  it("is minted once", () => {
    const mint = { type: "Mint", ...(minted().data as { grant: Grant; signature: string }) } as const;
    given().when(mint).happens(minted());
    given(minted()).when(mint).isRefused("exists");
  });
  it("opens one session", () => given(minted()).when(redeem("s1", soon)).happens(redeemed("s1", soon)));
  it("opens no second one", () => given(minted(), redeemed("s1", soon)).when(redeem("s2", soon)).isRefused("spent"));
  it("opens no second one after the first is over", () =>
    given(minted(), redeemed("s1", soon), released("s1", soon)).when(redeem("s2", soon)).isRefused("spent"));
  it("opens another where the first was never let in", () =>
    given(minted(), redeemed("s1", soon), givenBack("s1", soon))
      .when(redeem("s2", soon))
      .happens(redeemed("s2", soon)));
  it("does not open the one that gave its use back", () =>
    given(minted(), redeemed("s1", soon), givenBack("s1", soon)).when(redeem("s1", soon)).isRefused("spent"));
  it("opens no third one, though the first gave its use back", () =>
    given(minted(), redeemed("s1", soon), givenBack("s1", soon), redeemed("s2", soon))
      .when(redeem("s3", soon))
      .isRefused("spent"));
  it("gives the same session its lease again, and takes no use for it", () =>
    given(minted(), redeemed("s1", soon))
      .when(redeem("s1", soon + 1))
      .happens());
  it("gives a use back a hundred times, and not for ever", () => {
    const release: TokenCommand = { type: "Release", sessionId: "last", enforcerId: "e1", unopened: true, now: soon };
    const failed = (times: number) =>
      Array.from({ length: times }, (_, n) => [redeemed(`s${n}`, soon), givenBack(`s${n}`, soon)]).flat();
    given(minted(), ...failed(99), redeemed("last", soon))
      .when(release)
      .happens(givenBack("last", soon));
    given(minted(), ...failed(100), redeemed("last", soon))
      .when(release)
      .happens(released("last", soon));
  });
  it("does not open a session that is over again", () =>
    given(minted(), redeemed("s1", soon), released("s1", soon)).when(redeem("s1", soon)).isRefused("spent"));
  it("does not lend a session to another enforcer", () =>
    given(minted(), redeemed("s1", soon))
      .when(redeem("s1", soon, { enforcerId: "e2" }))
      .isRefused("spent"));
  it("can be redeemed up to its last moment, not at its end", () => {
    given(minted())
      .when(redeem("s1", MINTED_AT + 599_999))
      .happens(redeemed("s1", MINTED_AT + 599_999));
    given(minted())
      .when(redeem("s1", MINTED_AT + 600_000))
      .isRefused("expired");
  });
  it("does not renew a lease past its end", () =>
    given(minted(), redeemed("s1", soon))
      .when(redeem("s1", MINTED_AT + 600_000))
      .isRefused("expired"));
  it("is good for its protocol only", () =>
    given(minted())
      .when(redeem("s1", soon, { protocol: "mysql" }))
      .isRefused("unknown"));
  it("is refused when nobody minted it", () => given().when(redeem("s1", soon)).isRefused("unknown"));
});

describe("a burst token", () => {
  const first = MINTED_AT + 500_000;
  it("counts its window from the first use, not from its minting", () => {
    given(minted(BURST)).when(redeem("s1", first)).happens(redeemed("s1", first));
    given(minted(BURST), redeemed("s1", first))
      .when(redeem("s2", first + 30_000))
      .happens(redeemed("s2", first + 30_000));
  });
  it("opens nothing after its window", () =>
    given(minted(BURST), redeemed("s1", first))
      .when(redeem("s2", first + 30_001))
      .isRefused("window_closed"));
  it("counts the window from the first use still, after more", () =>
    given(minted(BURST), redeemed("s1", first), redeemed("s2", first + 20_000))
      .when(redeem("s3", first + 30_001))
      .isRefused("window_closed"));
  it("counts it from the first that was let in", () =>
    given(minted(BURST), redeemed("s1", first), givenBack("s1", first), redeemed("s2", first + 20_000))
      .when(redeem("s3", first + 50_000))
      .happens(redeemed("s3", first + 50_000)));
  it("has no more uses than it says", () =>
    given(minted(BURST), redeemed("s1", first), redeemed("s2", first), redeemed("s3", first))
      .when(redeem("s4", first))
      .isRefused("spent"));
  it("keeps an open session's lease after the window", () =>
    given(minted(BURST), redeemed("s1", first))
      .when(redeem("s1", first + 30_001))
      .happens());
  it("never opens more sessions than uses, nor any outside the window, whatever comes in whichever order", () => {
    const step = fc.record({
      id: fc.integer({ min: 1, max: 8 }),
      kind: fc.constantFrom("redeem", "release", "give back"),
      wait: fc.nat(9000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let state = [minted(BURST)].reduce(token.evolve, token.initialState());
        let now = MINTED_AT;
        const opened = new Map<string, number>();
        for (const { id, kind, wait } of steps) {
          now += wait;
          const command: TokenCommand =
            kind === "redeem"
              ? redeem(`s${id}`, now)
              : { type: "Release", sessionId: `s${id}`, enforcerId: "e1", unopened: kind === "give back", now };
          let events: readonly TokenEvent[] = [];
          try {
            events = token.decide(command, state);
          } catch (error) {
            expect(error).toBeInstanceOf(Refused);
          }
          for (const event of events) {
            if (event.type === "TokenRedeemed") opened.set(event.data.sessionId, now);
            if (event.type === "SessionReleased" && event.data.unopened) opened.delete(event.data.sessionId);
          }
          state = events.reduce(token.evolve, state);
        }
        const times = [...opened.values()];
        expect(times.length).toBeLessThanOrEqual(3);
        for (const at of times) expect(at - times[0]!).toBeLessThanOrEqual(30_000);
      }),
    );
  });
});

describe("a run token", () => {
  it("opens any number of sessions until it expires", () => {
    const many = Array.from({ length: 50 }, (_, n) => redeemed(`s${n}`, soon));
    given(minted({ mode: "run" }), ...many)
      .when(redeem("more", soon))
      .happens(redeemed("more", soon));
    given(minted({ mode: "run" }), ...many)
      .when(redeem("more", MINTED_AT + 600_000))
      .isRefused("expired");
  });
});

describe("a session", () => {
  const release = (sessionId: string, enforcerId = "e1"): TokenCommand => ({
    type: "Release",
    sessionId,
    enforcerId,
    unopened: false,
    now: soon,
  });
  const end: TokenCommand = { type: "EndSession", sessionId: "s1", reason: "enough", now: soon };
  it("is released once", () => {
    given(minted(), redeemed("s1", soon)).when(release("s1")).happens(released("s1", soon));
    given(minted(), redeemed("s1", soon), released("s1", soon)).when(release("s1")).happens();
  });
  it("is released by its own enforcer only", () =>
    given(minted(), redeemed("s1", soon)).when(release("s1", "e2")).isRefused("forbidden"));
  it("is ended by order", () => {
    given(minted(), redeemed("s1", soon))
      .when(end)
      .happens({ type: "SessionEndOrdered", data: { sessionId: "s1", reason: "enough", at: soon } });
    given(minted(), redeemed("s1", soon), released("s1", soon)).when(end).isRefused("gone");
    given(minted()).when(end).isRefused("not_found");
  });
});

describe("a revocation", () => {
  const revoke: TokenCommand = { type: "Revoke", reason: "leaked", now: soon };
  it("names the sessions that are open", () =>
    given(minted(BURST), redeemed("s1", soon), redeemed("s2", soon), released("s1", soon))
      .when(revoke)
      .happens(revoked(soon, "s2")));
  it("counts for a spent token with an open session", () =>
    given(minted(), redeemed("s1", soon)).when(revoke).happens(revoked(soon, "s1")));
  it("is nothing for a spent token whose sessions are over, or a burst whose window has closed", () => {
    given(minted(), redeemed("s1", soon), released("s1", soon)).when(revoke).happens();
    given(minted(BURST), redeemed("s1", MINTED_AT), released("s1", MINTED_AT))
      .when({ ...revoke, now: MINTED_AT + 599_000 })
      .happens();
  });
  it("lets nothing be redeemed, not even what is open", () => {
    given(minted(), revoked(soon)).when(redeem("s1", soon)).isRefused("revoked");
    given(minted(), redeemed("s1", soon), revoked(soon, "s1")).when(redeem("s1", soon)).isRefused("revoked");
  });
  it("happens once, and not after the end", () => {
    given(minted(), revoked(soon)).when(revoke).happens();
    given(minted())
      .when({ ...revoke, now: MINTED_AT + 600_000 })
      .happens();
  });
});

describe("what may be minted", () => {
  it("has defaults", () => {
    expect(grantFor({ ...request, lifetimeSeconds: 0 })).toMatchObject({ uses: 1, expiresAt: MINTED_AT + 600_000 });
    expect(grantFor({ ...request, mode: "burst" })).toMatchObject({ uses: 10, windowSeconds: 60 });
    expect(grantFor({ ...request, mode: "burst", lifetimeSeconds: 20 })).toMatchObject({ windowSeconds: 20 });
    expect(grantFor({ ...request, scope: ["sql:read", "sql:read"] }).scope).toEqual(["sql:read"]);
    const every = ["connect", "reveal", "sql:any", "sql:create_table"];
    expect(grantFor({ ...request, scope: every }).scope).toEqual(every);
  });
  it.each<[string, Partial<MintRequest>]>([
    ["lifetime_seconds", { lifetimeSeconds: 3601 }],
    ["lifetime_seconds", { lifetimeSeconds: -1 }],
    ["principal.id", { principal: { ...request.principal, id: "" } }],
    ["resource", { resource: "" }],
    ["protocol", { protocol: "" }],
    ["scope", { scope: ["SQL:read"] }],
    ["scope", { scope: ["sql"] }],
    ["scope", { scope: ["sql:read\n"] }],
    ["scope", { scope: Array.from({ length: 65 }, (_, n) => `sql:a${n}`) }],
    ["uses", { uses: 2 }],
    ["window_seconds", { windowSeconds: 5 }],
    ["uses", { mode: "burst", uses: 1 }],
    ["uses", { mode: "burst", uses: 1001 }],
    ["window_seconds", { mode: "burst", windowSeconds: 601 }],
    ["mode", { mode: "run", principal: { ...request.principal, run: "" } }],
    ["uses", { mode: "run", uses: 5 }],
    ["window_seconds", { mode: "run", windowSeconds: 5 }],
  ])("is refused for its %s: %j", (field, over) => {
    expect(() => grantFor({ ...request, ...over })).toThrow(
      expect.objectContaining({ name: "Refused", code: "invalid", details: { field } }),
    );
  });
});
