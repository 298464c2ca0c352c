import { NOTHING_MASKED } from "#commands";
import { Driven } from "../conversation.fixture.js";
import { back, front } from "../wire.fixture.js";

/** After a portal "c" and these statements in a transaction: whether it is still known for what was bound. */
function known(...statements: readonly (string | { readonly bind: true })[]): boolean {
  const driven = new Driven();
  const bound = [front.parse("", "rows"), front.bind("c", ""), front.sync()];
  const tags: Record<string, string> = { "rollback to s": "ROLLBACK", "rollback and chain": "ROLLBACK" };
  driven.client(front.query("begin"));
  driven.server(back.complete("BEGIN"), back.ready("T"));
  for (const statement of statements) {
    if (typeof statement !== "string") {
      driven.client(...bound);
      driven.server(back.parseComplete(), back.bindComplete(), back.ready("T"));
    } else {
      driven.client(front.query(statement));
      const parts = statement.split("; ").map((part) => back.complete(tags[part] ?? part.toUpperCase()));
      driven.server(...parts, back.ready("T"));
    }
  }
  driven.client(front.execute("c"), front.sync());
  return driven.gates.at(-1)!.text === "rows";
}
const bind = { bind: true } as const;

test.each([
  ["other commands", [bind, "insert 0 1", "create table", "savepoint", "release"]],
  ["a ROLLBACK TO, where it was there before the savepoint", [bind, "savepoint", "rollback to s", "rollback to s"]],
])("a portal outlives %s", (_what, statements) => expect(known(...statements)).toBe(true));

test.each([
  ["COMMIT", [bind, "commit; begin"]],
  ["ROLLBACK", [bind, "rollback; begin"]],
  ["ROLLBACK, also where it could be ROLLBACK TO", [bind, "savepoint", "rollback; begin"]],
  ["ROLLBACK AND CHAIN", [bind, "savepoint", "rollback and chain"]],
  ["ROLLBACK TO, bound behind the savepoint", ["savepoint", bind, "rollback to s"]],
  ["ROLLBACK TO, bound behind one that is released", ["savepoint", "savepoint", "release", bind, "rollback to s"]],
  ["PREPARE TRANSACTION", [bind, "prepare transaction; begin"]],
])("a portal ends with %s", (_what, statements) => expect(known(...statements)).toBe(false));

test("a portal ends with the transaction of its own that an utility takes", () => {
  const driven = new Driven();
  driven.client(front.parse("", "rows"), front.bind("c", ""), front.parse("", "vacuum"), front.bind("", ""));
  driven.client(front.execute(""), front.flush());
  const ran = [back.parseComplete(), back.bindComplete()];
  driven.server(...ran, ...ran, back.complete("VACUUM"));
  driven.client(front.execute("c"));
  expect(driven.gates.at(-1)!.text).toBe('FETCH ALL FROM "c"');
});

test("a portal that another of its name was to replace is not gone back to", () => {
  const driven = new Driven();
  driven.client(front.query("begin"));
  driven.server(back.complete("BEGIN"), back.ready("T"));
  driven.client(front.parse("", "rows"), front.bind("c", ""), front.sync());
  driven.server(back.parseComplete(), back.bindComplete(), back.ready("T"));
  driven.client(front.query("commit; begin"), front.bind("c", ""), front.sync());
  driven.server(back.complete("COMMIT"), back.complete("BEGIN"), back.ready("T"));
  driven.server(back.error({ S: "ERROR", V: "ERROR", C: "26000", M: "no" }), back.ready("E"));
  driven.client(front.execute("c"), front.sync());
  expect(driven.gates.at(-1)!.text).toBe('FETCH ALL FROM "c"');
});

describe("code that may replace portals", () => {
  /** A portal "c" in a transaction, and a session whose every other command runs such code. */
  function bound(): Driven {
    const driven = new Driven();
    driven.client(front.query("begin"));
    driven.server(back.complete("BEGIN"), back.ready("T"));
    driven.client(front.parse("", "rows"), front.bind("c", ""), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.ready("T"));
    driven.decide = (gate) => {
      if (gate.text !== "rows") driven.conversation.replacesPortals(gate);
      return NOTHING_MASKED;
    };
    return driven;
  }
  const asked = (driven: Driven) => {
    driven.client(front.execute("c"), front.sync());
    return driven.gates.at(-1)!.text;
  };

  test("leaves none known, once it has run", () => {
    const driven = bound();
    driven.client(front.query("f"));
    driven.server(back.complete("SELECT 1"), back.ready("T"));
    expect(asked(driven)).toBe('FETCH ALL FROM "c"');
  });

  test("leaves none known half-way through its rows", () => {
    const driven = bound();
    driven.client(front.parse("s", "f"), front.bind("s", "s"), front.execute("s", 1), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.row("x"), back.suspended(), back.ready("T"));
    expect(asked(driven)).toBe('FETCH ALL FROM "c"');
  });

  test("leaves none known when it is called by number", () => {
    const driven = bound();
    driven.client(front.call(1598, []));
    driven.server(back.call("x"), back.ready("T"));
    expect(asked(driven)).toBe('FETCH ALL FROM "c"');
  });

  test("leaves none known where it is only bound, as the server may run it as it plans", () => {
    const driven = bound();
    driven.client(front.parse("s", "f"), front.bind("s", "s"), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.ready("T"));
    expect(asked(driven)).toBe('FETCH ALL FROM "c"');
  });
});

describe("what a name is bound to is told", () => {
  const bound = (...behind: Uint8Array[]) => {
    const driven = new Driven();
    driven.client(front.query("begin"));
    driven.server(back.complete("BEGIN"), back.ready("T"));
    driven.client(front.parse("", "rows"), front.bind("c", ""), front.execute("c", 1), front.sync());
    driven.server(back.parseComplete(), back.bindComplete(), back.suspended(), back.ready("T"));
    driven.client(...behind);
    return driven;
  };
  const told = ({ conversation }: Driven) => conversation.bound("c")?.text;

  test("once all that runs is answered, whatever else is not", () => {
    expect(told(bound())).toBe("rows");
    expect(told(bound(front.parse("", "fetch 1 from c"), front.bind("f", "")))).toBe("rows");
    const driven = bound(front.query("anything"));
    expect(told(driven)).toBeUndefined();
    driven.server(back.complete("SELECT 1"), back.ready("T"));
    expect(told(driven)).toBe("rows");
  });

  test("and not where it is closed, or bound to something else that may fail", () => {
    expect(told(bound(front.close("P", "c")))).toBeUndefined();
    const anew = [front.close("P", "c"), front.parse("", "others"), front.bind("c", ""), front.sync()];
    const driven = bound(...anew);
    expect(told(driven)).toBeUndefined();
    driven.server(back.closeComplete(), back.parseComplete(), back.bindComplete(), back.ready("T"));
    expect(told(driven)).toBe("others");
  });

  test("nor when its transaction is over", () => {
    const driven = bound(front.query("commit"));
    driven.server(back.complete("COMMIT"), back.ready("I"));
    expect(told(driven)).toBeUndefined();
  });
});
