import fc from "fast-check";
import { NOTHING_MASKED } from "#commands";
import { DENIED, Driven, masking } from "./conversation.fixture.js";
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

const hideAll = {
  ...masking("email", "open", ""),
  bulk: [0, 1].map(() => ({ mask: { labels: [], apply: () => null }, oid: 25 })),
  scrubTexts: true,
};

/** Cuts `data` at `points`. */
function* parts(data: Buffer, points: readonly number[]): Generator<Buffer> {
  let from = 0;
  for (const point of [...points.map((p) => p % (data.length + 1)).sort((a, b) => a - b), data.length]) {
    yield data.subarray(from, point);
    from = point;
  }
}

test("whatever bytes come from both sides, nothing is thrown, and a fault is the end", () => {
  const chunk = fc.tuple(fc.boolean(), fc.oneof(bytes(0, 40), clientMessage, serverMessage));
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 30 }), (chunks) => {
      const driven = new Driven({ messageLimit: 64 });
      driven.decide = (gate) => (gate.text === "deny" ? DENIED : hideAll);
      for (const [fromClient, data] of chunks) fromClient ? driven.client(data) : driven.server(data);
      expect(driven.faults.length).toBeLessThanOrEqual(2);
    }),
    { numRuns: 2000 },
  );
});

test("nothing that was refused goes upstream, nor anything unasked; cuts change nothing", () => {
  fc.assert(
    fc.property(
      fc.array(clientMessage, { maxLength: 25 }),
      fc.array(fc.nat(2000), { maxLength: 8 }),
      (messages, points) => {
        const run = (data: readonly Buffer[]) => {
          const driven = new Driven();
          driven.decide = (gate) => (gate.text === "deny" || gate.functionOid ? DENIED : NOTHING_MASKED);
          return { sent: Buffer.concat(data.map((chunk) => driven.client(chunk))), driven };
        };
        const stream = Buffer.concat(messages);
        const whole = run([stream]);
        const cut = run([...parts(stream, points)]);
        expect(cut.sent).toEqual(whole.sent);
        expect(cut.driven.gates).toEqual(whole.driven.gates);
        const sent = taken(whole.sent);
        expect(sent.some(({ body }) => body.includes("deny"))).toBe(false);
        expect(sent.some(({ type }) => type === "F")).toBe(false);
        const asked = (stage: string) =>
          whole.driven.gates.filter((gate) => gate.stage === stage && gate.text !== "deny").length;
        const count = (letter: string) =>
          sent.filter(({ type, body }) => type === letter && !body.includes("refused")).length;
        expect(count("P")).toBeLessThanOrEqual(asked("prepare"));
        expect(count("Q") + count("B")).toBeLessThanOrEqual(asked("run"));
      },
    ),
    { numRuns: 1000 },
  );
});

test("under a plan that hides everything, no value comes through, whatever the server sends", () => {
  fc.assert(
    fc.property(
      fc.array(clientMessage, { maxLength: 10 }),
      fc.array(serverMessage, { maxLength: 25 }),
      (asked, answers) => {
        const driven = new Driven({ scrubNotifications: true });
        driven.decide = () => hideAll;
        driven.client(front.query("first"), ...asked);
        let idle = false;
        for (const answer of answers) {
          const seen = driven.server(answer);
          const shown = taken(seen).filter(({ type }) => !(idle && /[EN]/.test(type)));
          expect(shown.map(({ body }) => body).join("")).not.toContain("HIDDEN");
          // Once a transaction is over, a text is not about what it read.
          idle ||= answer.equals(back.ready("I"));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("rows and COPY data are masked the same at any cuts, and always well formed", () => {
  const value = fc.oneof(fc.constant(null), fc.string({ unit: "binary", maxLength: 30 }));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(value, value), { maxLength: 10 }),
      fc.array(fc.nat(5000), { maxLength: 8 }),
      (rows, points) => {
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
      },
    ),
    { numRuns: 200 },
  );
});

test("messages sent without end and without reading wait outside, not in the session", () => {
  const driven = new Driven();
  const many = Buffer.concat(Array.from({ length: 1000 }, () => front.describe("S", "x")));
  let sent = 0;
  for (let round = 0; round < 30; round++) sent += types(driven.client(many)).replaceAll("H", "").length;
  expect(sent).toBeLessThanOrEqual(10_000);
});
