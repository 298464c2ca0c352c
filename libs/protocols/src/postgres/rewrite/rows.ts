import { type ByteWriter, MalformedBytes } from "#bytes";
import type { Mask } from "#commands";
import { SERVER } from "../codes.js";
import type { RowDescription } from "../messages.js";
import { apply } from "./masks.js";

/**
 * Writes a DataRow with its masked values replaced. What is not masked is copied in runs.
 * @returns how many values were masked; NULLs do not count.
 * @throws MalformedBytes where the row is not well formed or does not fit its description.
 */
export function maskRow(
  row: Uint8Array,
  masks: readonly (Mask | null)[],
  described: RowDescription,
  out: ByteWriter,
): number {
  const count = row.length >= 7 ? ((row[5] as number) << 8) | (row[6] as number) : -1;
  if (count !== masks.length) throw new MalformedBytes("a row has another number of columns than its description");
  const start = out.length;
  out.uint8(SERVER.DataRow).int32(0);
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
    out.slice(row, copied, value - 4);
    writeValue(out, apply(mask, row.subarray(value, at), oid, format));
    copied = at;
    masked++;
  }
  if (at !== row.length) throw new MalformedBytes("a row is longer than its values");
  out.slice(row, copied, row.length);
  out.setInt32(start + 1, out.length - start - 1);
  return masked;
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
