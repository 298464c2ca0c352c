import { NOTHING_MASKED } from "#commands";
import { maskBy } from "../../../../test/masks.js";
import { DENIED, Driven, masking } from "./conversation.fixture.js";
import { back, errorFields, front, message, taken, types, valuesOf } from "./wire.fixture.js";

const POISON = /counterfoil: refused/;
const texts = (driven: Driven) => driven.gates.map(({ stage, text }) => `${stage} ${text}`);
const rowsOf = (bytes: Uint8Array) =>
  taken(bytes)
    .filter(({ type }) => type === "D")
    .map(({ type, body }) =>
      valuesOf(Buffer.from(`${type}\0\0\0\0${body}`, "latin1")).map((value) => value?.toString() ?? null),
    );
const errors = (bytes: Uint8Array) =>
  taken(bytes)
    .filter(({ type }) => type === "E")
    .map(({ body }) => errorFields(body).C);

const run = (statement: string, portal = "") => [front.bind(portal, statement), front.execute(portal)];
const ran = (tag = "SELECT 0") => [back.bindComplete(), back.complete(tag)];

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
    expect(texts(driven)).toEqual(["prepare SELECT $1", "run SELECT $1"]);
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
    expect(driven.conversation.nextServer()).toMatchObject({ kind: "outcome", ordinal: 1 });
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
    expect(texts(driven)).toEqual(["prepare SELECT 1", "run SELECT 1"]);
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

describe("refusing", () => {
  const deny = (pattern: RegExp, stage?: "prepare" | "run") => {
    const driven = new Driven();
    driven.decide = (gate) => (pattern.test(gate.text) && (!stage || gate.stage === stage) ? DENIED : NOTHING_MASKED);
    return driven;
  };

  test("an idle session's query is answered at once", () => {
    const driven = deny(/drop/);
    expect(driven.client(front.query("drop table t"))).toHaveLength(0);
    const answer = taken(driven.downstream());
    expect(answer.map(({ type }) => type).join("")).toBe("EZ");
    expect(errorFields(answer[0]?.body ?? "")).toEqual({
      S: "ERROR",
      V: "ERROR",
      C: "42501",
      M: DENIED.message,
      H: "ask",
    });
    expect(answer[1]?.body).toBe("I");
  });

  test("what fails at the server too is refused in the server's own words", () => {
    const driven = new Driven();
    const native = { code: "42601", message: 'syntax error at or near "selct"', position: 1 };
    driven.decide = () => ({ code: "not_understood", message: native.message, native });
    driven.client(front.query("selct 1"));
    expect(errorFields(taken(driven.downstream())[0]?.body ?? "")).toEqual({
      S: "ERROR",
      V: "ERROR",
      C: "42601",
      M: native.message,
      P: "1",
    });
  });

  test("behind an unanswered query, and in a transaction, a poison keeps the order", () => {
    const driven = deny(/drop/);
    const sent = taken(driven.client(front.query("begin"), front.query("drop table t")));
    expect(sent.map(({ type }) => type).join("")).toBe("QQ");
    expect(sent[1]?.body).toMatch(POISON);
    const syntax = back.error({ S: "ERROR", V: "ERROR", C: "42601", M: "syntax error at or near counterfoil" });
    const seen = driven.server(back.complete("BEGIN"), back.ready("T"), syntax, back.ready("E"));
    expect(types(seen)).toBe("CZEZ");
    expect(errors(seen)).toEqual(["42501"]);
  });

  test("inside an implicit transaction of the extended protocol a poison aborts it", () => {
    const driven = deny(/drop/);
    driven.client(front.parse("", "insert"), ...run(""), front.flush());
    driven.server(back.parseComplete(), ...ran("INSERT 0 1"));
    expect(taken(driven.client(front.query("drop table t")))[0]?.body).toMatch(POISON);
  });

  test.each([
    ["prepare" as const, "PP"],
    ["run" as const, "PPP"],
  ])("in a pipeline, at %s: what follows is skipped to Sync", (stage, before) => {
    const driven = deny(/drop/, stage);
    const sent = taken(
      driven.client(
        front.parse("", "ok"),
        front.parse("d", "drop"),
        ...run("d"),
        ...run(""),
        front.sync(),
        front.query("next"),
      ),
    );
    expect(
      sent
        .map(({ type }) => type)
        .join("")
        .startsWith(before),
    ).toBe(true);
    expect(sent.filter(({ body }) => POISON.test(body))).toHaveLength(1);
    expect(sent.filter(({ type, body }) => type === "P" && body.includes("drop"))).toHaveLength(
      stage === "run" ? 1 : 0,
    );
    const ok = stage === "run" ? [back.parseComplete(), back.parseComplete()] : [back.parseComplete()];
    const seen = driven.server(...ok, back.error({ S: "ERROR", V: "ERROR", C: "42601" }), back.ready());
    expect(errors(seen)).toEqual(["42501"]);
    expect(types(driven.server(back.complete("X"), back.ready()))).toBe("CZ");
    expect(driven.faults).toEqual([]);
  });

  test("a statement nobody prepared is an error of the server's own kind and never reaches it", () => {
    const driven = new Driven();
    const sent = taken(driven.client(...run("ghost"), front.sync()));
    expect(sent.every(({ type }) => type !== "B")).toBe(true);
    expect(errors(driven.server(back.error({ V: "ERROR", C: "42601" }), back.ready()))).toEqual(["26000"]);
  });

  test("text that is not UTF-8 cannot pass, whatever is decided", () => {
    const driven = new Driven();
    expect(taken(driven.client(front.query(Buffer.from([0x53, 0xc3, 0x28]))))[0]?.body).toMatch(POISON);
    expect(driven.gates[0]?.refusal).toMatchObject({ code: "not_understood" });
  });

  test("in another client encoding only ASCII passes", () => {
    const driven = new Driven();
    driven.server(back.parameter("client_encoding", "SJIS"));
    expect(taken(driven.client(front.query("SELECT 'é'")))[0]?.body).toMatch(POISON);
    expect(taken(driven.client(front.query("SELECT 1")))[0]?.body).toBe("SELECT 1\0");
  });
});

