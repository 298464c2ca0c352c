import fc from "fast-check";
import { NOTHING_MASKED } from "#commands";
import { target } from "../../../../test/fuzz/target.js";
import { DENIED, Driven, HIDING, masking } from "./conversation.fixture.js";
import { cuts, damaged, parts } from "./damage.fixture.js";
import { back, front, taken, types } from "./wire.fixture.js";

const bytes = (min: number, max: number) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((run) => Buffer.from(run));
const name = fc.constantFrom("", "a", "b");

const clientMessage = fc.oneof(
  fc.constantFrom("ok", "secret", "deny").map((text) => front.query(text)),
  fc.tuple(name, fc.constantFrom("ok", "secret", "deny")).map(([n, text]) => front.parse(n, text)),
  fc.tuple(name, name).map(([portal, statement]) => front.bind(portal, statement, ["v"])),
  fc.tuple(fc.constantFrom("S" as const, "P" as const), name).map(([kind, n]) => front.describe(kind, n)),
  fc.tuple(fc.constantFrom("S" as const, "P" as const), name).map(([kind, n]) => front.close(kind, n)),
  name.map((portal) => front.execute(portal)),
  fc.constantFrom(
    front.sync(),
    front.sync(),
    front.flush(),
    front.copyData("x"),
    front.copyDone(),
    front.call(7, ["v"]),
  ),
);
const serverMessage = fc.constantFrom(
  back.parseComplete(),
  back.bindComplete(),
  back.closeComplete(),
  back.noData(),
  back.suspended(),
  back.empty(),
  back.parameters(),
  back.columns({ name: "open" }, { name: "email" }),
  back.row("x", "HIDDEN"),
  back.row("x"),
  back.complete("SELECT 1"),
  back.complete("DECLARE CURSOR"),
  back.ready("I"),
  back.ready("T"),
  back.ready("E"),
  back.error({ V: "ERROR", C: "XX000", M: "HIDDEN" }),
  back.notice({ S: "NOTICE", M: "HIDDEN", W: "f" }),
  back.copyOut(2),
  back.copyIn(1),
  back.copyData("x\tHIDDEN\n"),
  back.copyDone(),
  back.call("HIDDEN"),
);

/** What either side sends, most of it as it should be. */
const sent = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant(true), clientMessage) },
  { weight: 8, arbitrary: fc.tuple(fc.constant(false), serverMessage) },
  { weight: 1, arbitrary: fc.tuple(fc.constant(true), damaged(clientMessage)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant(false), damaged(serverMessage)) },
);

target(
  "wire-noise",
  "whatever bytes come from both sides, nothing is thrown, and a fault is the end",
  800,
  fc.property(
    fc.array(fc.oneof(sent, fc.tuple(fc.boolean(), bytes(0, 40))), { maxLength: 30 }),
    fc.boolean(),
    (chunks, limited) => {
      const driven = new Driven({ messageLimit: 64 });
      driven.decide = (gate) => (gate.text === "deny" ? DENIED : HIDING);
      if (limited) driven.limit = { rows: 1, changes: true, header: false, refusal: DENIED };
      for (const [fromClient, data] of chunks) fromClient ? driven.client(data) : driven.server(data);
      expect(driven.faults.length).toBeLessThanOrEqual(2);
    },
  ),
);

