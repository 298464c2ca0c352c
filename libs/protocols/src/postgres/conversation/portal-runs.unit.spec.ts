import { DENIED, Driven, run } from "../conversation.fixture.js";
import { back, front, types } from "../wire.fixture.js";

const failure = back.error({ S: "ERROR", V: "ERROR", C: "XX000", M: "no" });

function inTransaction(): Driven {
  const driven = new Driven();
  driven.client(front.query("begin"));
  driven.server(back.complete("BEGIN"), back.ready("T"));
  return driven;
}

test("each part of an SQL cursor that Execute reads is a command, with an outcome", () => {
  const driven = inTransaction();
  driven.client(front.execute("c", 1), front.execute("c", 1), front.sync());
  driven.server(back.row("1"), back.suspended());
  driven.server(back.row("2"), back.suspended(), back.ready("T"));
  expect([2, 3].map((ordinal) => driven.outcomes.get(ordinal)?.rows)).toEqual([1, 1]);
  expect(driven.conversation.unfinished()).toEqual([]);
});

test("a portal that asks again under another policy does so when what it ran as before is known to its end", () => {
  const driven = inTransaction();
  driven.client(front.parse("", "rows"), front.bind("c", ""), front.execute("c", 1));
  driven.conversation.invalidate();
  driven.client(front.execute("c", 1));
  driven.server(back.parseComplete(), back.bindComplete(), back.row("1"), back.suspended());
  driven.server(back.row("2"), back.suspended());
  expect(driven.outcomes.get(2)).toMatchObject({ rows: 1 });
  expect(driven.conversation.unfinished()).toMatchObject([{ gate: { ordinal: 3 }, outcome: { rows: 1 } }]);
});

test("a portal whose Execute was skipped is another command where it is run after all", () => {
  const driven = inTransaction();
  driven.client(front.parse("", "rows"), front.bind("c", ""), front.execute("c", 1), front.sync());
  driven.server(back.parseComplete(), back.bindComplete(), back.row("1"), back.suspended(), back.ready("T"));
  driven.client(front.query("savepoint s"));
  driven.server(back.complete("SAVEPOINT"), back.ready("T"));
  driven.client(front.execute("c", 1), front.sync());
  driven.server(back.row("2"), back.suspended(), back.ready("T"));
  driven.client(front.parse("", "bad"), front.execute("c", 1), front.sync());
  driven.server(failure, back.ready("E"));
  expect(driven.outcomes.get(2)).toMatchObject({ rows: 2, error: { code: "57014" } });
  driven.client(front.query("rollback to s"));
  driven.server(back.complete("ROLLBACK"), back.ready("T"));
  driven.client(front.execute("c", 1), front.sync());
  expect(driven.gates.at(-1)).toMatchObject({ text: "rows", ordinal: 5 });
  driven.server(back.row("3"), back.complete("SELECT 1"), back.ready("T"));
  expect(driven.outcomes.get(5)).toMatchObject({ rows: 1, tag: "SELECT 1", error: null });
});

test("one that has gone past its limit can be run again, and the session goes on", () => {
  const driven = new Driven();
  driven.limit = { rows: 1, changes: false, header: false, refusal: DENIED };
  driven.client(front.parse("", "rows"), ...run(""), front.sync());
  driven.server(back.parseComplete(), back.bindComplete(), back.row("1"), back.row("2"), back.complete("SELECT 2"));
  driven.client(front.execute(""), front.sync());
  driven.server(failure, back.ready("I"));
  driven.server(failure);
  driven.server(back.ready("I"));
  expect(types(driven.client(front.query("next")))).toMatch(/Q$/);
});

test("one that is let through again and cannot be run in parts has an outcome", () => {
  const driven = new Driven();
  driven.limit = { rows: 1, changes: true, header: false, refusal: DENIED };
  driven.client(front.parse("", "update"), front.bind("", ""), front.flush());
  driven.server(back.parseComplete(), back.bindComplete());
  driven.conversation.invalidate();
  driven.client(front.execute("", 1), front.sync());
  expect(driven.outcomes.get(2)).toMatchObject({ tag: "", error: { code: "42501" } });
});
