import type { SessionEffect } from "#sql";
import { SessionNames } from "./session-names.js";

const path = (...names: string[]): SessionEffect => ({ kind: "searchPath", path: names, local: false });
const local = (...names: string[]): SessionEffect => ({ kind: "searchPath", path: names, local: true });

/** A session told in the order things happen. */
function session() {
  const names = new SessionNames();
  let ordinal = 0;
  return {
    names,
    /** Sends and gets the answer of one command, in a batch of its own. */
    run(effects: SessionEffect[], tag: string, transaction: "idle" | "active" | "failed", failed = false) {
      ordinal++;
      names.sent(ordinal, ordinal, effects);
      names.over(ordinal, tag, failed);
      names.settle(transaction);
    },
    get path() {
      return names.now.localPath ?? names.now.searchPath;
    },
  };
}

test("a setting lasts, and a failed one was never", () => {
  const it = session();
  it.run([path("a")], "SET", "idle");
  it.run([path("b")], "", "idle", true);
  expect(it.path).toEqual(["a"]);
});

test("what a transaction set goes with its ROLLBACK and stays with its COMMIT", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([path("a")], "SET", "active");
  expect(it.path).toEqual(["a"]);
  it.run([], "ROLLBACK", "idle");
  expect(it.path).toBeNull();
  it.run([], "BEGIN", "active");
  it.run([path("b")], "SET", "active");
  it.run([], "COMMIT", "idle");
  expect(it.path).toEqual(["b"]);
});

test("SET LOCAL ends with the transaction", () => {
  const it = session();
  it.run([path("a")], "SET", "idle");
  it.run([], "BEGIN", "active");
  it.run([local("b")], "SET", "active");
  expect(it.path).toEqual(["b"]);
  it.run([], "COMMIT", "idle");
  expect(it.path).toEqual(["a"]);
});

test("after a ROLLBACK TO nobody knows, until it is set again or the transaction is over", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([], "SAVEPOINT", "active");
  it.run([path("a")], "SET", "active");
  it.run([], "ROLLBACK", "active");
  expect(it.names.uncertain).toBe(true);
  it.run([path("b")], "SET", "active");
  expect({ uncertain: it.names.uncertain, path: it.path }).toEqual({ uncertain: false, path: ["b"] });
});

test("a ROLLBACK TO with nothing set before it leaves no doubt", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([], "SAVEPOINT", "active");
  it.run([], "", "failed", true);
  it.run([], "ROLLBACK", "active");
  expect(it.names.uncertain).toBe(false);
  it.run([path("a")], "SET", "active");
  it.run([], "COMMIT", "idle");
  expect(it.path).toEqual(["a"]);
});

test("what follows in the same batch goes on at once; a later batch waits for the answer", async () => {
  const names = new SessionNames();
  names.sent(1, 1, [path("a")]);
  expect(names.settled(1)).toBeUndefined();
  const waiting = names.settled(2);
  expect(waiting).toBeInstanceOf(Promise);
  let settled = false;
  waiting!.then(() => (settled = true));
  names.settle("idle");
  await Promise.resolve();
  expect(settled).toBe(false);
  names.over(1, "SET", false);
  names.settle("idle");
  await waiting;
  expect(names.settled(2)).toBeUndefined();
});

test("what changes no names delays nothing", () => {
  const names = new SessionNames();
  names.sent(1, 1, []);
  expect(names.settled(2)).toBeUndefined();
});

test("DISCARD ALL forgets everything", () => {
  const it = session();
  it.run([path("a"), { kind: "createsTemporary", name: "t" }], "SET", "idle");
  it.run([{ kind: "discards" }], "DISCARD ALL", "idle");
  expect(it.names.now).toMatchObject({ searchPath: null, temporary: [] });
});