describe("no way around", () => {
  const columns = back.columns({ name: "open" }, { name: "email" });

  test("a statement described once is masked at every run, in the formats of its Bind", () => {
    const driven = new Driven();
    driven.decide = () => masking("email");
    driven.client(front.parse("s", "q"), front.describe("S", "s"), front.sync());
    driven.server(back.parseComplete(), back.parameters(), columns, back.ready());
    for (const formats of [[], [1], [0, 1]]) {
      expect(types(driven.client(front.bind("", "s", [], formats), front.execute(""), front.sync()))).toBe("BES");
      const seen = driven.server(
        back.bindComplete(),
        back.row("a", "a@x"),
        back.row("b", null),
        back.complete("SELECT 2"),
        back.ready(),
      );
      expect(rowsOf(seen)).toEqual([
        ["a", "<3>"],
        ["b", null],
      ]);
    }
    expect(driven.outcomes.get(3)).toMatchObject({ rows: 2, valuesMasked: 1 });
  });

  test("a portal nobody described is described by the conversation, and the client does not see it", () => {
    const driven = new Driven();
    driven.decide = () => masking("email");
    expect(types(driven.client(front.parse("", "q"), ...run(""), front.sync()))).toBe("PBDES");
    const seen = driven.server(
      back.parseComplete(),
      back.bindComplete(),
      columns,
      back.row("a", "a@x"),
      back.complete("SELECT 1"),
      back.ready(),
    );
    expect(types(seen)).toBe("12DCZ");
    expect(rowsOf(seen)).toEqual([["a", "<3>"]]);
  });

  test("a row without a description, under a plan, ends the session instead of passing", () => {
    const driven = new Driven();
    driven.decide = () => masking("email");
    driven.client(front.query("q"));
    expect(types(driven.server(back.row("a", "a@x")))).toBe("E");
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });

  test("a plan that does not fit the description hides everything", () => {
    const driven = new Driven();
    driven.decide = () => ({ columns: () => [null], bulk: null, scrubTexts: false });
    driven.client(front.query("q"));
    expect(rowsOf(driven.server(columns, back.row("a", "b"), back.complete("SELECT 1"), back.ready()))).toEqual([
      [null, null],
    ]);
  });

  test("a mask that throws hides the value", () => {
    const driven = new Driven();
    const mask = maskBy(() => {
      throw new Error("x");
    });
    driven.decide = () => ({ columns: (described) => described.map(() => mask), bulk: null, scrubTexts: false });
    driven.client(front.query("q"));
    expect(rowsOf(driven.server(columns, back.row("a", "b"), back.complete("SELECT 1"), back.ready()))).toEqual([
      [null, null],
    ]);
  });

  test("a name that is being redefined is not used before the server has answered", () => {
    const driven = new Driven();
    driven.client(front.parse("s", "secret"), front.sync());
    driven.server(back.parseComplete(), back.ready());
    // The second Parse will fail, since the name is taken; then "s" would still be the first.
    expect(types(driven.client(front.parse("s", "harmless"), front.sync(), ...run("s"), front.sync()))).toBe("PS");
    driven.server(back.error({ V: "ERROR", C: "42P05" }), back.ready());
    expect(texts(driven).at(-1)).toBe("run secret");
    expect(types(driven.upstream())).toBe("BES");
  });

  test("within one segment a redefinition may be relied on: if it fails, the rest is skipped", () => {
    const driven = new Driven();
    expect(types(driven.client(front.parse("", "a"), ...run(""), front.parse("", "b"), ...run(""), front.sync()))).toBe(
      "PBEPBES",
    );
    expect(texts(driven)).toEqual(["prepare a", "run a", "prepare b", "run b"]);
  });

  test("names the server cuts to the same 63 bytes are the same", () => {
    const driven = new Driven();
    const long = "n".repeat(63);
    driven.client(
      front.parse(`${long}1`, "first"),
      front.close("S", `${long}2`),
      front.parse(`${long}3`, "second"),
      ...run(`${long}1`),
      front.sync(),
    );
    expect(texts(driven).at(-1)).toBe("run second");
  });

  test("a cursor made by SQL and run by Execute is asked about as what it is", () => {
    const driven = new Driven();
    driven.decide = () => masking("email");
    expect(types(driven.client(front.execute('c"1', 10), front.sync()))).toBe("DES");
    expect(texts(driven)).toEqual(['run FETCH FORWARD 10 FROM "c""1"']);
    expect(rowsOf(driven.server(columns, back.row("a", "a@x"), back.suspended(), back.ready("T")))).toEqual([
      ["a", "<3>"],
    ]);
  });

  test("a portal's name that SQL may have taken over meanwhile is not trusted", () => {
    const driven = new Driven();
    driven.client(front.parse("", "harmless"), front.bind("p", ""), front.execute("p", 1), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.row("1"), back.suspended(), back.ready("T"));
    expect(
      types(driven.client(front.query("CLOSE p; DECLARE p CURSOR FOR secret"), front.execute("p"), front.sync())),
    ).toBe("Q");
    driven.server(back.complete("CLOSE CURSOR"), back.complete("DECLARE CURSOR"), back.ready("T"));
    expect(texts(driven).at(-1)).toBe('run FETCH ALL FROM "p"');
  });

  test("a changed policy asks again before a bound portal goes on", () => {
    const driven = new Driven();
    driven.client(front.parse("", "q"), front.bind("p", ""), front.execute("p", 1), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.row("1"), back.suspended(), back.ready("T"));
    driven.conversation.invalidate();
    driven.decide = () => DENIED;
    expect(taken(driven.client(front.execute("p", 1), front.sync()))[0]?.body).toMatch(POISON);
    expect(driven.gates.at(-1)).toMatchObject({ ordinal: 2, text: "q" });
  });

  test("a statement bound, not run, and run after its segment is another command", () => {
    const driven = new Driven();
    driven.client(front.parse("", "q"), front.bind("p", ""), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.ready("T"));
    expect(driven.outcomes.get(1)).toMatchObject({ rows: 0, tag: "" });
    driven.client(front.execute("p"), front.sync());
    expect(driven.gates.at(-1)).toMatchObject({ stage: "run", ordinal: 2 });
  });

  test("SQL PREPARE and DEALLOCATE share the protocol's names, and count once the server has confirmed them", () => {
    const driven = new Driven();
    driven.decide = (gate) => {
      const prepared = /^PREPARE (\w+) AS (.*)$/.exec(gate.text);
      if (prepared) driven.conversation.defineStatement(gate, prepared[1] as string, prepared[2] as string);
      if (/^DEALLOCATE ALL/.test(gate.text)) driven.conversation.dropStatement(gate, null);
      return NOTHING_MASKED;
    };
    driven.client(front.query("PREPARE s AS secret"));
    driven.server(back.complete("PREPARE"), back.ready());
    expect(driven.conversation.statementText("s")).toBe("secret");
    driven.client(front.query("PREPARE s AS harmless"));
    driven.server(back.error({ V: "ERROR", C: "42P05" }), back.ready());
    expect(driven.conversation.statementText("s")).toBe("secret");
    // Nothing that names a statement is asked about while one is unsettled.
    expect(types(driven.client(front.query("DEALLOCATE ALL"), front.query("EXECUTE s")))).toBe("Q");
    driven.server(back.complete("DEALLOCATE ALL"), back.ready());
    expect(texts(driven).at(-1)).toBe("run EXECUTE s");
    expect(driven.conversation.statementText("s")).toBeUndefined();
  });

  test("a function call asks, and its result is masked", () => {
    const driven = new Driven();
    driven.decide = () => masking("");
    expect(types(driven.client(front.call(1598, ["x"])))).toBe("F");
    expect(driven.gates).toMatchObject([
      { stage: "run", functionOid: 1598, parameters: [{ kind: "text", value: "x" }] },
    ]);
    expect(taken(driven.server(back.call("a@x"), back.ready()))[0]).toEqual({ type: "V", body: "\0\0\0\x03<3>" });
  });
});