target(
  "wire-cuts",
  "where the bytes of either side are cut changes nothing",
  250,
  fc.property(fc.array(sent, { maxLength: 25 }), cuts, fc.nat(3), (chunks, points, rows) => {
    const run = (cut: (data: Buffer) => Iterable<Buffer>) => {
      const driven = new Driven();
      driven.decide = (gate) => (gate.text === "deny" ? DENIED : gate.text === "ok" ? NOTHING_MASKED : HIDING);
      if (rows < 3) driven.limit = { rows, changes: rows > 0, header: false, refusal: DENIED };
      const upstream: Buffer[] = [];
      const downstream: Buffer[] = [];
      for (const [fromClient, data] of chunks) {
        for (const part of cut(data)) {
          const out = fromClient ? driven.client(part) : driven.server(part);
          (fromClient ? upstream : downstream).push(out);
          (fromClient ? downstream : upstream).push(fromClient ? driven.downstream() : driven.upstream());
        }
      }
      return { driven, sides: [Buffer.concat(upstream), Buffer.concat(downstream)] as const };
    };
    const whole = run((data) => [data]);
    for (const cut of [
      run((data) => parts(data, points)),
      run((data) => Array.from(data, (_, at) => data.subarray(at, at + 1))),
    ]) {
      expect(cut.driven.gates).toEqual(whole.driven.gates);
      expect(cut.driven.outcomes).toEqual(whole.driven.outcomes);
      expect(cut.driven.faults).toEqual(whole.driven.faults);
      if (whole.driven.faults.length === 0) expect(cut.sides).toEqual(whole.sides);
    }
  }),
);

target(
  "wire-requests",
  "nothing that was refused goes upstream, nor anything unasked",
  400,
  fc.property(fc.array(clientMessage, { maxLength: 25 }), (messages) => {
    const driven = new Driven();
    driven.decide = (gate) => (gate.text === "deny" || gate.functionOid ? DENIED : NOTHING_MASKED);
    const upstream = taken(driven.client(...messages));
    expect(upstream.some(({ body }) => body.includes("deny"))).toBe(false);
    expect(upstream.some(({ type }) => type === "F")).toBe(false);
    const asked = (stage: string) => driven.gates.filter((gate) => gate.stage === stage && gate.text !== "deny").length;
    const count = (letter: string) =>
      upstream.filter(({ type, body }) => type === letter && !body.includes("refused")).length;
    expect(count("P")).toBeLessThanOrEqual(asked("prepare"));
    expect(count("Q") + count("B")).toBeLessThanOrEqual(asked("run"));
  }),
);

target(
  "wire-hidden",
  "under a plan that hides everything, no value comes through, whatever the server sends",
  500,
  fc.property(
    fc.array(clientMessage, { maxLength: 10 }),
    fc.array(serverMessage, { maxLength: 25 }),
    (asked, answers) => {
      const driven = new Driven({ scrubNotifications: () => true });
      driven.decide = () => HIDING;
      driven.client(front.query("first"), ...asked);
      let idle = false;
      let shown = "";
      for (const answer of answers) {
        const seen = taken(driven.server(answer)).filter(({ type }) => !(idle && /[EN]/.test(type)));
        shown += seen.map(({ body }) => body).join("");
        // Once a transaction is over, a text is not about what it read.
        idle ||= answer.equals(back.ready("I"));
      }
      expect(shown).not.toContain("HIDDEN");
    },
  ),
);

const value = fc.oneof(fc.constant(null), fc.string({ unit: "binary", maxLength: 30 }));
target(
  "wire-rows",
  "rows are masked the same at any cuts, and always well formed",
  100,
  fc.property(fc.array(fc.tuple(value, value), { maxLength: 10 }), cuts, (rows, points) => {
    const stream = Buffer.concat([
      back.columns({ name: "open" }, { name: "email" }),
      ...rows.map(([open, email]) => back.row(open, email === null ? null : `HIDDEN${email}`)),
      back.complete(`SELECT ${rows.length}`),
      back.ready(),
    ]);
    const run = (data: Iterable<Buffer>) => {
      const driven = new Driven();
      driven.decide = () => masking("email");
      driven.client(front.query("q"));
      return Buffer.concat([...data].map((chunk) => driven.server(chunk)));
    };
    const whole = run([stream]);
    expect(types(whole)).toBe(`T${"D".repeat(rows.length)}CZ`);
    expect(whole.includes("HIDDEN")).toBe(false);
    expect(run(parts(stream, points))).toEqual(whole);
    expect(run(Array.from(stream, (_, at) => stream.subarray(at, at + 1)))).toEqual(whole);
  }),
);
