import fc from "fast-check";
import type { MaskPlan } from "#commands";
import { maskBy } from "../../../../../test/masks.js";
import { Driven } from "../conversation.fixture.js";
import { cuts, parts } from "../damage.fixture.js";
import { back, front, types, valuesOf } from "../wire.fixture.js";

/** Of what it hides no letter is left; what begins with `n` is NULL, with `l` longer, with `s` shorter. */
const hide = (value: string): string | null => {
  if (value.startsWith("n")) return null;
  return "*".repeat(value.startsWith("l") ? value.length + 3 : value.startsWith("s") ? 1 : value.length);
};
const mask = maskBy((value) => {
  const shown = hide(value.toString("latin1"));
  return shown === null ? null : Buffer.from(shown);
});
const masking = (masked: readonly boolean[]): MaskPlan => ({
  columns: () => masked.map((is) => (is ? mask : null)),
  bulk: null,
  scrubTexts: false,
});
const columns = (count: number) => back.columns(...Array.from({ length: count }, (_, at) => ({ name: `c${at}` })));

/** What a client gets, and what the network gave, which is the conversation's own. */
function through(masked: readonly boolean[], messages: readonly Buffer[], points: readonly number[]) {
  const driven = new Driven();
  driven.decide = () => masking(masked);
  driven.client(front.query("q"));
  const stream = Buffer.concat([columns(masked.length), ...messages]);
  const shown = Buffer.concat([...parts(stream, points)].map((part) => driven.server(Buffer.from(part))));
  return { driven, shown };
}

const value = fc.option(
  fc
    .tuple(fc.constantFrom("n", "l", "s", "x"), fc.oneof(fc.nat(30), fc.constantFrom(255, 256, 300)))
    .map(([letter, more]) => letter.padEnd(more, "v")),
  { freq: 6 },
);
const table = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }).chain((masked) =>
  fc.record({
    masked: fc.constant(masked),
    rows: fc.array(fc.array(value, { minLength: masked.length, maxLength: masked.length }), { maxLength: 12 }),
  }),
);

test("every value is hidden that is to be, and nothing else changes, however the rows come and whatever is written anew", () => {
  fc.assert(
    fc.property(table, cuts, ({ masked, rows }, points) => {
      const end = [back.complete(`SELECT ${rows.length}`), back.ready()];
      const { driven, shown } = through(masked, [...rows.map((values) => back.row(...values)), ...end], points);
      expect(driven.faults).toEqual([]);
      const hidden = rows.map((values) => values.map((v, at) => (v !== null && masked[at] ? hide(v) : v)));
      const expected = [columns(masked.length), ...hidden.map((values) => back.row(...values)), ...end];
      expect(shown.equals(Buffer.concat(expected))).toBe(true);
      const count = rows.flat().filter((v, at) => v !== null && masked[at % masked.length]).length;
      if (masked.includes(true)) expect(driven.outcomes.get(driven.gates[0]!.ordinal)?.valuesMasked).toBe(count);
    }),
    { numRuns: 300 },
  );
});

test.each([
  ["a value that is longer than its row", (row: Buffer) => row.writeInt32BE(9, row.length - 5)],
  ["a value of no possible length", (row: Buffer) => row.writeInt32BE(-2, row.length - 5)],
  ["more behind its values", (row: Buffer) => row.writeInt32BE(0, row.length - 5)],
  ["another number of columns", (row: Buffer) => row.writeInt16BE(3, 5)],
])("nothing of a row with %s is shown", (_, damage) => {
  for (const first of ["same", "longer"]) {
    const broken = back.row(first, "b");
    damage(broken);
    const { driven, shown } = through([true, true], [back.row("lo", "lo"), broken], []);
    expect(driven.faults).toMatchObject([{ code: "malformed" }]);
    expect(types(shown)).toBe("TDE");
    expect(valuesOf(shown.subarray(columns(2).length, columns(2).length + back.row("lo***", "lo***").length))).toEqual([
      Buffer.from("*****"),
      Buffer.from("*****"),
    ]);
  }
});
