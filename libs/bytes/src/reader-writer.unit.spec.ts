import fc from "fast-check";
import { ByteReader, ByteWriter, MalformedBytes } from "./index.js";

describe("ByteReader and ByteWriter", () => {
  test("read back what was written", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.string({ unit: "binary", maxLength: 600 }).filter((text) => !text.includes("\0")),
        fc.uint8Array({ maxLength: 600 }),
        (byte, short, int, text, run) => {
          const bytes = new ByteWriter(16).uint8(byte).int16(short).int32(int).cstring(text).bytes(run).take();
          const reader = new ByteReader(bytes);
          expect([reader.uint8(), reader.int16(), reader.int32(), reader.cstring()]).toEqual([byte, short, int, text]);
          expect(Buffer.from(reader.rest())).toEqual(Buffer.from(run));
          expect(() => reader.end()).not.toThrow();
        },
      ),
    );
  });

  test("a text is what its own bytes say, whichever was read before", () => {
    const alike = fc.constantFrom("SELECT 1", "SELECT 2", "SELECT 10", "", "é", "\u00c3\u00a9", "e");
    const read = fc.record({ text: fc.oneof(alike, fc.string({ unit: "binary", maxLength: 40 })), wide: fc.boolean() });
    fc.assert(
      fc.property(fc.array(read, { maxLength: 12 }), (reads) => {
        const reader = new ByteReader(Buffer.alloc(0));
        for (const { text, wide } of reads) {
          const bytes = Buffer.from(text.replaceAll("\0", " "), "utf8");
          reader.over(Buffer.concat([bytes, Buffer.alloc(1)]), 0, bytes.length + 1);
          expect(wide ? reader.cstring() : reader.latin1(63)).toBe(
            wide ? bytes.toString("utf8") : bytes.toString("latin1", 0, 63),
          );
        }
      }),
    );
  });

  test("the window is never left", () => {
    const outer = Buffer.from([1, 2, 3, 0, 9]);
    const reader = new ByteReader(outer.subarray(0, 3));
    expect(() => reader.cstring()).toThrow(MalformedBytes);
    expect(() => reader.int32()).toThrow(MalformedBytes);
    expect(() => reader.view(-1)).toThrow(MalformedBytes);
    expect(reader.view(3)).toHaveLength(3);
    expect(() => reader.uint8()).toThrow(MalformedBytes);
  });

  test("what was taken is never touched again", () => {
    const writer = new ByteWriter(64);
    const first = writer.utf8("first").take();
    writer.utf8("second");
    expect(first.toString()).toBe("first");
    expect(writer.take().toString()).toBe("second");
  });

  test("what is written into its room directly counts as far as it is said to", () => {
    const writer = new ByteWriter(16).utf8("before");
    writer.room(100).fill(0x78, writer.length, writer.length + 100);
    writer.advance(3).utf8("behind");
    expect(writer.take().toString()).toBe("beforexxxbehind");
    expect(writer.utf8("kept gone").cut(4).cut(9).take().toString()).toBe("kept");
  });

  test("a NUL cannot end a string early", () => {
    expect(new ByteWriter().cstring("a\0b").take().toString("latin1")).toBe("a b\0");
  });
});
