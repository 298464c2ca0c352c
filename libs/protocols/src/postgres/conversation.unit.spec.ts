import { NOTHING_MASKED } from "#commands";
import { asked, DENIED, Driven, run } from "./conversation.fixture.js";
import { back, errorFields, front, message, taken, types } from "./wire.fixture.js";

describe("passing on", () => {
  test("a simple query: one gate, its bytes as they are, one outcome", () => {
    const driven = new Driven();
    const query = front.query("SELECT 1; SELECT 2");
    expect(driven.client(query)).toEqual(query);
    expect(driven.gates).toMatchObject([{ stage: "run", ordinal: 1, several: true, text: "SELECT 1; SELECT 2" }]);
    expect(driven.conversation.busy).toBe(true);
    const answer = Buffer.concat([
      back.columns({ name: "a" }),
      back.row("1"),
      back.complete("SELECT 1"),
      back.columns({ name: "a" }),
      back.row("2"),
      back.row("3"),
      back.complete("SELECT 2"),
      back.ready(),
    ]);
    expect(driven.server(answer)).toEqual(answer);
    expect(driven.outcomes.get(1)).toMatchObject({ rows: 3, tag: "SELECT 1; SELECT 2", valuesMasked: 0, error: null });
    expect(driven.conversation.busy).toBe(false);
  });

  test("a pipeline leaves in order, and unmasked answers leave in one piece", () => {
    const driven = new Driven();
    const bytes = Buffer.concat([
      front.parse("s", "SELECT $1"),
      front.describe("S", "s"),
      front.bind("", "s", ["x"]),
      front.execute(""),
      front.sync(),
    ]);
    expect(driven.client(bytes)).toEqual(bytes);
    expect(asked(driven)).toEqual(["prepare SELECT $1", "run SELECT $1"]);
    const answer = Buffer.concat([
      back.parseComplete(),
      back.parameters(),
      back.columns({ name: "a" }),
      back.bindComplete(),
      back.row("x"),
      back.complete("SELECT 1"),
      back.ready(),
    ]);
    driven.conversation.pushServer(answer);
    expect(driven.conversation.nextServer()).toEqual({ kind: "forward", bytes: answer });
    expect(driven.conversation.nextServer()).toMatchObject({ kind: "outcome", gate: { ordinal: 1 } });
    expect(driven.conversation.nextServer()).toBeNull();
  });

  test("a portal read in parts is one command", () => {
    const driven = new Driven();
    driven.client(front.parse("", "SELECT 1"), front.bind("p", ""), front.execute("p", 1), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.row("1"), back.suspended(), back.ready("T"));
    expect(driven.outcomes.size).toBe(0);
    driven.client(front.execute("p", 1), front.sync());
    driven.server(back.row("2"), back.complete("SELECT 1"), back.ready("T"));
    expect(driven.outcomes.get(1)).toMatchObject({ rows: 2 });
    expect(asked(driven)).toEqual(["prepare SELECT 1", "run SELECT 1"]);
  });

  test("COPY in: data passes in pieces of any size; Syncs the server ignores are not waited for", () => {
    const driven = new Driven({ messageLimit: 100 });
    driven.client(front.parse("", "COPY t FROM STDIN"), ...run(""), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.copyIn(1));
    const data = front.copyData("x".repeat(5000));
    expect(driven.client(data.subarray(0, 300))).toHaveLength(300);
    expect(driven.client(data.subarray(300))).toHaveLength(data.length - 300);
    driven.client(front.sync(), front.copyDone(), front.sync());
    driven.server(back.complete("COPY 1"), back.ready());
    expect(driven.conversation.busy).toBe(false);
    expect(driven.outcomes.get(1)).toMatchObject({ rows: 1, tag: "COPY 1" });
  });

  test("COPY in both directions is no part of a session", () => {
    const driven = new Driven();
    driven.client(front.query("START_REPLICATION 0/0"));
    const told = driven.server(message("W", Buffer.from([0, 0, 0])));
    expect(driven.faults).toEqual([expect.objectContaining({ code: "unsupported" })]);
    expect(errorFields(taken(told).at(-1)?.body ?? "")).toMatchObject({ S: "FATAL", C: "0A000" });
  });

  describe("what is larger than may be looked at", () => {
    const big = "x".repeat(5000);
    const limited = () => {
      const driven = new Driven({ messageLimit: 100 });
      driven.decide = ({ refusal }) => refusal ?? NOTHING_MASKED;
      return driven;
    };
    const pieces = (data: Buffer) => Array.from({ length: 11 }, (_, n) => data.subarray(n * 500, (n + 1) * 500));

    test.each([
      ["Query", front.query(big), "run"],
      ["FunctionCall", front.call(1, [big]), "run"],
    ])("%s is refused, falls as it comes, and the session goes on", (_what, data, stage) => {
      const driven = limited();
      expect(driven.client(...pieces(data))).toHaveLength(0);
      expect(driven.gates).toMatchObject([{ stage, text: "", refusal: { code: "too_large" } }]);
      const told = driven.downstream();
      expect(types(told)).toBe("EZ");
      expect(errorFields(taken(told)[0]?.body ?? "")).toMatchObject({ S: "ERROR", C: "54000" });
      expect(driven.client(front.query("SELECT 1"))).toEqual(front.query("SELECT 1"));
    });

    test.each([
      ["Parse", [front.parse("s", big)], "prepare"],
      ["Bind", [front.parse("s", "SELECT $1"), front.bind("", "s", [big])], "run"],
    ])("%s takes its batch with it, and the session goes on", (_what, messages, stage) => {
      const driven = limited();
      const sent = driven.client(...pieces(Buffer.concat(messages)), front.execute(""), front.sync());
      expect(types(sent)).toMatch(/^P?PS$/);
      expect(driven.gates.at(-1)).toMatchObject({ stage, refusal: { code: "too_large" } });
      const before = messages.length > 1 ? [back.parseComplete()] : [];
      const told = driven.server(...before, back.error({ S: "ERROR", C: "42601", M: "no SQL" }), back.ready());
      const error = taken(told).find(({ type }) => type === "E");
      expect(errorFields(error?.body ?? "")).toMatchObject({ S: "ERROR", C: "54000" });
      expect(driven.client(front.query("SELECT 1"))).toEqual(front.query("SELECT 1"));
    });
  });

  test("notices, parameters and notifications come at any time", () => {
    const driven = new Driven();
    const bytes = Buffer.concat([
      back.notice({ S: "NOTICE", M: "hi" }),
      back.parameter("TimeZone", "UTC"),
      back.notification("c", "x"),
    ]);
    expect(driven.server(bytes)).toEqual(bytes);
  });

  test("Terminate ends it", () => {
    const driven = new Driven();
    expect(driven.client(front.terminate(), front.query("SELECT 1"))).toEqual(front.terminate());
    expect(driven.ended).toBe(true);
    expect(driven.gates).toEqual([]);
  });
});

