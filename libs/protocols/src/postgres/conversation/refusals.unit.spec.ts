import { NOTHING_MASKED } from "#commands";
import { DENIED, Driven, errors, POISON, ran, run } from "../conversation.fixture.js";
import { back, errorFields, front, taken, types } from "../wire.fixture.js";

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

  test("where every string has escapes, what holds a backslash cannot pass; nor what was asked before the server said so", () => {
    const driven = new Driven();
    driven.server(back.parameter("standard_conforming_strings", "off"));
    expect(taken(driven.client(front.query("SELECT '\\'")))[0]?.body).toMatch(POISON);
    expect(taken(driven.client(front.query("SELECT ''")))[0]?.body).toBe("SELECT ''\0");
    driven.server(back.parameter("standard_conforming_strings", "on"));
    driven.decide = () => null;
    driven.client(front.query("SELECT '\\'"));
    driven.server(back.parameter("standard_conforming_strings", "off"));
    driven.settle(NOTHING_MASKED);
    expect(taken(driven.upstream())[0]?.body).toMatch(POISON);
    expect(driven.outcomes.get(3)).toMatchObject({ error: { code: "42501" } });
  });
});
