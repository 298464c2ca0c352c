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
    const errors = taken(driven.server(FAILED)).filter(({ type }) => type === "E");
    expect(errors.map(({ body }) => errorFields(body).C)).toEqual(["22P02", "08P01"]);
    expect(driven.faults).toHaveLength(1);
  });
});

describe("Syncs sent with the command, before the server reads the data", () => {
  test("it ignores those behind a simple query, too", () => {
    const driven = new Driven();
    driven.client(
      front.query("COPY t FROM STDIN"),
      front.sync(),
      front.sync(),
      front.copyData("1\n"),
      front.copyDone(),
    );
    driven.server(back.copyIn(1), back.complete("COPY 1"), back.ready());
    expect(driven.conversation.busy).toBe(false);
    driven.client(front.query("open"));
    expect(types(driven.server(answered("one")))).toBe("TDCZ");
    expect(driven.faults).toEqual([]);
  });

  test("they end no batch, and so the answers before them are asked for", () => {
    const driven = copying(front.sync());
    expect(types(driven.client(front.copyDone(), front.parse("", "open")))).toBe("cH");
    driven.server(back.complete("COPY 0"));
    expect(types(driven.upstream())).toBe("P");
    expect(new Set(driven.gates.map((gate) => gate.batch)).size).toBe(1);
  });

  test("what is behind the data's end waits until it is known whether there is any", () => {
    const driven = new Driven();
    const sent = driven.client(
      ...[front.parse("", "any"), front.bind("", ""), front.execute(""), front.sync()],
      ...[front.copyDone(), front.query("open")],
    );
    expect(types(sent)).toBe("PBEScH");
    driven.server(back.parseComplete(), back.bindComplete(), back.complete("SELECT 0"), back.ready());
    expect(types(driven.upstream())).toBe("Q");
  });
});

describe("two COPYs in one query", () => {
  const both = () => {
    const driven = new Driven();
    driven.client(front.query("COPY t FROM STDIN; COPY t FROM STDIN"));
    driven.server(back.copyIn(1));
    return driven;
  };

  test("the end of the first is not that of the second: what has no place in its data ends the session", () => {
    const driven = both();
    driven.client(front.copyDone(), front.query("open"));
    driven.server(back.complete("COPY 0"), back.copyIn(1));
    driven.client(front.query("open"));
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });

  test("nor does the session hang where that is asked about, and waits for its answer", () => {
    const driven = both();
    driven.decide = () => null;
    driven.client(front.copyDone(), front.query("open"));
    driven.server(back.complete("COPY 0"), back.copyIn(1));
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });

  test("each reads to its own end, also where both were sent already, and a Sync between them", () => {
    const driven = both();
    driven.client(front.copyDone(), front.sync(), front.copyData("1\n"), front.copyDone());
    driven.server(back.complete("COPY 0"), back.copyIn(1), back.complete("COPY 1"), back.ready());
    expect(driven.conversation.busy).toBe(false);
    driven.client(front.query("open"));
    expect(types(driven.server(answered("one")))).toBe("TDCZ");
    expect(driven.faults).toEqual([]);
  });
});

test("ReadyForQuery before a query's answer is out of turn", () => {
  const driven = new Driven();
  driven.client(front.query("secret"), front.query("open"));
  driven.server(back.ready());
  expect(driven.faults).toHaveLength(1);
});
