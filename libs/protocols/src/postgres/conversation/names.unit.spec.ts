import { NOTHING_MASKED } from "#commands";
import { asked, DENIED, Driven, masking, POISON, rowsOf, run } from "../conversation.fixture.js";
import { back, front, taken, types } from "../wire.fixture.js";

describe("no way around by names", () => {
  const columns = back.columns({ name: "open" }, { name: "email" });

  test("a name that is being redefined is not used before the server has answered", () => {
    const driven = new Driven();
    driven.client(front.parse("s", "secret"), front.sync());
    driven.server(back.parseComplete(), back.ready());
    // The second Parse will fail, since the name is taken; then "s" would still be the first.
    expect(types(driven.client(front.parse("s", "harmless"), front.sync(), ...run("s"), front.sync()))).toBe("PS");
    driven.server(back.error({ V: "ERROR", C: "42P05" }), back.ready());
    expect(asked(driven).at(-1)).toBe("run secret");
    expect(types(driven.upstream())).toBe("BES");
  });

  test("within one segment a redefinition may be relied on: if it fails, the rest is skipped", () => {
    const driven = new Driven();
    expect(types(driven.client(front.parse("", "a"), ...run(""), front.parse("", "b"), ...run(""), front.sync()))).toBe(
      "PBEPBES",
    );
    expect(asked(driven)).toEqual(["prepare a", "run a", "prepare b", "run b"]);
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
    expect(asked(driven).at(-1)).toBe("run second");
  });

  test("a cursor made by SQL and run by Execute is asked about as what it is", () => {
    const driven = new Driven();
    driven.decide = () => masking("email");
    expect(types(driven.client(front.execute('c"1', 10), front.sync()))).toBe("DES");
    expect(asked(driven)).toEqual(['run FETCH FORWARD 10 FROM "c""1"']);
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
    expect(asked(driven).at(-1)).toBe('run FETCH ALL FROM "p"');
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
      if (prepared) driven.conversation.defineStatement(gate, prepared[1]!, { text: prepared[2]! });
      if (/^DEALLOCATE ALL/.test(gate.text)) driven.conversation.dropStatement(gate, null);
      return NOTHING_MASKED;
    };
    driven.client(front.query("PREPARE s AS secret"));
    driven.server(back.complete("PREPARE"), back.ready());
    expect(driven.conversation.prepared("s")?.text).toBe("secret");
    driven.client(front.query("PREPARE s AS harmless"));
    driven.server(back.error({ V: "ERROR", C: "42P05" }), back.ready());
    expect(driven.conversation.prepared("s")?.text).toBe("secret");
    // Nothing that names a statement is asked about while one is unsettled.
    expect(types(driven.client(front.query("DEALLOCATE ALL"), front.query("EXECUTE s")))).toBe("Q");
    driven.server(back.complete("DEALLOCATE ALL"), back.ready());
    expect(asked(driven).at(-1)).toBe("run EXECUTE s");
    expect(driven.conversation.prepared("s")?.text).toBeUndefined();
  });
});
