/** What a broken or hostile peer makes of a stream, for fuzz targets. */
import fc from "fast-check";

/** Numbers that a length or a count must not be believed to be. */
const NASTY = [0, 1, 3, 4, 5, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x4000_0000, 0x4000_0001, 0x7fff_ffff, -1, -5];

type Harm = (bytes: Buffer) => Buffer;

const splice = (bytes: Buffer, at: number, length: number, put: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + length)]);

const place = fc.nat(4000);
const harm: fc.Arbitrary<Harm> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(
    ([at, byte]): Harm =>
      (b) =>
        splice(b, at % (b.length + 1), 1, Buffer.from([byte])),
  ),
  fc.tuple(place, fc.nat(40)).map(
    ([at, length]): Harm =>
      (b) =>
        splice(b, at % (b.length + 1), length, Buffer.alloc(0)),
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(
    ([at, put]): Harm =>
      (b) =>
        splice(b, at % (b.length + 1), 0, put),
  ),
  fc.tuple(place, fc.constantFrom(...NASTY), fc.constantFrom(2, 4)).map(
    ([at, number, width]): Harm =>
      (b) => {
        const put = Buffer.alloc(4);
        put.writeInt32BE(number | 0);
        return splice(b, at % (b.length + 1), width, put.subarray(4 - width));
      },
  ),
  fc.tuple(place, place, fc.nat(60)).map(
    ([from, to, length]): Harm =>
      (b) =>
        splice(b, to % (b.length + 1), 0, b.subarray(from % (b.length + 1), (from % (b.length + 1)) + length)),
  ),
  place.map(
    (at): Harm =>
      (b) =>
        b.subarray(0, at % (b.length + 1)),
  ),
);

/** The same bytes with one to three things done to them. */
export const damaged = (bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(bytes, fc.array(harm, { minLength: 1, maxLength: 3 }))
    .map(([whole, harms]) => harms.reduce((harmed, harm) => harm(harmed), whole));

/** Where a stream is cut. */
export const cuts = fc.array(fc.nat(5000), { maxLength: 8 });

export function* parts(data: Buffer, points: readonly number[]): Generator<Buffer> {
  let from = 0;
  for (const point of [...points.map((p) => p % (data.length + 1)).sort((a, b) => a - b), data.length]) {
    yield data.subarray(from, point);
    from = point;
  }
}
