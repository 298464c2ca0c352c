import type { SessionEffect } from "#sql";
import { SessionNames } from "./session-names.js";

const path = (...names: string[]): SessionEffect => ({ kind: "searchPath", path: names, local: false });
const local = (...names: string[]): SessionEffect => ({ kind: "searchPath", path: names, local: true });

const ends: SessionEffect = { kind: "endsTransaction" };
type Transaction = "idle" | "active" | "failed";

/** A session told in the order things happen. */
function session() {
  const state = { answered: 0, transaction: "idle" as Transaction };
  const names = new SessionNames(() => state);
  let ordinal = 0;
  let last = 0;
  const it = {
    names,
    state,
    send(effects: SessionEffect[], batch = ordinal + 1) {
      last = batch;
      ordinal++;
      names.sent(batch, effects);
      return batch;
    },
    /** The batch is answered to its end. */
    done(transaction: Transaction) {
      Object.assign(state, { answered: last, transaction });
      names.answered();
      expect(names.settled(1_000)).toBeUndefined();
    },
    /** Sends and gets the answer of one command, in a batch of its own. */
    run(effects: SessionEffect[], tag: string, transaction: Transaction, failed = false) {
      names.over(it.send(effects), tag, failed);
      it.done(transaction);
    },
    get path() {
      return names.now.localPath ?? names.now.searchPath;
    },
  };
  return it;
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
  it.run([ends], "ROLLBACK", "idle");
  expect(it.path).toBeNull();
  it.run([], "BEGIN", "active");
  it.run([path("b")], "SET", "active");
  it.run([ends], "COMMIT", "idle");
  expect(it.path).toEqual(["b"]);
});

test("SET LOCAL ends with the transaction", () => {
  const it = session();
  it.run([path("a")], "SET", "idle");
  it.run([], "BEGIN", "active");
  it.run([local("b")], "SET", "active");
  expect(it.path).toEqual(["b"]);
  it.run([ends], "COMMIT", "idle");
  expect(it.path).toEqual(["a"]);
});

test("after a ROLLBACK TO nobody knows, until it is set again or the transaction is over", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([], "SAVEPOINT", "active");
  it.run([path("a")], "SET", "active");
  it.run([ends], "ROLLBACK", "active");
  expect(it.names.uncertain).toBe(true);
  it.run([path("b")], "SET", "active");
  expect({ uncertain: it.names.uncertain, path: it.path }).toEqual({ uncertain: false, path: ["b"] });
});

test("a ROLLBACK TO with nothing set before it leaves no doubt", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([], "SAVEPOINT", "active");
  it.run([], "", "failed", true);
  it.run([ends], "ROLLBACK", "active");
  expect(it.names.uncertain).toBe(false);
  it.run([path("a")], "SET", "active");
  it.run([ends], "COMMIT", "idle");
  expect(it.path).toEqual(["a"]);
});

test("what follows in the same batch goes on at once; a later batch waits for the whole answer", async () => {
  const it = session();
  const ordinal = it.send([path("a")], 1);
  expect(it.names.settled(1)).toBeUndefined();
  const waiting = it.names.settled(2);
  expect(waiting).toBeInstanceOf(Promise);
  let settled = false;
  waiting!.then(() => (settled = true));
  it.names.over(ordinal, "SET", false);
  it.names.answered();
  await Promise.resolve();
  expect(settled).toBe(false);
  it.state.answered = 1;
  it.names.answered();
  await waiting;
  expect(it.names.settled(2)).toBeUndefined();
});

test("what changes no names delays nothing", () => {
  const it = session();
  it.send([], 1);
  expect(it.names.settled(2)).toBeUndefined();
});

test("a failure before it takes nothing of it back, one behind it in its batch does", () => {
  const it = session();
  it.run([], "", "idle", true);
  it.run([path("a")], "SET", "idle");
  expect(it.path).toEqual(["a"]);
  const first = it.send([path("b")], 10);
  it.names.over(first, "SET", false);
  it.names.refused(10);
  it.done("idle");
  expect(it.path).toEqual(["a"]);
});

test.each([
  ["ROLLBACK; SET", "idle", false],
  ["BEGIN; SET; COMMIT", "idle", true],
  ["BEGIN; SET; COMMIT; BEGIN", "active", false],
] as const)("changed and ended in one text, %s: nobody knows", (tag, transaction, failed) => {
  const it = session();
  it.run(
    [ends, path("a"), { kind: "declares", cursor: "c", outputs: [], operations: [], hold: false }],
    tag,
    transaction,
    failed,
  );
  expect({ uncertain: it.names.uncertain, cursors: it.names.now.cursors.size }).toEqual({
    uncertain: true,
    cursors: 0,
  });
});

test("changed and ended in one text that all succeeded: known", () => {
  const it = session();
  it.run([path("a"), local("b"), ends], "BEGIN; SET; SET; COMMIT", "idle");
  expect({ uncertain: it.names.uncertain, path: it.path }).toEqual({ uncertain: false, path: ["a"] });
});

test("changed and rolled back in one text: as before", () => {
  const it = session();
  it.run([path("a")], "SET", "idle");
  it.run([path("b"), ends], "BEGIN; SET; ROLLBACK", "idle");
  expect({ uncertain: it.names.uncertain, path: it.path }).toEqual({ uncertain: false, path: ["a"] });
});

