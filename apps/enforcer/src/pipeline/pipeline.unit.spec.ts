import { NOTHING_MASKED, type Verdict } from "#commands";
import { type Gate, protocols } from "#protocols";
import { front } from "../../../../libs/protocols/src/postgres/wire.fixture.js";
import type { Channel } from "../connection/channel.js";
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
