import fc from "fast-check";
import { ByteWriter, MalformedBytes, TooLarge } from "#bytes";
import type { BulkColumn, BulkFormat, Mask } from "#commands";
import { maskBy } from "../../../../../test/masks.js";
import { taken } from "../wire.fixture.js";
import { copyMasker } from "./copy.js";

const seen: string[] = [];
/** Notes what it is given, so that a test sees that values arrive as they are, not as they are written. */
const noting = maskBy((value) => {
  seen.push(value.toString("latin1"));
  return Buffer.from(`<${value.length}>`);
});
const hiding = maskBy(() => null);
const answering = (text: string) => maskBy(() => Buffer.from(text));
const column = (mask: Mask | null): BulkColumn => ({ mask, oid: 25 });
const second = [column(null), column(noting)];

beforeEach(() => seen.splice(0));

function masked(
  data: readonly Uint8Array[],
  format: BulkFormat,
  columns: readonly BulkColumn[],
  binary = false,
): string {
  const masker = copyMasker({ format: binary ? "binary" : "text", columns: columns.length }, format, columns, 10_000);
  const out = new ByteWriter();
  for (const chunk of data) masker.push(chunk, 0, chunk.length, out);
  masker.end();
  return taken(out.take())
    .map(({ type, body }) => {
      expect(type).toBe("d");
      return body;
    })
    .join("");
}
const text = (data: string, columns = second, format: BulkFormat = { kind: "text" }) =>
  masked([Buffer.from(data, "latin1")], format, columns);
const csv = (data: string, columns = second, format: Omit<BulkFormat, "kind"> = {}) =>
  masked([Buffer.from(data, "latin1")], { kind: "csv", ...format }, columns);

describe("COPY's text format", () => {
  test("masks a column and leaves the others byte by byte", () => {
    expect(text("1\\ta\tan@x\n2\t\\N\n3\t\n")).toBe("1\\ta\t<4>\n2\t\\N\n3\t<0>\n");
  });

  test("a mask sees the value, not its escapes; a delimiter inside is none", () => {
    text("x\ta\\tb\\\\c\\nd\n");
    text("x|a\\|b\n", second, { kind: "text", delimiter: "|" });
    expect(seen).toEqual(["a\tb\\c\nd", "a|b"]);
  });

  test("what a mask gives is escaped again", () => {
    expect(text("x\ty\n", [column(null), column(answering("a\tb\\c\nd\\N"))])).toBe("x\ta\\tb\\\\c\\nd\\\\N\n");
    expect(text("x|y\n", [column(null), column(answering("a|b"))], { kind: "text", delimiter: "|" })).toBe("x|a\\|b\n");
  });

  test("NULL as the statement writes it", () => {
    expect(text("1\tnil\n2\tx\n", [column(null), column(hiding)], { kind: "text", null: "nil" })).toBe(
      "1\tnil\n2\tnil\n",
    );
  });

  test("how NULL is written tells of no row that it holds a guessed value", () => {
    for (const guess of ["an@x", "", "a\\\\b"]) {
      const written = text(`1\t${guess}\n2\tother\n`, second, { kind: "text", null: guess });
      expect(written).toBe(`1\t${guess}\n2\t${guess}\n`);
    }
    expect(seen).toEqual([]);
    // No value is written like these.
    expect(text("1\tan@x\n2\t\\?\n", second, { kind: "text", null: "\\?" })).toBe("1\t<4>\n2\t\\?\n");
  });

  test("a header names the columns and passes", () => {
    expect(text("id\temail\n1\ta@x\n", second, { kind: "text", header: true })).toBe("id\temail\n1\t<3>\n");
  });

  test("a row that does not fit its columns is hidden whole", () => {
    expect(text("a\tb\tc\n")).toBe("\\N\t\\N\t\\N\n");
  });
});

describe("COPY's CSV format", () => {
  test("masks a column and leaves the others byte by byte", () => {
    expect(csv('"a,""b",an@x\n2,\n3,""\n')).toBe('"a,""b",<4>\n2,\n3,<0>\n');
  });

  test("a newline or a delimiter inside quotes belongs to the value", () => {
    expect(csv('1,"a,\nb""c"\n2,x\n')).toBe("1,<6>\n2,<1>\n");
    expect(seen).toEqual(['a,\nb"c', "x"]);
  });

  test("other quotes, escapes, delimiters and NULLs", () => {
    const format = { delimiter: ";", quote: "'", escape: "\\", null: "nil" };
    expect(csv("1;'a\\'b;\\\\'\n2;nil\n3;'nil'\n", second, format)).toBe("1;<5>\n2;nil\n3;<3>\n");
    expect(seen).toEqual(["a'b;\\", "nil"]);
  });

  test("that a value was quoted does not show: it would tell whether it holds the delimiter, or is the text of NULL", () => {
    const same = [column(null), column(answering("hidden"))];
    for (const value of ["x", '"a@b"', '"a;b"'])
      expect(csv(`1;${value}\n`, same, { delimiter: ";" })).toBe("1;hidden\n");
  });

  test("what a mask gives is quoted where it must be", () => {
    const give = (value: string, format = {}) => csv("1,x\n", [column(null), column(answering(value))], format);
    expect(give("plain")).toBe("1,plain\n");
    expect(give('a,"b')).toBe('1,"a,""b"\n');
    expect(give("")).toBe('1,""\n');
    expect(give("nil", { null: "nil" })).toBe('1,"nil"\n');
    expect(csv("1,x\n", [column(null), column(hiding)])).toBe("1,\n");
  });

  test("a header passes, also with a newline in it", () => {
    expect(csv('id,"e\nmail"\n1,a@x\n', second, { header: true })).toBe('id,"e\nmail"\n1,<3>\n');
  });
});

