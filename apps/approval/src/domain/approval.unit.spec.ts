import { Refused } from "#event-store";
import { type ApprovalCommand, approval } from "./approval.js";
import type { Actor, ApprovalEvent, HeldCommand, Vote } from "./events.js";
import { type HoldAsked, heldCommand } from "./hold-rules.js";

const AT = 1_000_000;
const EXPIRES = AT + 60_000;
const asked: HoldAsked = {
  enforcerId: "e1",
  sessionId: "s1",
  requester: { id: "ci|7", issuer: "ci", subject: "7", name: "build", groups: [], run: "r", onBehalfOf: ["Grace"] },
  resource: "shop",
  statement: "ALTER TABLE customers ADD note text",
  parameters: [],
  digest: "ab".repeat(32),
  policyEpoch: 4,
  policies: ["ddl"],
  approvers: "",
  quorum: 1,
  reason: "changes the schema",
  ttlSeconds: 60,
};
const held = (over: Partial<HoldAsked> = {}): HeldCommand => heldCommand({ ...asked, ...over }, AT);
const requested = (over: Partial<HoldAsked> = {}): ApprovalEvent => ({ type: "ApprovalRequested", data: held(over) });

const person = (id: string, name: string, ...roles: string[]): Actor => ({ id, name, roles });
const ada = person("key-1", "Ada", "approver");
const bob = person("key-2", "Bob", "approver");
const vote = (by: Actor, approve = true, at = AT + 1): ApprovalEvent => ({
  type: "VoteCast",
  data: { by, approve, reason: "seen", at } satisfies Vote,
});
const granted: ApprovalEvent = { type: "ApprovalGranted", data: { at: AT + 1 } };
const rejected: ApprovalEvent = { type: "ApprovalRejected", data: { at: AT + 1, reason: "seen" } };
const expired: ApprovalEvent = { type: "ApprovalExpired", data: { at: EXPIRES } };
const withdrawn: ApprovalEvent = { type: "ApprovalWithdrawn", data: { at: AT + 1, reason: "Ctrl-C" } };
const consumed: ApprovalEvent = { type: "ApprovalConsumed", data: { at: AT + 1 } };

const decision = (by: Actor, approve = true, now = AT + 1): ApprovalCommand => ({
  type: "Decide",
  by,
  approve,
  reason: "seen",
  now,
});
const consume = (over: Partial<Extract<ApprovalCommand, { type: "Consume" }>> = {}): ApprovalCommand => ({
  type: "Consume",
  enforcerId: "e1",
  sessionId: "s1",
  digest: asked.digest,
  now: AT + 1,
  ...over,
});
const withdraw: ApprovalCommand = { type: "Withdraw", enforcerId: "e1", reason: "Ctrl-C", now: AT + 1 };

const given = (...events: ApprovalEvent[]) => {
  const state = events.reduce(approval.evolve, approval.initialState());
  return {
    when: (command: ApprovalCommand) => ({
      happens: (...expected: ApprovalEvent[]) => expect(approval.decide(command, state)).toEqual(expected),
      isRefused: (code: string, message: RegExp) => {
        const refusal = expect.objectContaining({ name: "Refused", code, message: expect.stringMatching(message) });
        expect(() => approval.decide(command, state)).toThrow(refusal);
      },
    }),
  };
};

describe("a hold", () => {
  it("is requested once, and its time does not begin again", () => {
    given().when({ type: "Hold", held: held() }).happens(requested());
    given(requested())
      .when({ type: "Hold", held: heldCommand(asked, AT + 5000) })
      .happens();
    given(requested(), vote(ada), granted).when({ type: "Hold", held: held() }).happens();
  });
  it.each([{ sessionId: "s2" }, { digest: "cd".repeat(32) }, { enforcerId: "e2" }])(
    "lends its id to no other: %j",
    (over) =>
      given(requested())
        .when({ type: "Hold", held: held(over) })
        .isRefused("conflict", /another command/),
  );
  it.each<[string, Partial<HoldAsked>]>([
    ["digest", { digest: "ab" }],
    ["quorum", { quorum: 21 }],
    ["ttl_seconds", { ttlSeconds: 86_401 }],
    ["principal", { requester: { ...asked.requester, id: "" } }],
    ["resource", { resource: "" }],
    ["session_id", { sessionId: "" }],
  ])("is refused for its %s", (field, over) => {
    expect(() => held(over)).toThrow(expect.objectContaining({ code: "invalid", details: { field } }));
  });
  it("has defaults", () => {
    expect(held({ quorum: 0, ttlSeconds: 0 })).toMatchObject({ quorum: 1, expiresAt: AT + 900_000 });
  });
});

