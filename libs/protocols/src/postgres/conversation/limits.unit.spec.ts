import type { CommandLimit } from "../../protocol.js";
import { DENIED, Driven } from "../conversation.fixture.js";
import { back, errorFields, front, taken, types } from "../wire.fixture.js";

const LIMIT: CommandLimit = { rows: 2, changes: true, header: false, refusal: DENIED };
const limited = (limit: Partial<CommandLimit> = {}) => {
  const driven = new Driven();
  driven.limit = { ...LIMIT, ...limit };
  return driven;
};
const sent = (bytes: Uint8Array) => taken(bytes).map(({ type, body }) => `${type} ${body.replaceAll("\0", "")}`.trim());
const errors = (bytes: Uint8Array) =>
  taken(bytes).flatMap(({ type, body }) => (type === "E" ? [errorFields(body).C] : []));
const failure = (code: string) => back.error({ S: "ERROR", V: "ERROR", C: code, M: "no" });

const UPDATE = front.query("update t");

describe("a write outside of a transaction", () => {
  test("is enclosed in one, which the client does not see", () => {
    const driven = limited();
    expect(sent(driven.client(UPDATE, front.query("next")))).toEqual(["Q BEGIN"]);
    driven.server(back.complete("BEGIN"));
    expect(types(driven.server(back.ready("T")))).toBe("");
    expect(sent(driven.upstream())).toEqual(["Q update t"]);
    expect(types(driven.server(back.complete("UPDATE 2"), back.ready("T")))).toBe("");
    expect(sent(driven.upstream())).toEqual(["Q COMMIT"]);
    const answer = driven.server(back.complete("COMMIT"), back.ready("I"));
    expect(sent(answer)).toEqual(["C UPDATE 2", "Z I"]);
    expect(driven.outcomes.get(1)).toMatchObject({ rows: 2, tag: "UPDATE 2", error: null });
    // What waited goes now, and its limit is its own.
    expect(sent(driven.upstream())).toEqual(["Q BEGIN"]);
  });

  test("past its limit it is rolled back", () => {
    const driven = limited();
    driven.client(UPDATE);
    driven.server(back.complete("BEGIN"), back.ready("T"));
    driven.upstream();
    expect(errors(driven.server(back.complete("UPDATE 3"), back.ready("T")))).toEqual(["42501"]);
    expect(sent(driven.upstream())).toEqual(["Q ROLLBACK"]);
    expect(types(driven.server(back.complete("ROLLBACK"), back.ready("I")))).toBe("Z");
    expect(driven.outcomes.get(1)).toMatchObject({ error: { code: "42501" } });
    expect(driven.conversation.transaction).toBe("idle");
  });

  test("a BEGIN that fails (a cancel met it) is the command's failure: it is not sent bare", () => {
    const driven = limited();
    driven.client(UPDATE);
    const answer = driven.server(failure("57014"), back.ready("I"));
    expect(types(answer)).toBe("EZ");
    expect(sent(driven.upstream())).toEqual([]);
    expect(driven.outcomes.get(1)).toMatchObject({ error: { code: "57014" } });
  });

  test("a COMMIT that fails is told instead of the completion", () => {
    const driven = limited();
    driven.client(UPDATE);
    driven.server(back.complete("BEGIN"), back.ready("T"), back.complete("UPDATE 1"), back.ready("T"));
    const answer = driven.server(failure("23505"), back.ready("I"));
    expect(types(answer)).toBe("EZ");
    expect(driven.outcomes.get(1)).toMatchObject({ error: { code: "23505" } });
  });

  test("a COMMIT that a cancel met is rolled back, and the client is not left in a transaction", () => {
    const driven = limited();
    driven.client(UPDATE);
    driven.server(back.complete("BEGIN"), back.ready("T"), back.complete("UPDATE 1"), back.ready("T"));
    driven.upstream();
    expect(types(driven.server(failure("57014"), back.ready("E")))).toBe("E");
    expect(sent(driven.upstream())).toEqual(["Q ROLLBACK"]);
    expect(sent(driven.server(back.complete("ROLLBACK"), back.ready("I")))).toEqual(["Z I"]);
  });

  test("nothing goes behind it, also where a portal before it stops half-way meanwhile", () => {
    const driven = limited();
    driven.limit = null;
    driven.client(front.parse("", "rows"), front.bind("", ""), front.execute("", 1));
    driven.server(back.parseComplete(), back.bindComplete());
    driven.limit = LIMIT;
    driven.client(UPDATE, front.query("commit"));
    driven.limit = null;
    driven.upstream();
    driven.server(back.row("1"), back.suspended());
    expect(sent(driven.upstream())).toEqual(["Q BEGIN"]);
    driven.server(back.complete("BEGIN"), back.ready("T"));
    expect(sent(driven.upstream())).toEqual(["Q update t"]);
  });

  test("in the midst of COPY data it ends the session, as any other does", () => {
    const driven = limited();
    driven.limit = null;
    driven.client(front.query("copy t from stdin"));
    driven.limit = LIMIT;
    driven.client(UPDATE);
    driven.server(back.copyIn(1));
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });

  test("COPY data waits for its command, which waits for its BEGIN", () => {
    const driven = limited();
    const data = [front.copyData("1\n"), front.copyDone()];
    expect(sent(driven.client(front.query("copy t from stdin"), ...data))).toEqual(["Q BEGIN"]);
    driven.server(back.complete("BEGIN"), back.ready("T"));
    expect(types(driven.upstream())).toBe("Qd");
    driven.server(back.copyIn(1));
    expect(types(driven.upstream())).toBe("c");
  });
});