test("behind the end of a transaction that changed names, the rest of the batch is in doubt", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([path("a")], "SET", "active");
  const ordinal = it.send([ends], 7);
  expect(it.names.uncertain).toBe(true);
  it.names.over(ordinal, "ROLLBACK", false);
  it.done("idle");
  expect({ uncertain: it.names.uncertain, path: it.path }).toEqual({ uncertain: false, path: null });
});

test("uncertain names become certain with the ROLLBACK of the whole", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([path("a")], "SET", "active");
  it.run([ends], "ROLLBACK", "active");
  expect(it.names.uncertain).toBe(true);
  it.run([ends], "ROLLBACK", "idle");
  expect({ uncertain: it.names.uncertain, path: it.path }).toEqual({ uncertain: false, path: null });
});

test.each([
  [true, 1],
  [false, 0],
])("a cursor WITH HOLD (%s) outlives its transaction", (hold, left) => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([{ kind: "declares", cursor: "c", outputs: [], operations: [], hold }], "DECLARE CURSOR", "active");
  it.run([ends], "COMMIT", "idle");
  expect(it.names.now.cursors.size).toBe(left);
});

test("a cursor of an implicit transaction is gone with its batch", () => {
  const it = session();
  it.run([{ kind: "declares", cursor: "c", outputs: [], operations: [], hold: false }], "DECLARE CURSOR", "idle");
  expect(it.names.now.cursors.size).toBe(0);
});

test("a ROLLBACK TO forgets the cursors", () => {
  const it = session();
  it.run([], "BEGIN", "active");
  it.run([{ kind: "declares", cursor: "c", outputs: [], operations: [], hold: false }], "DECLARE CURSOR", "active");
  it.run([ends], "ROLLBACK", "active");
  expect(it.names.now.cursors.size).toBe(0);
});

test("DISCARD ALL forgets everything", () => {
  const it = session();
  it.run([path("a"), { kind: "createsTemporary", name: "t" }], "SET", "idle");
  it.run([{ kind: "discards" }], "DISCARD ALL", "idle");
  expect(it.names.now).toMatchObject({ searchPath: null, temporary: [] });
});

describe("another role", () => {
  const role = (to: string | null | undefined, isLocal = false): SessionEffect => ({
    kind: "role",
    role: to,
    local: isLocal,
  });
  const now = ({ names }: ReturnType<typeof session>) => names.now.localRole ?? names.now.role;

  test("goes with the ROLLBACK, and a LOCAL one with the transaction", () => {
    const it = session();
    it.run([role("a")], "SET", "idle");
    it.run([], "BEGIN", "active");
    it.run([role(undefined)], "RESET", "active");
    expect(now(it)).toBeUndefined();
    it.run([ends], "ROLLBACK", "idle");
    it.run([], "BEGIN", "active");
    it.run([role("b", true)], "SET", "active");
    expect(now(it)).toBe("b");
    it.run([ends], "COMMIT", "idle");
    expect(now(it)).toBe("a");
  });

  test("that a ROLLBACK TO may have taken back is not known, until the transaction is taken back", () => {
    const it = session();
    it.run([], "BEGIN", "active");
    it.run([role("a")], "SET", "active");
    it.run([ends], "ROLLBACK", "active");
    it.run([role("b")], "SET", "active");
    expect({ role: now(it), uncertain: it.names.uncertain }).toEqual({ role: null, uncertain: true });
    it.run([ends], "ROLLBACK", "idle");
    expect({ role: now(it), uncertain: it.names.uncertain }).toEqual({ role: undefined, uncertain: false });
  });

  test("of a session that is another's is not known, whatever is reset, until all is discarded", () => {
    const it = session();
    it.run([role(null)], "SET", "idle");
    it.run([role(undefined)], "RESET", "idle");
    expect(now(it)).toBeNull();
    it.run([{ kind: "discards" }], "DISCARD ALL", "idle");
    expect(now(it)).toBeUndefined();
  });
});

describe("code that is not read", () => {
  const unsettles: SessionEffect = { kind: "unsettles" };
  const declares = (cursor: string): SessionEffect => ({
    ...{ kind: "declares", cursor, outputs: [], operations: [], hold: false },
  });

  test("leaves the path unknown until it is set again", () => {
    const it = session();
    it.run([path("a")], "SET", "idle");
    it.run([unsettles], "SELECT 1", "idle");
    expect(it.names.uncertain).toBe(true);
    it.run([path("b")], "SET", "idle");
    expect({ uncertain: it.names.uncertain, path: it.path }).toEqual({ uncertain: false, path: ["b"] });
  });

  test("leaves it so for the whole transaction: it may go on", () => {
    const it = session();
    it.run([], "BEGIN", "active");
    it.run([unsettles], "SELECT 1", "active");
    it.run([path("a")], "SET", "active");
    expect(it.names.uncertain).toBe(true);
    it.run([ends], "COMMIT", "idle");
    expect(it.names.uncertain).toBe(true);
    it.run([path("a")], "SET", "idle");
    expect(it.names.uncertain).toBe(false);
  });

  test("may have made other cursors of those there were, but for the one that ran it", () => {
    const it = session();
    it.run([], "BEGIN", "active");
    it.run([declares("c"), declares("d")], "DECLARE CURSOR", "active");
    it.run([{ kind: "unsettles", cursor: "d" }], "FETCH 1", "active");
    const { cursors } = it.names.now;
    expect([cursors.get("c")?.doubtful, cursors.get("d")?.doubtful]).toEqual([true, undefined]);
  });
});