describe("a decision", () => {
  it("grants when the quorum is one", () => given(requested()).when(decision(ada)).happens(vote(ada), granted));
  it("waits for the quorum", () => {
    given(requested({ quorum: 2 }))
      .when(decision(ada))
      .happens(vote(ada));
    given(requested({ quorum: 2 }), vote(ada))
      .when(decision(bob))
      .happens(vote(bob), granted);
  });
  it("counts people, not votes, nor keys, nor spellings of a name", () => {
    given(requested({ quorum: 2 }), vote(ada))
      .when(decision(ada))
      .happens();
    given(requested({ quorum: 2 }), vote(ada))
      .when(decision(person("key-9", " ADA", "admin")))
      .happens();
    given(requested({ quorum: 2 }), vote(ada))
      .when(decision(person("key-1", "Countess", "admin")))
      .happens();
  });
  it("is rejected by one, whoever approved before", () => {
    given(requested()).when(decision(ada, false)).happens(vote(ada, false), rejected);
    given(requested({ quorum: 3 }), vote(ada), vote(bob))
      .when(decision(bob, false))
      .happens(vote(bob, false), rejected);
  });
  it("is not the requester's", () => {
    for (const by of [
      person("ci|7", "x", "admin"),
      person("k", "7", "admin"),
      person("k", "Build", "admin"),
      person("k", "grace", "admin"),
      person("Grace", "", "admin"),
    ]) {
      given(requested())
        .when(decision(by))
        .isRefused("forbidden", /someone else must decide/);
      given(requested())
        .when(decision(by, false))
        .isRefused("forbidden", /someone else must decide/);
    }
  });
  it("does not take an empty name for the requester's", () => {
    const requester = { ...asked.requester, name: "" };
    given(requested({ requester }))
      .when(decision(person("k", "", "admin")))
      .happens(vote(person("k", "", "admin")), granted);
  });
  it.each([[[]], [["auditor"]], [["approver:dba"]], [["approver:"]], [["Approver"]]])(
    "needs a role: %j has none",
    (roles) =>
      given(requested())
        .when(decision(person("k", "Eve", ...roles)))
        .isRefused("forbidden", /needs the role/),
  );
  it("may be a group's", () => {
    const dba = person("k", "Dan", "approver:dba");
    given(requested({ approvers: "dba" }))
      .when(decision(dba))
      .happens(vote(dba), granted);
    given(requested({ approvers: "legal" }))
      .when(decision(dba))
      .isRefused("forbidden", /approver:legal/);
  });
  it("comes too late after the expiry, swept or not", () => {
    given(requested())
      .when(decision(ada, true, EXPIRES))
      .isRefused("gone", /has expired/);
    given(requested(), expired)
      .when(decision(ada))
      .isRefused("gone", /has expired/);
    given(requested({ quorum: 2 }), vote(ada), expired)
      .when(decision(ada))
      .isRefused("gone", /has expired/);
    given(requested())
      .when(decision(ada, true, EXPIRES - 1))
      .happens(vote(ada, true, EXPIRES - 1), {
        type: "ApprovalGranted",
        data: { at: EXPIRES - 1 },
      });
  });
  it("stands", () => {
    given(requested(), vote(ada), granted)
      .when(decision(bob, false))
      .isRefused("gone", /approved already/);
    given(requested(), vote(ada, false), rejected)
      .when(decision(bob))
      .isRefused("gone", /rejected already/);
    given(requested(), withdrawn)
      .when(decision(bob))
      .isRefused("gone", /withdrawn/);
    given(requested(), vote(ada), granted, consumed)
      .when(decision(bob))
      .isRefused("gone", /has run/);
    given(requested(), vote(ada), granted).when(decision(ada)).happens();
    given(requested(), vote(ada, false), rejected).when(decision(ada, false)).happens();
    given(requested(), vote(ada), granted, consumed)
      .when(decision(ada))
      .isRefused("gone", /has run/);
  });
  it("is about something", () =>
    given()
      .when(decision(ada))
      .isRefused("not_found", /no such approval/));
});

