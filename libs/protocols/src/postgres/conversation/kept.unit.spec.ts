import { NOTHING_MASKED } from "#commands";
import { Driven, errors, HIDING } from "../conversation.fixture.js";
import { back, front, taken, types } from "../wire.fixture.js";

/** What a client may have a session keep, and what a server may have it believe. */

const LONG = "x".repeat(6000);
const kept = () => new Driven({ keptLimit: 10_000 });

describe("what has a name", () => {
  test("has room for so many statements, and again once they are closed; the unnamed always has", () => {
    const driven = kept();
    driven.client(front.parse("a", LONG), front.sync());
    driven.server(back.parseComplete(), back.ready());
    expect(errors(driven.server())).toEqual([]);
    driven.client(front.parse("b", LONG), front.sync());
    expect(
      errors(driven.server(back.error({ S: "ERROR", V: "ERROR", C: "42601", M: "poison" }), back.ready())),
    ).toEqual(["54000"]);
    expect(types(driven.client(front.close("S", "a"), front.parse("b", LONG), front.sync()))).toBe("CPS");
    driven.server(back.closeComplete(), back.parseComplete(), back.ready());
    expect(types(driven.client(front.parse("", LONG), front.sync()))).toBe("PS");
  });

  test("has room for so many portals, by their values", () => {
    const driven = kept();
    driven.client(front.parse("", "one"), front.sync());
    driven.server(back.parseComplete(), back.ready());
    const sent = driven.client(front.bind("a", "", [LONG]), front.bind("b", "", [LONG]), front.sync());
    expect(types(sent)).toBe("BPS");
  });

  test("and for so many that SQL prepares", () => {
    const driven = kept();
    driven.decide = (gate) => {
      driven.conversation.defineStatement(gate, gate.text.slice(0, 1), { text: gate.text });
      return NOTHING_MASKED;
    };
    driven.client(front.query(`a${LONG}`));
    driven.server(back.complete("PREPARE"), back.ready());
    driven.client(front.query(`b${LONG}`));
    const told = driven.server(back.error({ S: "ERROR", V: "ERROR", C: "42601", M: "poison" }), back.ready());
    expect(errors(told)).toEqual(["54000"]);
    expect(driven.outcomes.get(2)!.error).toMatchObject({ code: "54000" });
  });
});

test("what is large waits until what went before it is answered", () => {
  const driven = new Driven({ messageLimit: 2 << 20 });
  driven.client(front.parse("", "one"));
  const value = "x".repeat(1 << 20);
  const sent = driven.client(...Array.from({ length: 40 }, () => front.bind("", "", [value])), front.sync());
  expect(types(sent)).toBe(`${"B".repeat(16)}H`);
  const more = driven.server(back.parseComplete(), ...Array.from({ length: 16 }, () => back.bindComplete()));
  expect(types(more)).toBe(`1${"2".repeat(16)}`);
  expect(types(driven.upstream())).toBe(`${"B".repeat(16)}H`);
});

describe("a server that is none", () => {
  test("has no other status of a transaction than there are", () => {
    const driven = new Driven();
    driven.client(front.query("one"));
    driven.server(back.complete("SELECT 0"), Buffer.from("Z\0\0\0\x05X", "latin1"));
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });

  test.each([
    ["text", 0, back.copyData("HIDDEN\n")],
    ["binary", 1, back.copyData(Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]))],
  ])("shows nothing by COPY where none was foreseen: %s", (_name, format, data) => {
    for (const columns of [0, 1, 2]) {
      const driven = new Driven();
      driven.decide = () => ({ ...HIDING, bulk: [] });
      driven.client(front.query("secret"));
      const told = driven.server(back.copyOut(columns, format), data);
      expect(taken(told).some(({ body }) => body.includes("HIDDEN"))).toBe(false);
    }
  });

  test.each([
    ["asks for a password", back.authentication(3)],
    ["negotiates the version", back.negotiate(0x30000)],
    ["gives a key", back.key(1, 2)],
    ["describes in a run", back.parameters()],
    ["is ready before it has answered", back.ready()],
  ])("%s in a session, and ends it", (_name, message) => {
    const driven = new Driven();
    driven.client(front.query("one"));
    driven.server(message);
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
  });
});