describe("rows", () => {
  test("past the limit none is shown, the server is asked once to stop, and what it then says is replaced", () => {
    const driven = limited({ changes: false });
    expect(sent(driven.client(front.query("q")))).toEqual(["Q q"]);
    const rows = [1, 2, 3, 4].map(() => back.row("x"));
    expect(types(driven.server(back.columns({ name: "a" }), ...rows))).toBe("TDD");
    expect(driven.stops).toBe(1);
    expect(types(driven.server(back.row("x")))).toBe("");
    const answer = driven.server(failure("57014"), back.ready("I"));
    expect(errors(answer)).toEqual(["42501"]);
    expect(driven.outcomes.get(1)).toMatchObject({ rows: 2, error: { code: "42501" } });
  });

  test("a server that was done first: in the client's transaction, one more failure", () => {
    const driven = limited({ changes: false });
    driven.limit = null;
    driven.client(front.query("begin"));
    driven.server(back.complete("BEGIN"), back.ready("T"));
    driven.limit = { ...LIMIT, changes: false };
    driven.client(front.query("q"));
    const rows = [1, 2, 3].map(() => back.row("x"));
    driven.upstream();
    const answer = driven.server(back.columns({ name: "a" }), ...rows, back.complete("SELECT 3"), back.ready("T"));
    expect(types(answer)).toBe("TDDE");
    expect(sent(driven.upstream())).toEqual(["Q counterfoil: refused"]);
    expect(sent(driven.server(failure("42601"), back.ready("E")))).toEqual(["Z E"]);
    expect(driven.conversation.transaction).toBe("failed");
  });

  test("what waits behind a message that fails will not run, and that is told at once", () => {
    const driven = limited();
    driven.client(front.close("S", ""), UPDATE);
    expect(types(driven.server(failure("XX000")))).toBe("E");
    expect(driven.outcomes.get(1)).toMatchObject({ error: { code: "57014" } });
    expect(sent(driven.upstream())).not.toContain("Q update t");
  });

  test("in the extended protocol nothing goes behind it before its end", () => {
    const driven = limited();
    driven.client(front.parse("", "q"), front.bind("", ""), front.execute(""), front.parse("s", "x"), front.sync());
    driven.upstream();
    driven.server(back.parseComplete(), back.bindComplete());
    const answer = driven.server(back.complete("UPDATE 3"));
    expect(types(answer)).toBe("");
    const poisoned = sent(driven.upstream());
    expect(poisoned.at(0)).toMatch(/^P counterfoil_refused/);
    expect(poisoned.at(-1)).toBe("S");
    expect(poisoned).toHaveLength(2);
    expect(types(driven.server(failure("42601"), back.ready("I")))).toBe("EZ");
  });
});
