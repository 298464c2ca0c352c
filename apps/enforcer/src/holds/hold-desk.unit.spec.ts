import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Hold, Principal } from "#commands";
import { approvalV1, type edgeV1 } from "#contracts";
import { type ControlPlane, ControlPlaneAway, ControlPlaneRefused } from "../control/control-plane.js";
import { ManualClock, settle } from "../manual-clock.fixture.js";
import { HoldDesk } from "./hold-desk.js";

const { ApprovalStatus } = approvalV1;
const principal: Principal = { id: "ci|j", issuer: "ci", subject: "j", name: "J", groups: [], run: "", onBehalfOf: [] };
const verdict: Hold = {
  kind: "hold",
  policies: ["p"],
  epoch: 3,
  masked: [],
  rowLimit: null,
  uses: [],
  approvers: "dba",
  quorum: 1,
  ttlSeconds: 60,
  reason: "why",
};
const subject = {
  ...{ session: "s", principal, resource: "r", statement: "x", parameters: [], digest: new Uint8Array([1]) },
  sessionEnds: Number.MAX_SAFE_INTEGER,
  replaces: "",
};
const dba = { $typeName: "counterfoil.model.v1.Actor" as const, id: "k", name: "Dana", roles: ["approver"] };

function desk() {
  const clock = new ManualClock();
  const calls: { method: string; request: Record<string, unknown> }[] = [];
  const answers = {
    Hold: async (): Promise<unknown> => ({ expiresAt: timestampFromMs(clock.now() + 60_000) }),
    Withdraw: async (): Promise<unknown> => ({}),
    Consume: async (): Promise<unknown> => ({
      granted: false,
      reason: "",
      approvedBy: [],
      status: ApprovalStatus.PENDING,
    }),
  };
  const call = ((method: { name: keyof typeof answers }, request: Record<string, unknown>) => {
    calls.push({ method: method.name, request });
    return answers[method.name]();
  }) as unknown as ControlPlane["call"];
  const holds = new HoldDesk({ call }, clock);
  const count = (method: string) => calls.filter((each) => each.method === method).length;
  const decided = (approvalId: string, status: approvalV1.ApprovalStatus, reason = "") =>
    holds.decided({ approvalId, status, reason, by: [dba] } as unknown as edgeV1.ApprovalDecided);
  return { clock, calls, answers, holds, count, decided };
}

test("an approval is taken with exactly what was held, once, and nothing is left", async () => {
  const { holds, answers, calls, count, decided, clock } = desk();
  const held = holds.hold(subject, verdict);
  await settle();
  expect(calls[0]).toMatchObject({
    method: "Hold",
    request: { policyEpoch: 3n, approvers: "dba", digest: subject.digest },
  });
  answers.Consume = async () => ({ granted: true, reason: "", approvedBy: [dba], status: ApprovalStatus.CONSUMED });
  decided(held.approvalId, ApprovalStatus.APPROVED);
  decided(held.approvalId, ApprovalStatus.APPROVED);
  expect(await held.ended).toEqual({ kind: "granted", by: [dba] });
  expect(count("Consume")).toBe(1);
  expect(calls.at(-1)!.request).toMatchObject({ approvalId: held.approvalId, sessionId: "s", digest: subject.digest });
  expect({ size: holds.size, timers: clock.waiting }).toEqual({ size: 0, timers: 0 });
});

test("a session that ends before the policy's time shortens it", async () => {
  const { holds, calls, clock } = desk();
  holds.hold({ ...subject, sessionEnds: clock.now() + 20_500 }, verdict);
  holds.hold({ ...subject, sessionEnds: clock.now() - 1 }, verdict);
  holds.hold({ ...subject, sessionEnds: clock.now() + 100_000 }, verdict);
  await settle();
  expect(calls.map(({ request }) => request.ttlSeconds)).toEqual([21, 1, 60]);
});

test.each([
  ["rejected", ApprovalStatus.REJECTED, "approval_rejected"],
  ["expired", ApprovalStatus.EXPIRED, "approval_expired"],
  ["withdrawn", ApprovalStatus.WITHDRAWN, "approval_withdrawn"],
])("%s by the control plane", async (_name, status, code) => {
  const { holds, decided, count } = desk();
  const held = holds.hold(subject, verdict);
  await settle();
  decided(held.approvalId, status, "because");
  expect(await held.ended).toMatchObject({ kind: "refused", status, code });
  expect(count("Consume")).toBe(0);
});

test("another approval's decision is not this one's", async () => {
  const { holds, decided, count } = desk();
  holds.hold(subject, verdict);
  await settle();
  decided("another", ApprovalStatus.APPROVED);
  await settle();
  expect(count("Consume")).toBe(0);
});

test("nobody decides: it expires by our clock, though the control plane's is behind", async () => {
  const { holds, answers, clock } = desk();
  answers.Hold = async () => ({ expiresAt: timestampFromMs(clock.now() + 9_000_000) });
  const held = holds.hold(subject, verdict);
  await clock.pass(59_000);
  expect(holds.size).toBe(1);
  await clock.pass(1_000);
  expect(await held.ended).toMatchObject({ code: "approval_expired" });
});

