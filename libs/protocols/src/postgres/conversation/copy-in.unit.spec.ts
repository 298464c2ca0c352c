import { NOTHING_MASKED } from "#commands";
import { Driven, masking } from "../conversation.fixture.js";
import { back, front, taken, types } from "../wire.fixture.js";

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

  const behind = [front.parse("", "open"), front.bind("", ""), front.execute(""), front.sync()];
  const ran = [back.parseComplete(), back.bindComplete(), back.row("one"), back.complete("SELECT 1")];

  test.each([
    ["ignored among the data", 0, "Z"],
    ["answered, as it was read behind the failure", 1, "Z12DCZ"],
  ])("what was sent behind the Sync goes as the server goes, which is asked: %s", (_how, answered, expected) => {
    const driven = copying(front.sync(), front.copyDone(), ...behind);
    expect(types(driven.server(FAILED))).toBe("E");
    expect(types(driven.upstream())).toBe("SCH");
    const readies = Array.from({ length: answered + 1 }, () => back.ready());
    const told = driven.server(...readies, back.closeComplete());
    expect(types(driven.upstream())).toBe(answered ? "PBES" : "S");
    const more = driven.server(...(answered ? ran : []), back.ready());
    expect(types(Buffer.concat([told, more]))).toBe(expected);
    expect(driven.faults).toEqual([]);
    expect(driven.conversation.busy).toBe(false);
    expect(driven.gates.map(({ text }) => text)).toEqual([
      "COPY t FROM STDIN",
      "COPY t FROM STDIN",
      ...(answered ? ["open", "open"] : []),
    ]);
  });

  test("it is asked once, and nothing moves before it has told", () => {
    const driven = copying(front.sync(), front.copyDone(), ...behind);
    driven.server(FAILED);
    driven.upstream();
    expect(types(driven.client(front.query("open")))).toBe("");
    driven.server(back.ready());
    expect(types(driven.upstream())).toBe("");
  });

  test.each([
    ["says that it is done before it is ready", [back.closeComplete()]],
    ["fails at the question", [FAILED]],
    ["answers something else", [back.parseComplete()]],
  ])("a server that %s is no longer followed", (_how, answer) => {
    const driven = copying(front.sync(), front.copyDone(), ...behind);
    driven.server(FAILED);
    driven.server(...answer);
    expect(driven.faults).toHaveLength(1);
  });

  test("before any data, all of what was sent with it runs: had the server read on, it would have ended the session", () => {
    const driven = copying(front.sync(), front.sync(), ...behind);
    expect(types(driven.server(FAILED, back.ready(), back.ready()))).toBe("EZZ");
    expect(types(driven.upstream())).toBe("BES");
    expect(types(driven.server(...ran, back.ready()))).toBe("12DCZ");
    expect(driven.outcomes.get(2)).toMatchObject({ rows: 1, error: null });
    expect(driven.faults).toEqual([]);
  });

  test("behind data that the server may have read or not, it ends the session", () => {
    const driven = new Driven();
    driven.client(front.parse("", "COPY t FROM STDIN"), front.bind("", ""), front.execute(""));
    driven.client(front.sync(), front.copyData("bad\n"), ...behind);
    driven.server(back.parseComplete(), back.bindComplete(), back.copyIn(1), FAILED);
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
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
    driven.client(front.copyDone());
    driven.server(back.complete("COPY 0"), back.copyIn(1));
    driven.client(front.query("open"));
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });

  test("where that was sent already, the server ends it, unless it fails before", () => {
    const driven = both();
    driven.client(front.copyDone(), front.query("open"));
    driven.server(back.complete("COPY 0"), back.copyIn(1));
    expect(types(driven.client(front.query("open")))).not.toContain("Q");
    expect(types(driven.server(FAILED, back.ready(), answered("one")))).toBe("EZTDCZ");
    expect(types(driven.upstream())).toBe("Q");
    expect(driven.faults).toEqual([]);
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
