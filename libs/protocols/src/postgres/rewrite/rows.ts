import { ByteWriter, MalformedBytes } from "#bytes";
import type { Hide } from "#commands";
import { SERVER } from "../codes.js";
import { hidden, writeHidden } from "./hide.js";

/** Masks the DataRows of one description. */
export class RowMasker {
  /** Values masked so far, NULLs not counted. */
  masked = 0;
  /** Whether the last row could keep its place: the next one mostly is like it. */
  #inPlace = true;
  readonly #scratch = new ByteWriter(64);

  constructor(readonly hides: readonly (Hide | null)[]) {}

  /**
   * Masks the DataRow `bytes[from, to)`: in its place, which must be the caller's own, as long as what hides a value is as
   * long as the value; else the row is written anew, what is not masked in runs.
   * @param anew where to, asked for at most once
   * @returns whether the row was masked in its place
   * @throws MalformedBytes where the row is not well formed or does not fit its description: then nothing of it may be used
   */
  mask(bytes: Uint8Array, from: number, to: number, anew: () => ByteWriter): boolean {
    const { hides } = this;
    const count = to - from >= 7 ? (bytes[from + 5]! << 8) | bytes[from + 6]! : -1;
    if (count !== hides.length) throw new MalformedBytes("a row has another number of columns than its description");
    let out = this.#inPlace ? null : anew();
    let start = out ? begin(out) : 0;
    let fits = true;
    let masked = 0;
    let copied = from + 5;
    let at = from + 7;
    for (let column = 0; column < count; column++) {
      const length = at + 4 <= to ? int32(bytes, at) : CUT_OFF;
      const value = at + 4;
      at = value + Math.max(length, 0);
      if (length < -1 || at > to) throw malformed("a row's value is longer than the row", out, start);
      const hide = hides[column];
      if (!hide || length === -1) continue;
      masked++;
      if (!out) {
        if (this.#overwrite(hide, bytes, value, at)) continue;
        out = anew();
        start = begin(out);
      }
      out.slice(bytes, copied, value - 4);
      const field = out.length;
      writeHidden(hide, bytes, value, at, out);
      if (out.length - field !== length + 4) fits = false;
      copied = at;
    }
    if (at !== to) throw malformed("a row is longer than its values", out, start);
    this.masked += masked;
    this.#inPlace = fits;
    if (!out) return true;
    out.slice(bytes, copied, to);
    out.setInt32(start + 1, out.length - start - 1);
    return false;
  }

  /** Hides a value in its place. False where it does not fit: then nothing has changed. */
  #overwrite(hide: Hide, bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from > SHORT) return false;
    const shown = this.#scratch.cut(0);
    if (!hidden(hide, bytes, from, to, shown) || shown.length !== to - from) return false;
    const written = shown.room(0);
    for (let at = from; at < to; at++) bytes[at] = written[at - from]!;
    return true;
  }
}

/** What is longer is mostly not as long as what hides it. */
const SHORT = 256;

/** The head of a row whose length is not known yet. @returns where it begins */
function begin(out: ByteWriter): number {
  const start = out.length;
  out.uint8(SERVER.DataRow).int32(0);
  return start;
}

/** A FunctionCallResponse with its value replaced. @returns how many values were. */
export function maskFunctionResult(frame: Uint8Array, hide: Hide, out: ByteWriter): number {
  const length = frame.length >= 9 ? int32(frame, 5) : CUT_OFF;
  if (length < -1 || 9 + Math.max(length, 0) !== frame.length)
    throw new MalformedBytes("a function's result is cut off");
  if (length === -1) {
    out.bytes(frame);
    return 0;
  }
  const start = out.length;
  out.uint8(SERVER.FunctionCallResponse).int32(0);
  writeHidden(hide, frame, 9, frame.length, out);
  out.setInt32(start + 1, out.length - start - 1);
  return 1;
}

/** In place of a length that is not there. */
const CUT_OFF = -2;

function int32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Nothing of the row may be used, so what was written of it goes. */
function malformed(message: string, out: ByteWriter | null, start: number): MalformedBytes {
  out?.cut(start);
  return new MalformedBytes(message);
}