test("a lost push is found by asking; a lost answer is asked for again, and the second answer counts", async () => {
  const { holds, answers, clock, count } = desk();
  const held = holds.hold(subject, verdict);
  await clock.pass(3_000);
  expect(count("Consume")).toBe(1);
  answers.Consume = async () => {
    throw new ControlPlaneAway("no answer");
  };
  await clock.pass(3_000);
  expect(holds.size).toBe(1);
  answers.Consume = async () => ({
    granted: false,
    reason: "it has been used",
    approvedBy: [],
    status: ApprovalStatus.CONSUMED,
  });
  await clock.pass(3_000);
  // Used by nobody: it was let through, which nobody heard. It must not stand as if its command had run.
  expect(await held.ended).toMatchObject({
    ...{ kind: "refused", status: ApprovalStatus.WITHDRAWN, code: "approval_withdrawn" },
    reason: expect.stringContaining("the answer was lost"),
  });
  expect(count("Withdraw")).toBe(1);
});

test("it expires while its approval is being taken: the control plane hears that it does not run", async () => {
  const { holds, answers, clock, count } = desk();
  const held = holds.hold(subject, verdict);
  answers.Consume = async () => {
    throw new ControlPlaneAway("no answer");
  };
  await clock.pass(60_000);
  expect(await held.ended).toMatchObject({ status: ApprovalStatus.EXPIRED });
  expect(count("Withdraw")).toBe(1);
});

test("a withdrawal that nobody hears is said again, for as long as it is of use", async () => {
  const { holds, answers, clock, count } = desk();
  const away = async () => {
    throw new ControlPlaneAway("no answer");
  };
  answers.Withdraw = away;
  const [one, two] = [holds.hold(subject, verdict), holds.hold(subject, verdict)];
  await settle();
  one.withdraw("Ctrl-C");
  await clock.pass(7_000);
  expect(count("Withdraw")).toBe(3);
  answers.Withdraw = async () => ({});
  await clock.pass(3_000);
  expect(count("Withdraw")).toBe(4);
  answers.Withdraw = away;
  two.withdraw("Ctrl-C");
  await clock.pass(600_000);
  expect({ size: holds.size, timers: clock.waiting }).toEqual({ size: 0, timers: 0 });
});

test("let through, and its command does not leave: it is given back, for as long as that takes", async () => {
  const { holds, answers, clock, count, decided } = desk();
  const held = holds.hold(subject, verdict);
  await settle();
  answers.Consume = async () => ({ granted: true, reason: "", approvedBy: [dba], status: ApprovalStatus.CONSUMED });
  decided(held.approvalId, ApprovalStatus.APPROVED);
  expect(await held.ended).toMatchObject({ kind: "granted" });
  held.withdraw("too late for that");
  answers.Withdraw = async () => {
    throw new ControlPlaneAway("no answer");
  };
  held.giveBack("its session has ended");
  await clock.pass(600_000);
  answers.Withdraw = async () => ({});
  const before = count("Withdraw");
  await clock.pass(3_000);
  expect({ more: count("Withdraw") - before, timers: clock.waiting }).toEqual({ more: 1, timers: 0 });
});

test("withdrawn while its approval is being taken: it does not run", async () => {
  const { holds, answers, decided, count } = desk();
  const held = holds.hold(subject, verdict);
  await settle();
  let answer!: (value: unknown) => void;
  answers.Consume = () => new Promise((resolve) => (answer = resolve));
  decided(held.approvalId, ApprovalStatus.APPROVED);
  held.withdraw("Ctrl-C");
  answer({ granted: true, reason: "", approvedBy: [dba], status: ApprovalStatus.CONSUMED });
  expect(await held.ended).toMatchObject({ code: "approval_withdrawn", reason: "Ctrl-C" });
  expect(count("Withdraw")).toBe(1);
});

test("the policy changes: the approval is given back", async () => {
  const { holds, count } = desk();
  const held = holds.hold(subject, verdict);
  await settle();
  held.policyChanged();
  expect(await held.ended).toEqual({ kind: "policy-changed" });
  expect(count("Withdraw")).toBe(1);
});

test.each([
  [new ControlPlaneAway("x"), /control plane does not answer/],
  [new ControlPlaneRefused("invalid", "the quorum is too large"), /the quorum is too large/],
])("it cannot be asked for: %s", async (error, reason) => {
  const { holds, answers } = desk();
  answers.Hold = async () => {
    throw error;
  };
  const end = await holds.hold(subject, verdict).ended;
  expect(end).toMatchObject({ kind: "refused", code: "unavailable", reason: expect.stringMatching(reason) });
});

test("a withdrawal never overtakes its request", async () => {
  const { holds, answers, calls, clock } = desk();
  let answer = () => {};
  answers.Hold = () =>
    new Promise((resolve) => (answer = () => resolve({ expiresAt: timestampFromMs(clock.now() + 1) })));
  const held = holds.hold(subject, verdict);
  held.withdraw("Ctrl-C");
  await settle();
  expect(calls.map(({ method }) => method)).toEqual(["Hold"]);
  answer();
  expect(await held.asked).toBe(false);
  await settle();
  expect(calls.map(({ method }) => method)).toEqual(["Hold", "Withdraw"]);
});
