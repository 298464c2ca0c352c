import { type Hold, NOTHING_MASKED, type Verdict } from "#commands";
import { type Gate, protocols } from "#protocols";
import { SpoolFull, SpoolUnwritable } from "#spool";
import { front } from "../../../../libs/protocols/src/postgres/wire.fixture.js";
import type { Channel } from "../connection/channel.js";
import type { HeldCommand, HoldEnd } from "../holds/hold-desk.js";
import type { Understood } from "../semantics/semantics.js";
import { BusyPoll } from "./busy-poll.js";
import { Pipeline, type PipelineSession } from "./pipeline.js";
import { Turn } from "./turn.js";

const ALLOW: Verdict = { kind: "allow", masked: [], rowLimit: null, epoch: 1, uses: [], policies: [] };
const UNDERSTOOD: Understood = { operations: [], uses: [], statementCount: 1, fingerprint: "", problems: [] };

/** A session whose records the disk takes when `written` is called. */
function piped() {
  const gates: string[] = [];
  let written = () => {};
  const channel = { write() {}, flush() {}, reading() {}, clogged: false, bytesIn: 0 } as unknown as Channel;
  const session: Partial<PipelineSession> = {
    understand: () => UNDERSTOOD,
    decide: () => ALLOW,
    terms: () => ({ unlimitable: null, limit: null, plan: NOTHING_MASKED, labelsMasked: [], reads: true }),
    recordStarted: ({ stage, text }: Gate) => gates.push(`${stage} ${text}`),
    toDiskFirst: (_gate, _cleared, sequence) => sequence,
    durable: () => new Promise((done) => (written = done)),
    sent() {},
    end() {},
  };
  const conversation = protocols.get("postgres")!.conversation({ messageLimit: 1 << 20, parameters: new Map() });
  const pipeline = new Pipeline(conversation, channel, channel, session as PipelineSession, new Turn(new BusyPoll(0)));
  return { pipeline, gates, written: () => written() };
}

const settled = () => new Promise((done) => setImmediate(done));

test.each([
  ["asks again where the policy has changed while its record was written", true, 2],
  ["asks once where it has not", false, 1],
])("what is bound %s", async (_what, changes, times) => {
  const { pipeline, gates, written } = piped();
  pipeline.fromClient(Buffer.concat([front.parse("", "q"), front.bind("", ""), front.execute("")]));
  expect(gates).toEqual(["run q"]);
  if (changes) pipeline.policyChanged();
  written();
  await settled();
  expect(gates).toHaveLength(times);
});

const HOLD: Hold = { ...ALLOW, kind: "hold", approvers: "", quorum: 1, ttlSeconds: 60, reason: "" };

/** One command that waits for a person, who lets it through when `grant` is called; what the log and the approver see. */
function held(over: Partial<PipelineSession> = {}) {
  const said: string[] = [];
  const server: string[] = [];
  let grant = () => {};
  const channel = (out: string[]) =>
    ({
      write: () => out.push("written"),
      flush: () => out.push("left"),
      reading() {},
      clogged: false,
      bytesIn: 0,
    }) as unknown as Channel;
  const command: HeldCommand = {
    approvalId: "A",
    asked: Promise.resolve(true),
    ended: new Promise<HoldEnd>((done) => (grant = () => done({ kind: "granted", by: [] }))),
    withdraw() {},
    giveBack: () => said.push("given back"),
    policyChanged() {},
  };
  const session: Partial<PipelineSession> = {
    understand: () => UNDERSTOOD,
    refresh: async () => {},
    understandAgain: async () => UNDERSTOOD,
    decide: () => HOLD,
    terms: () => ({ unlimitable: null, limit: null, plan: NOTHING_MASKED, labelsMasked: [], reads: false }),
    unaskable: () => null,
    hold: () => command,
    recordHoldEnded: (_gate, _held, end) => said.push(`recorded: ${end.kind === "granted" ? "used" : "withdrawn"}`),
    recordStarted: () => said.push("started"),
    toDiskFirst: () => 0,
    durable: () => undefined,
    sent() {},
    end: () => pipeline.stop(false),
    ...over,
  };
  const conversation = protocols.get("postgres")!.conversation({ messageLimit: 1 << 20, parameters: new Map() });
  const pipeline = new Pipeline(
    conversation,
    channel([]),
    channel(server),
    session as PipelineSession,
    new Turn(new BusyPoll(0)),
  );
  pipeline.fromClient(front.query("drop table t"));
  return { pipeline, said, server, grant: () => grant() };
}
const unrecorded = (error: Error) => () => {
  throw error;
};

describe("what a person lets through", () => {
  test("is used once its command leaves, and stays so", async () => {
    const { pipeline, said, grant } = held();
    grant();
    await settled();
    await settled();
    expect(said).toEqual(["started", "recorded: used"]);
    pipeline.stop(false);
    expect(said).toHaveLength(2);
  });

  test("leaves with what the client's own end still sends", async () => {
    const { pipeline, said, grant } = held();
    grant();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect(said).toEqual(["started"]);
    pipeline.stop(true);
    expect(said).toEqual(["started", "recorded: used"]);
  });

  test.each<[string, Partial<PipelineSession>, number]>([
    ["in the very moment of the grant", {}, 0],
    ["while the disk takes its record", { toDiskFirst: () => 1, durable: () => new Promise(() => {}) }, 10],
    ["before the turn ends in which it would leave", {}, 10],
  ])("is given back where the session ends %s", async (_when, over, microtasks) => {
    const { pipeline, said, server, grant } = held(over);
    await settled();
    grant();
    for (let turn = 0; turn < microtasks; turn++) await Promise.resolve();
    server.length = 0;
    pipeline.stop(false);
    await settled();
    expect(said.filter((each) => each !== "started")).toEqual(["given back", "recorded: withdrawn"]);
    expect(server).not.toContain("left");
  });

  test.each<[string, Partial<PipelineSession>]>([
    ["has no room for its record", { recordStarted: unrecorded(new SpoolFull("folder", 1)) }],
    ["cannot be written", { durable: unrecorded(new SpoolUnwritable("folder", "write", new Error("no"))) }],
  ])("is given back where the spool %s", async (_what, over) => {
    const { said, server, grant } = held(over);
    await settled();
    server.length = 0;
    grant();
    await settled();
    await settled();
    expect(said.filter((each) => each !== "started")).toEqual(["given back", "recorded: withdrawn"]);
    expect(server).not.toContain("left");
  });
});