describe("consuming", () => {
  const approved = [requested(), vote(ada), granted];
  it("lets the command through once", () => {
    given(...approved)
      .when(consume())
      .happens(consumed);
    given(...approved, consumed)
      .when(consume())
      .isRefused("gone", /used already/);
  });
  it.each([
    [{ digest: "cd".repeat(32) }, /not the command/],
    [{ sessionId: "s2" }, /another session/],
  ])("is for exactly what was approved: %j", (over, message) =>
    given(...approved)
      .when(consume(over))
      .isRefused("gone", message),
  );
  it("does not exist for another enforcer", () =>
    given(...approved)
      .when(consume({ enforcerId: "e2" }))
      .isRefused("not_found", /^there is no such approval$/));
  it("needs an approval that is in force", () => {
    given(requested())
      .when(consume())
      .isRefused("gone", /not decided/);
    given(requested({ quorum: 2 }), vote(ada))
      .when(consume())
      .isRefused("gone", /not decided/);
    given(requested(), vote(ada, false), rejected)
      .when(consume())
      .isRefused("gone", /rejected/);
    given(requested(), withdrawn)
      .when(consume())
      .isRefused("gone", /withdrawn/);
    given(...approved, withdrawn)
      .when(consume())
      .isRefused("gone", /withdrawn/);
  });
  it("comes too late after the expiry, though it was approved", () => {
    given(...approved)
      .when(consume({ now: EXPIRES }))
      .isRefused("gone", /expired/);
    given(...approved, expired)
      .when(consume())
      .isRefused("gone", /expired/);
    given(...approved)
      .when(consume({ now: EXPIRES - 1 }))
      .happens({ type: "ApprovalConsumed", data: { at: EXPIRES - 1 } });
  });
});

describe("withdrawing and expiring", () => {
  it("can be withdrawn by its enforcer while it is not used", () => {
    given(requested()).when(withdraw).happens(withdrawn);
    given(requested(), vote(ada), granted).when(withdraw).happens(withdrawn);
    given(requested())
      .when({ ...withdraw, enforcerId: "e2" } as ApprovalCommand)
      .isRefused("forbidden", /another enforcer/);
  });
  it("can be withdrawn by its enforcer where it was let through and did not run", () => {
    const used = given(requested(), vote(ada), granted, consumed);
    used.when(withdraw).happens(withdrawn);
    used.when({ ...withdraw, enforcerId: "e2" } as ApprovalCommand).isRefused("forbidden", /another enforcer/);
    given(requested(), vote(ada), granted, consumed, withdrawn)
      .when(consume())
      .isRefused("gone", /withdrawn/);
  });
  it("has no effect on what is over", () => {
    for (const over of [[vote(ada, false), rejected], [expired], [withdrawn]]) {
      given(requested(), ...over)
        .when(withdraw)
        .happens();
    }
    for (const over of [[vote(ada, false), rejected], [expired], [withdrawn], [vote(ada), granted, consumed]]) {
      given(requested(), ...over)
        .when({ type: "Expire", now: EXPIRES })
        .happens();
    }
  });
  it("is withdrawn, with the reason, where nobody waits for it any more", () => {
    const abandon: ApprovalCommand = { type: "Abandon", reason: "gone", now: AT + 2 };
    const abandoned: ApprovalEvent = { type: "ApprovalWithdrawn", data: { at: AT + 2, reason: "gone" } };
    given(requested()).when(abandon).happens(abandoned);
    given(requested(), vote(ada), granted).when(abandon).happens(abandoned);
    for (const over of [[vote(ada, false), rejected], [expired], [withdrawn], [vote(ada), granted, consumed]]) {
      given(requested(), ...over)
        .when(abandon)
        .happens();
    }
    given(requested())
      .when({ ...abandon, now: EXPIRES })
      .happens();
    given(requested(), abandoned)
      .when(decision(bob))
      .isRefused("gone", /withdrawn: gone$/);
  });
  it("expires at its time, decided or not, and not before", () => {
    given(requested()).when({ type: "Expire", now: EXPIRES }).happens(expired);
    given(requested(), vote(ada), granted).when({ type: "Expire", now: EXPIRES }).happens(expired);
    given(requested())
      .when({ type: "Expire", now: EXPIRES - 1 })
      .happens();
  });
  it("throws nothing but refusals", () => {
    try {
      approval.decide(withdraw, approval.initialState());
    } catch (error) {
      expect(error).toBeInstanceOf(Refused);
    }
    expect.assertions(1);
  });
});
