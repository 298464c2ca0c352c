import { type ByteWriter, MalformedBytes } from "#bytes";
import type { Mask } from "#commands";
import { SERVER } from "../codes.js";
import type { RowDescription } from "../messages.js";
import { apply } from "./masks.js";

/**
 * Masks a DataRow: in its place, as long as what hides a value is as long as the value; from the first that is not, the row
 * is written anew, what is not masked in runs.
 * @param inPlace false: all is written anew
 * @param writer where to, asked for at most once
 * @returns how many values were masked, NULLs not counted; and whether the row was written anew
 * @throws MalformedBytes where the row is not well formed or does not fit its description: then nothing of it may be used
 */
export function maskRow(
  row: Uint8Array,
  masks: readonly (Mask | null)[],
  described: RowDescription,
  inPlace: boolean,
  writer: () => ByteWriter,
): { readonly masked: number; readonly anew: boolean } {
  const count = row.length >= 7 ? ((row[5] as number) << 8) | (row[6] as number) : -1;
  if (count !== masks.length) throw new MalformedBytes("a row has another number of columns than its description");
  let out = inPlace ? null : writer();
  let start = out ? begin(out) : 0;
  let masked = 0;
  let copied = 5;
  let at = 7;
  for (let column = 0; column < count; column++) {
    const length = int32(row, at);
    const value = at + 4;
    at = value + Math.max(length, 0);
    if (length < -1 || at > row.length) throw new MalformedBytes("a row's value is longer than the row");
    const mask = masks[column];
    if (!mask || length === -1) continue;
    const { oid, format } = (described[column] as RowDescription[number]).type;
    const hidden = apply(mask, row.subarray(value, at), oid, format);
    masked++;
    if (!out && hidden?.length === length) {
      overwrite(row, value, hidden);
      continue;
    }
    if (!out) {
      out = writer();
      start = begin(out);
    }
    out.slice(row, copied, value - 4);
    writeValue(out, hidden);
    copied = at;
  }
  if (at !== row.length) throw new MalformedBytes("a row is longer than its values");
  if (!out) return { masked, anew: false };
  out.slice(row, copied, row.length);
  out.setInt32(start + 1, out.length - start - 1);
  return { masked, anew: true };
}

/** The head of a row whose length is not known yet. @returns where it begins */
function begin(out: ByteWriter): number {
  const start = out.length;
  out.uint8(SERVER.DataRow).int32(0);
  return start;
}

function overwrite(row: Uint8Array, at: number, value: Uint8Array): void {
  if (value.length > 64) row.set(value, at);
  else for (let i = 0; i < value.length; i++) row[at + i] = value[i]!;
}

/** A FunctionCallResponse with its value replaced. */
export function maskFunctionResult(frame: Uint8Array, mask: Mask, format: "text" | "binary", out: ByteWriter): number {
  const length = int32(frame, 5);
  if (length < -1 || 9 + Math.max(length, 0) !== frame.length)
    throw new MalformedBytes("a function's result is cut off");
  if (length === -1) {
    out.bytes(frame);
    return 0;
  }
  const start = out.length;
  out.uint8(SERVER.FunctionCallResponse).int32(0);
  writeValue(out, apply(mask, frame.subarray(9), 0, format));
  out.setInt32(start + 1, out.length - start - 1);
  return 1;
}

function writeValue(out: ByteWriter, value: Uint8Array | null): void {
  if (value === null) out.int32(-1);
  else out.int32(value.length).bytes(value);
}

function int32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw new MalformedBytes("a row ends inside a value");
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
