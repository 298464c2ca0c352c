import fc from "fast-check";
import { FrameAssembler, type FrameFormat, MalformedBytes, TooLarge } from "./index.js";

/** One letter, a 16 bit length of what follows it, itself included. */
const format: FrameFormat = {
  headerLength: 3,
  size: (bytes, at) => {
    const length = ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    if (length < 2) throw new MalformedBytes("length");
    return length + 1;
  },
};
const frame = (letter: string, body: string) =>
  Buffer.concat([
    Buffer.from(letter),
    Buffer.from([(body.length + 2) >> 8, (body.length + 2) & 255]),
    Buffer.from(body),
  ]);

/** Takes upper-case frames, passes lower-case ones; the bytes in the order they came. */
function run(assembler: FrameAssembler): string[] {
  const out: string[] = [];
  const passed = () => {
    const bytes = assembler.passed();
    if (bytes) out.push(`pass ${Buffer.from(bytes).toString("latin1")}`);
  };
  for (let kind = assembler.next(); kind >= 0; kind = assembler.next()) {
    if (kind >= 97) assembler.pass();
    else {
      const taken = assembler.take();
      if (!taken) break;
      passed();
      out.push(`take ${Buffer.from(taken).toString("latin1")}`);
    }
  }
  passed();
  return out;
}

/** Joins neighbouring passes: their cuts depend on the chunks. */
function joined(steps: readonly string[]): string[] {
  const out: string[] = [];
  for (const step of steps) {
    const last = out.length - 1;
    if (step.startsWith("pass ") && out[last]?.startsWith("pass ")) out[last] += step.slice(5);
    else out.push(step);
  }
  return out;
}

describe("FrameAssembler", () => {
  test("gives neighbouring passed frames of a chunk as one view of it", () => {
    const assembler = new FrameAssembler(format, 100);
    const chunk = Buffer.concat([frame("a", "one"), frame("b", ""), frame("c", "three")]);
    assembler.push(chunk);
    while (assembler.next() >= 0) assembler.pass();
    expect(assembler.passed()).toBe(chunk);
    expect(assembler.passed()).toBeNull();
  });

  test("passes a frame larger than the limit in pieces and holds nothing back", () => {
    const assembler = new FrameAssembler(format, 10);
    const long = frame("a", "x".repeat(5000));
    assembler.push(long.subarray(0, 100));
    expect(assembler.next()).toBe(97);
    assembler.pass();
    expect(assembler.passed()).toHaveLength(100);
    for (let at = 100; at < long.length; at += 100) {
      assembler.push(long.subarray(at, at + 100));
      expect(assembler.next()).toBe(-1);
      expect(assembler.passed()).toHaveLength(Math.min(100, long.length - at));
      expect(assembler.buffered).toBe(0);
    }
  });

  test("refuses to gather a frame over the limit as soon as its header is here", () => {
    const assembler = new FrameAssembler(format, 10);
    assembler.push(frame("A", "x".repeat(8)).subarray(0, 3));
    assembler.next();
    expect(() => assembler.take()).toThrow(TooLarge);
  });

  test("a malformed header throws", () => {
    const assembler = new FrameAssembler(format, 10);
    assembler.push(Buffer.from([65, 0, 1]));
    expect(() => assembler.next()).toThrow(MalformedBytes);
  });

  test("any cuts give the same frames in the same order", () => {
    const letters = fc.constantFrom("a", "b", "A", "B");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(letters, fc.string({ maxLength: 40, unit: "grapheme-ascii" })), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(([letter, body]) => frame(letter, body)));
          const expected = frames.map(
            ([letter, body]) => `${letter >= "a" ? "pass" : "take"} ${frame(letter, body).toString("latin1")}`,
          );
          const assembler = new FrameAssembler(format, 1000);
          const seen: string[] = [];
          for (let at = 0, index = 0; at < bytes.length; index++) {
            const size = cuts[index % cuts.length] as number;
            assembler.push(bytes.subarray(at, at + size));
            at += size;
            if (index % 3 !== 0) seen.push(...run(assembler));
          }
          seen.push(...run(assembler));
          expect(joined(seen)).toEqual(joined(expected));
          expect(assembler.buffered).toBe(0);
        },
      ),
    );
  });

  test("drops a frame larger than the limit without holding it", () => {
    const assembler = new FrameAssembler(format, 10);
    const bytes = Buffer.concat([frame("a", "kept"), frame("b", "x".repeat(5000)), frame("c", "kept too")]);
    const seen: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 7) {
      assembler.push(bytes.subarray(at, at + 7));
      for (let kind = assembler.next(); kind >= 0; kind = assembler.next()) {
        if (kind === 98) assembler.drop();
        else assembler.pass();
      }
      seen.push(Buffer.from(assembler.passed() ?? []));
      expect(assembler.buffered).toBeLessThan(10);
    }
    expect(Buffer.concat(seen)).toEqual(Buffer.concat([frame("a", "kept"), frame("c", "kept too")]));
  });

  test("a look at the whole frame changes nothing", () => {
    const assembler = new FrameAssembler(format, 100);
    const chunk = Buffer.concat([frame("a", "one"), frame("b", "two")]);
    assembler.push(chunk);
    while (assembler.next() >= 0) {
      expect(assembler.whole()).toHaveLength(6);
      assembler.pass();
    }
    expect(assembler.passed()).toBe(chunk);
  });

  test("drain gives back what was not consumed", () => {
    const assembler = new FrameAssembler(format, 100);
    assembler.push(Buffer.concat([frame("A", "x"), Buffer.from("re")]));
    assembler.push(Buffer.from("st"));
    assembler.next();
    assembler.take();
    expect(Buffer.from(assembler.drain()).toString()).toBe("rest");
    expect(assembler.buffered).toBe(0);
  });
});