describe("holding", () => {
  test("nothing behind a held command passes, and answers still do", () => {
    const driven = new Driven();
    driven.decide = (gate) => (gate.text === "held" ? null : NOTHING_MASKED);
    expect(
      types(driven.client(front.query("first"), front.query("held"), front.query("last"), front.terminate())),
    ).toBe("Q");
    expect(types(driven.server(back.complete("X"), back.ready()))).toBe("CZ");
    expect(driven.upstream()).toHaveLength(0);
    driven.settle(NOTHING_MASKED);
    expect(types(driven.upstream())).toBe("QQX");
  });

  test("a command let through after what came before it has failed is not sent, and said to be so", () => {
    const driven = new Driven();
    driven.decide = (gate) => (gate.text === "held" && gate.stage === "run" ? null : NOTHING_MASKED);
    driven.client(front.parse("a", "bad"), ...run("a"), front.parse("b", "held"), ...run("b"), front.flush());
    driven.server(back.parseComplete(), back.error({ S: "ERROR", V: "ERROR", C: "22012", M: "division by zero" }));
    driven.settle(NOTHING_MASKED);
    expect(driven.upstream()).toHaveLength(0);
    expect(types(driven.client(front.sync()))).toBe("S");
    driven.server(back.ready());
    expect(driven.outcomes.get(2)?.error).toMatchObject({ code: "57014" });
  });
});