describe("COPY's binary format", () => {
  const int16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
  const int32 = (value: number) =>
    Buffer.from([(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
  const head = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), int32(0), int32(3), Buffer.from("ext")]);
  const tuple = (...values: (string | null)[]) =>
    Buffer.concat([
      int16(values.length),
      ...values.flatMap((v) => (v === null ? [int32(-1)] : [int32(v.length), Buffer.from(v)])),
    ]);
  const end = int16(-1);
  const all = Buffer.concat([head, tuple("a", "an@x"), tuple("b", null), tuple("", ""), end]);

  test("masks fields and keeps header, NULLs and end", () => {
    const expected = Buffer.concat([head, tuple("a", "<4>"), tuple("b", null), tuple("", "<0>"), end]);
    expect(masked([all], { kind: "binary" }, second, true)).toBe(expected.toString("latin1"));
  });

  test("the server's format counts, whatever the plan thinks", () => {
    expect(masked([all], { kind: "csv" }, second, true)).toContain("<4>");
  });

  test.each([
    ["no signature", Buffer.alloc(30)],
    ["a tuple cut off", Buffer.concat([head, tuple("a", "b").subarray(0, 8)])],
    ["a field of negative length", Buffer.concat([head, int16(1), int32(-2)])],
    ["data after the end", Buffer.concat([head, end, tuple("a", "b")])],
  ])("%s is malformed", (_what, data) => {
    expect(() => masked([data], { kind: "binary" }, second, true)).toThrow(MalformedBytes);
  });

  test("any cuts give the same", () => {
    cuts(all, { kind: "binary" }, true);
  });
});

/** The same data in any messages comes out the same, and byte by byte too. */
function cuts(data: Buffer, format: BulkFormat, binary = false): void {
  const whole = masked([data], format, second, binary);
  const bytes = Array.from(data, (_, at) => data.subarray(at, at + 1));
  expect(masked(bytes, format, second, binary)).toBe(whole);
  fc.assert(
    fc.property(fc.array(fc.nat(data.length), { maxLength: 6 }), (points) => {
      const sorted = [0, ...points.sort((a, b) => a - b), data.length];
      const parts = sorted.slice(1).map((to, index) => data.subarray(sorted[index], to));
      expect(masked(parts, format, second, binary)).toBe(whole);
    }),
  );
}

test("values split over messages: text and CSV", () => {
  cuts(Buffer.from("1\ta\\tb\n2\t\\N\n\\t\\\\\tlong value here\n"), { kind: "text" });
  cuts(Buffer.from('1,"a,\nb""c"\n2,\n"x\n""",y\n'), { kind: "csv" });
});

test("a masked value never comes out, in any format, and rows and fields stay as many", () => {
  const value = fc.string({ unit: fc.constantFrom("a", "\\", "\t", "\n", "\r", ",", '"', "N", "."), maxLength: 12 });
  const escaped = (v: string) =>
    v.replace(/[\\\t\n\r]/g, (c) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" })[c] as string);
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), (values) => {
      seen.splice(0);
      const written = values.map((v) => `k\t${escaped(v)}SECRET\n`).join("");
      const out = text(written);
      expect(out).not.toContain("SECRET");
      expect(out.split("\n")).toHaveLength(values.length + 1);
      expect(seen).toEqual(values.map((v) => `${v}SECRET`));
      seen.splice(0);
      const quoted = values.map((v) => `k,"${v.replaceAll('"', '""')}SECRET"\n`).join("");
      expect(csv(quoted)).toBe(values.map((v) => `k,<${v.length + 6}>\n`).join(""));
      expect(seen).toEqual(values.map((v) => `${v}SECRET`));
    }),
  );
});

test("a row that does not end is not gathered without limit", () => {
  const masker = copyMasker({ format: "text", columns: 2 }, { kind: "text" }, second, 100);
  expect(() => masker.push(Buffer.alloc(101, 0x61), 0, 101, new ByteWriter())).toThrow(TooLarge);
});
