import { NOTHING_MASKED } from "#commands";
import { Driven, masking } from "../conversation.fixture.js";
import { back, errorFields, front, taken, types } from "../wire.fixture.js";

const FAILED = back.error({ S: "ERROR", V: "ERROR", C: "22P02", M: "no number" });
const answered = (value: string) =>
  Buffer.concat([back.columns({ name: "email" }), back.row(value), back.complete("SELECT 1"), back.ready()]);
const shown = (bytes: Uint8Array) => taken(bytes).flatMap(({ type, body }) => (type === "D" ? [body.slice(6)] : []));

/** Only what reads the secret is masked, so that its answer taken for another's would show it. */
function copying(...behind: Uint8Array[]) {
  const driven = new Driven();
  driven.decide = ({ text }) => (text === "secret" ? masking("email") : NOTHING_MASKED);
  driven.client(front.parse("", "COPY t FROM STDIN"), front.bind("", ""), front.execute(""), ...behind);
  driven.server(back.parseComplete(), back.bindComplete(), back.copyIn(1));
  return driven;
}

describe("COPY in that fails before the server has read a Sync it would have ignored", () => {
  test.each([1, 2])("its ReadyForQuery ends nothing that comes behind the data: %d", (syncs) => {
    const driven = copying();
    driven.client(
      front.copyData("bad\n"),
      ...Array.from({ length: syncs }, front.sync),
      front.copyDone(),
      front.sync(),
    );
    const ready = Array.from({ length: syncs + 1 }, () => back.ready());
    expect(types(driven.server(FAILED, ready[0]!))).toBe("EZ");
    driven.client(front.query("secret"), front.query("open"), front.query("open"));
    const told = driven.server(...ready.slice(1), answered("one"), answered("two"), answered("three"));
    expect(types(told)).toBe(`${"Z".repeat(syncs)}${"TDCZ".repeat(3)}`);
    expect(shown(told)).toEqual(["<3>", "two", "three"].map((value) => expect.stringContaining(value)));
    expect(driven.faults).toEqual([]);
  });

  test("what is behind it waits until it is known how it went", () => {
    const driven = copying();
    driven.client(front.copyData("1\n"), front.sync(), front.copyDone());
    expect(types(driven.client(front.query("secret")))).not.toContain("Q");
    driven.server(back.complete("COPY 1"));
    expect(types(driven.upstream())).toBe("Q");
  });

  test("what was set in its batch is over with it", () => {
    const driven = copying();
    driven.client(front.copyData("bad\n"), front.sync());
    driven.server(FAILED, back.ready());
    const [batch] = driven.gates.map((gate) => gate.batch);
    expect(driven.conversation.answered).toBe(batch);
    driven.client(front.query("open"));
    expect(driven.gates.at(-1)!.batch).toBeGreaterThan(batch!);
  });

  test("a command sent behind it before that was known ends the session: it may run or be skipped", () => {
    const driven = copying(
      front.sync(),
      front.copyDone(),
      front.parse("", "open"),
      front.bind("", ""),
      front.execute(""),
    );
    const [error] = taken(driven.server(FAILED)).filter(({ type }) => type === "E");
    expect(errorFields(error!.body)).toMatchObject({ S: "FATAL", C: "08P01" });
    expect(driven.faults).toHaveLength(1);
  });
});

test("ReadyForQuery before a query's answer is out of turn", () => {
  const driven = new Driven();
  driven.client(front.query("secret"), front.query("open"));
  driven.server(back.ready());
  expect(driven.faults).toHaveLength(1);
});