describe("what breaks the protocol ends the session", () => {
  test.each([
    ["an unknown message", Buffer.from([0x7a, 0, 0, 0, 4]), "08P01"],
    ["a password after the login", Buffer.from([0x70, 0, 0, 0, 4]), "08P01"],
    ["a length that cannot be", Buffer.from([0x51, 0xff, 0xff, 0xff, 0xff]), "08P01"],
    ["a name too large to be read whole", Buffer.from([0x44, 0x10, 0, 0, 0]), "54000"],
  ])("%s", (_what, bytes, code) => {
    const driven = new Driven();
    expect(driven.client(bytes, front.query("SELECT 1"))).toHaveLength(0);
    const [error] = taken(driven.downstream());
    expect(errorFields(error?.body ?? "")).toMatchObject({ S: "FATAL", C: code });
    expect(driven.gates).toEqual([]);
  });

  test.each([
    ["a row out of the blue", back.row("x")],
    ["authentication", back.authentication(0)],
    ["COPY in both directions", Buffer.from([0x57, 0, 0, 0, 7, 0, 0, 0])],
    ["a completion out of turn", back.parseComplete()],
  ])("of the server: %s", (_what, bytes) => {
    const driven = new Driven();
    expect(types(driven.server(bytes))).toBe("E");
    expect(driven.faults).toHaveLength(1);
  });

  test("a message that has no place in COPY data", () => {
    const driven = new Driven();
    driven.client(front.query("COPY t FROM STDIN"));
    driven.server(back.copyIn(1));
    driven.client(front.query("SELECT 1"));
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });
});

test("what a lost connection leaves is known", () => {
  const driven = new Driven();
  driven.client(front.query("a"));
  driven.server(back.columns({ name: "x" }), back.row("1"), back.row("2"));
  expect(driven.conversation.unfinished()).toMatchObject([{ gate: { ordinal: 1 }, outcome: { rows: 2 } }]);
});

test("of several on their way, those that are left are known, oldest first", () => {
  const driven = new Driven();
  driven.client(...["a", "b", "c", "d"].map((text) => front.query(text)));
  driven.server(back.complete("SELECT 0"), back.ready());
  expect(driven.conversation.unfinished().map(({ gate }) => gate.text)).toEqual(["b", "c", "d"]);
  driven.client(front.query("e"));
  driven.server(back.complete("SELECT 0"), back.ready());
  expect(driven.conversation.unfinished().map(({ gate }) => gate.text)).toEqual(["c", "d", "e"]);
});

describe("between the server's messages", () => {
  const notices = (bytes: Uint8Array) =>
    taken(bytes)
      .map(({ type }) => type)
      .join("");

  test("a notice waits for the message that is passing; a goodbye is left out", () => {
    const driven = new Driven();
    driven.client(front.query("SELECT 1"));
    const row = back.row("x".repeat(100));
    let told = driven.server(back.columns({ name: "a" }), row.subarray(0, 40));
    expect(driven.conversation.notice("held", "", "").length).toBe(0);
    expect(driven.conversation.goodbye(DENIED).length).toBe(0);
    told = Buffer.concat([told, driven.server(row.subarray(40, 60)), driven.server(row.subarray(60))]);
    expect(notices(told)).toBe("TDN");
    expect(notices(driven.conversation.notice("at once", "", ""))).toBe("N");
    expect(notices(driven.conversation.goodbye(DENIED))).toBe("E");
  });
});

test("messages sent without end and without reading wait outside, not in the session", () => {
  const driven = new Driven();
  const many = Buffer.concat(Array.from({ length: 1000 }, () => front.describe("S", "x")));
  let sent = 0;
  for (let round = 0; round < 30; round++) sent += types(driven.client(many)).replaceAll("H", "").length;
  expect(sent).toBeLessThanOrEqual(10_000);
});