describe("texts", () => {
  const scrubbing = { ...masking("email"), scrubTexts: true };
  const seenOf = (fields: Record<string, string>) => {
    const driven = new Driven();
    driven.decide = () => scrubbing;
    driven.client(front.query("q"));
    return errorFields(
      taken(driven.server(back.error({ S: "ERROR", V: "ERROR", ...fields }), back.ready()))[0]?.body ?? "",
    );
  };

  test.each([
    ["a failed cast", { C: "22P02", M: 'invalid input syntax for type integer: "a@x"', W: "x" }],
    ["a duplicate", { C: "23505", M: "duplicate", D: "Key (email)=(a@x) already exists.", n: "u" }],
    ["a raised text", { C: "P0001", M: "a@x", W: "PL/pgSQL function f() line 1 at RAISE" }],
    ["a raised text in a server's class", { C: "57014", M: "a@x", W: "PL/pgSQL function" }],
    ["dynamic SQL in a function", { C: "42703", M: 'column "a@x" does not exist', q: "select a@x", p: "8" }],
    ["a name made of a value", { C: "42P01", M: 'relation "a@x" does not exist' }],
    ["a hint", { C: "22023", M: "invalid value", H: "a@x" }],
    ["a name with too many parts", { C: "0A000", M: 'cross-database references are not implemented: "x.y.a@x"' }],
    ["a sequence that is none", { C: "55000", M: 'currval of sequence "a@x" is not yet defined in this session' }],
    ["a file", { C: "42501", M: 'could not open file "a@x" for reading: Permission denied' }],
    ["a file that is none", { C: "58P01", M: 'could not stat file "a@x": No such file or directory' }],
    ["a setting", { C: "42501", M: 'permission denied to set parameter "a@x"' }],
    ["a cursor", { C: "34000", M: 'cursor "a@x" does not exist' }],
    ["a process", { C: "01000", M: "PID a@x is not a PostgreSQL backend process" }],
    ["a name a function makes up", { C: "23505", M: "x", n: "a@x", c: "a@x", t: "a@x", W: "PL/pgSQL function" }],
    ["a raised hint", { C: "42703", M: "column does not exist", P: "8", H: "a@x", W: "PL/pgSQL function" }],
  ])("%s quotes no value", (_what, fields) => {
    const seen = seenOf(fields);
    expect(JSON.stringify(seen)).not.toContain("a@x");
    expect(seen).toMatchObject({ S: "ERROR", C: fields.C });
  });

  test("what the server words from the statement itself stays, and so do names", () => {
    const misspelt = { S: "ERROR", V: "ERROR", C: "42703", M: 'column "emial" does not exist', H: "email?", P: "8" };
    expect(Object.entries(seenOf({ ...misspelt, D: "gone", F: "parse_relation.c", L: "1", R: "e" }))).toEqual(
      Object.entries({ ...misspelt, F: "parse_relation.c", L: "1", R: "e" }),
    );
    expect(seenOf({ C: "23505", M: "duplicate", t: "person", n: "person_email_key" })).toMatchObject({
      t: "person",
      n: "person_email_key",
    });
    expect(seenOf({ C: "23505", M: "duplicate", n: "person_email_key", W: "COPY person, line 1" })).toMatchObject({
      n: "person_email_key",
    });
  });

  test.each([
    ["57014", "canceling statement due to user request"],
    ["25P02", "current transaction is aborted, commands ignored until end of transaction block"],
    ["42501", "permission denied for table payroll"],
    ["00000", 'table "nothing" does not exist, skipping'],
  ])("what the server says of itself stays: %s %s", (C, M) => {
    expect(seenOf({ C, M })).toMatchObject({ M });
  });

  test("a constraint that speaks only at the commit is scrubbed too, and the next transaction is not", () => {
    const driven = new Driven();
    driven.decide = (gate) => (gate.text === "insert" ? scrubbing : NOTHING_MASKED);
    const failed = back.error({ S: "ERROR", V: "ERROR", C: "23505", M: "duplicate", D: "Key (email)=(a@x)" });
    driven.client(front.query("begin"), front.query("insert"));
    driven.server(back.complete("BEGIN"), back.ready("T"), back.complete("INSERT 0 1"), back.ready("T"));
    driven.client(front.query("commit"), front.query("select"));
    expect(driven.server(failed, back.ready("I")).includes("a@x")).toBe(false);
    expect(driven.server(failed, back.ready("I")).includes("a@x")).toBe(true);
  });

  test("notifications lose their payload where the resource has labels", () => {
    const driven = new Driven({ scrubNotifications: true });
    expect(taken(driven.server(back.notification("jobs", "a@x")))[0]?.body).toBe("\0\0\0\x07jobs\0\0");
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
  expect(driven.conversation.unfinished()).toMatchObject([{ ordinal: 1, outcome: { rows: 2 } }]);
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
