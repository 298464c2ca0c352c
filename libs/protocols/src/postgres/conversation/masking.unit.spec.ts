import { maskBy } from "../../../../../test/masks.js";
import { Driven, masking, rowsOf, run } from "../conversation.fixture.js";
import { back, front, taken, types } from "../wire.fixture.js";

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
