import { NOTHING_MASKED } from "#commands";
import { Driven, masking } from "../conversation.fixture.js";
import { back, errorFields, front, taken } from "../wire.fixture.js";

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
    const driven = new Driven({ scrubNotifications: () => true });
    expect(taken(driven.server(back.notification("jobs", "a@x")))[0]?.body).toBe("\0\0\0\x07jobs\0\0");
  });
});
