import { open } from "node:fs/promises";
import { decodeFrame, FRAME_BYTES, type Frame, HEADER_BYTES } from "./segment.js";

/** A segment file, as far as it is written. */
interface Written {
  readonly path: string;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  readonly seed: number;
}

/** Reads records back, mostly each behind the one before: where it stopped is where it begins the next time. */
export class SegmentReader {
  #cursor: { readonly sequence: number; readonly path: string; readonly at: number } | null = null;

  /**
   * Records of the segment from `first` to `last`, at least one if there is one, else at most `limitBytes`.
   * @throws Error where `first` is in the segment and cannot be read.
   */
  async read(segment: Written, first: number, last: number, limitBytes: number): Promise<readonly Frame[]> {
    // It may be written to meanwhile.
    const end = segment.bytes;
    const known = this.#cursor?.path === segment.path && this.#cursor.sequence <= first ? this.#cursor : null;
    let at = known?.at ?? HEADER_BYTES;
    let sequence = known?.sequence ?? segment.first;
    const frames: Frame[] = [];
    const file = await open(segment.path, "r");
    try {
      let taken = 0;
      while (at < end && sequence <= last && taken < limitBytes) {
        const bytes = await readChunk(file, at, Math.min(end - at, Math.max(limitBytes, 64 * 1024)));
        let offset = 0;
        for (;;) {
          const frame = sequence <= last && taken < limitBytes ? decodeFrame(bytes, offset, segment.seed) : null;
          if (frame?.sequence !== sequence) break;
          if (sequence >= first) {
            frames.push(frame);
            taken += frame.payload.length;
          }
          offset += FRAME_BYTES + frame.payload.length;
          sequence++;
        }
        if (offset === 0) break;
        at += offset;
      }
    } finally {
      await file.close();
    }
    this.#cursor = { sequence, path: segment.path, at };
    if (frames.length === 0 && first <= segment.last)
      throw new Error(`record ${first} in ${segment.path} is not readable`);
    return frames;
  }
}

async function readChunk(file: Awaited<ReturnType<typeof open>>, at: number, bytes: number): Promise<Buffer> {
  const head = Buffer.allocUnsafe(bytes);
  const { bytesRead } = await file.read(head, 0, bytes, at);
  const read = head.subarray(0, bytesRead);
  const whole = bytesRead >= FRAME_BYTES ? FRAME_BYTES + read.readUInt32BE(0) : 0;
  if (whole <= bytesRead) return read;
  const large = Buffer.allocUnsafe(whole);
  const again = await file.read(large, 0, whole, at);
  return large.subarray(0, again.bytesRead);
}
