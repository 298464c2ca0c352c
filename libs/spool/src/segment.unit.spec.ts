import fc from "fast-check";
import { crc32c } from "./crc32c.js";
import { decodeFrame, decodeHeader, encodeFrame, encodeHeader, FRAME_BYTES, seedOf } from "./segment.js";

describe("CRC-32C", () => {
  // RFC 3720 appendix B.4.
  it.each([
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, n) => n)), 0x46dd794e],
    [Buffer.from("123456789"), 0xe3069283],
  ])("of %p", (bytes, expected) => expect(crc32c(bytes)).toBe(expected));

  it("can be taken in parts", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(crc32c(b, 0, b.length, crc32c(a))).toBe(crc32c(Buffer.concat([a, b])));
      }),
    );
  });
});

describe("records", () => {
  it("come back, and any flipped bit is seen", () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.nat(),
        (payload, sequence, at) => {
          const bytes = Buffer.alloc(FRAME_BYTES + payload.length);
          expect(encodeFrame(bytes, 0, sequence, payload, 7)).toBe(bytes.length);
          const frame = decodeFrame(bytes, 0, 7)!;
          expect(frame.sequence).toBe(sequence);
          expect(Buffer.from(frame.payload).equals(payload)).toBe(true);
          const bit = at % (bytes.length * 8);
          bytes[bit >> 3]! ^= 1 << (bit & 7);
          expect(decodeFrame(bytes, 0, 7)).toBeNull();
        },
      ),
    );
  });
});

describe("headers", () => {
  const header = { source: "0b0fdbcf-2d77-4a4e-9c12-3b6f0e5f9a11", replaces: null, first: 2 ** 40 };
  it("come back", () => {
    const seed = seedOf(header.source);
    expect(decodeHeader(encodeHeader(header))).toEqual({ ...header, seed });
    expect(decodeHeader(encodeHeader({ ...header, replaces: header.source }))).toEqual({
      ...header,
      replaces: header.source,
      seed,
    });
  });
  it("are refused torn or damaged", () => {
    const bytes = encodeHeader(header);
    expect(decodeHeader(bytes.subarray(0, 51))).toBeNull();
    bytes[20]! ^= 1;
    expect(decodeHeader(bytes)).toBeNull();
  });
});
