import { crc32c } from "./crc32c.js";

/**
 * A segment file: a header, then records.
 *
 *     header   "CFSPOOL\x02" · source 16 · replaces 16 · first sequence u64 · CRC-32C u32 of all before
 *     record   payload length u32 · CRC-32C u32 of source, length, sequence and payload · sequence u64 · payload
 *
 * A payload holds what agents send. Without the source, which they do not know, one could hold what passes for records
 * where it is torn. Version 1 was without it; what it left is still read.
 *
 * Integers are big-endian. `replaces` is the damaged source whose readable records this one carries on, or zero. A file
 * that is written to ends with room for more, of zeros.
 */
export const HEADER_BYTES = 52;
export const FRAME_BYTES = 16;
/** A length beyond this is damage, whatever the checksum says. */
const MAX_PAYLOAD = 1 << 30;

const magic = (version: number) => Buffer.from(`CFSPOOL${String.fromCharCode(version)}`, "latin1");
const MAGIC = magic(2);
const MAGIC_1 = magic(1);

export interface SegmentHeader {
  readonly source: string;
  readonly replaces: string | null;
  readonly first: number;
}

export interface Frame {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

const uuidBytes = (uuid: string) => Buffer.from(uuid.replaceAll("-", ""), "hex");
const uuidText = (bytes: Buffer) =>
  bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

export function encodeHeader({ source, replaces, first }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes);
  uuidBytes(source).copy(bytes, 8);
  if (replaces) uuidBytes(replaces).copy(bytes, 24);
  bytes.writeBigUInt64BE(BigInt(first), 40);
  bytes.writeUInt32BE(crc32c(bytes, 0, 48), 48);
  return bytes;
}

/** What the checksums of a source's records begin with. */
export const seedOf = (source: string): number => crc32c(uuidBytes(source));

/** The header, or null if it is torn or damaged. */
export function decodeHeader(bytes: Buffer): (SegmentHeader & { readonly seed: number }) | null {
  if (bytes.length < HEADER_BYTES) return null;
  const seeded = bytes.subarray(0, 8).equals(MAGIC);
  if (!seeded && !bytes.subarray(0, 8).equals(MAGIC_1)) return null;
  if (bytes.readUInt32BE(48) !== crc32c(bytes, 0, 48)) return null;
  const replaces = bytes.subarray(24, 40);
  const source = uuidText(bytes.subarray(8, 24));
  return {
    source,
    seed: seeded ? seedOf(source) : 0,
    replaces: replaces.every((byte) => byte === 0) ? null : uuidText(replaces),
    first: Number(bytes.readBigUInt64BE(40)),
  };
}

/** Writes one record at `at` and returns where it ends. The caller has made room. */
export function encodeFrame(into: Buffer, at: number, sequence: number, payload: Uint8Array, seed: number): number {
  const end = at + FRAME_BYTES + payload.length;
  put(into, at, payload.length);
  put(into, at + 8, Math.floor(sequence / 2 ** 32));
  put(into, at + 12, sequence);
  into.set(payload, at + FRAME_BYTES);
  put(into, at + 4, checksum(into, at, end, seed));
  return end;
}

/** The lower 32 bits, big-endian; without the checks of `writeUInt32BE`, as every record has four of them. */
function put(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function checksum(bytes: Uint8Array, at: number, end: number, seed: number): number {
  return crc32c(bytes, at + 8, end, crc32c(bytes, at, at + 4, seed));
}

/** The whole, undamaged record at `at`, or null. The payload shares the buffer's memory. */
export function decodeFrame(bytes: Buffer, at: number, seed: number): Frame | null {
  if (at + FRAME_BYTES > bytes.length) return null;
  const length = bytes.readUInt32BE(at);
  const end = at + FRAME_BYTES + length;
  if (length > MAX_PAYLOAD || end > bytes.length) return null;
  if (bytes.readUInt32BE(at + 4) !== checksum(bytes, at, end, seed)) return null;
  const sequence = bytes.readUInt32BE(at + 8) * 2 ** 32 + bytes.readUInt32BE(at + 12);
  return { sequence, payload: bytes.subarray(at + FRAME_BYTES, end) };
}

export interface Scan {
  /** Every undamaged record, in order. */
  readonly frames: readonly Frame[];
  /** Where the unbroken run of records from the start ends. */
  readonly goodBytes: number;
  /** Nothing follows, or room that was made for records and not used. */
  readonly clean: boolean;
  /** An undamaged record follows a damaged one, so it is not merely the tail that was being written. */
  readonly damaged: boolean;
}

/** Reads a segment's records, the first of which should be `first`. */
export function scanSegment(bytes: Buffer, first: number, seed: number): Scan {
  const frames: Frame[] = [];
  let at = HEADER_BYTES;
  let expected = first;
  for (let frame = decodeFrame(bytes, at, seed); frame?.sequence === expected; frame = decodeFrame(bytes, at, seed)) {
    frames.push(frame);
    at += FRAME_BYTES + frame.payload.length;
    expected++;
  }
  const goodBytes = Math.min(at, bytes.length);
  const rest = bytes.subarray(goodBytes);
  if (rest.equals(Buffer.alloc(rest.length))) return { frames, goodBytes, clean: true, damaged: false };
  let damaged = false;
  for (let probe = at; probe + FRAME_BYTES <= bytes.length; ) {
    // The sequence is looked at first: it costs nothing, and hardly any wrong place passes.
    const sequence = bytes.readUInt32BE(probe + 8) * 2 ** 32 + bytes.readUInt32BE(probe + 12);
    const plausible = sequence >= expected && sequence - expected < 2 ** 24;
    const frame = plausible ? decodeFrame(bytes, probe, seed) : null;
    if (!frame) {
      probe++;
      continue;
    }
    damaged = true;
    frames.push(frame);
    expected = frame.sequence + 1;
    probe += FRAME_BYTES + frame.payload.length;
  }
  return { frames, goodBytes, clean: false, damaged };
}
