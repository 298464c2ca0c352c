import type { ByteWriter } from "#bytes";
import type { Hide, Mask, ValueType } from "#commands";

/** Hides whatever it is given: for when nothing better is known. */
export const toNull: Hide = () => false;

/** How a mask hides values of a type, null where it is none. What fails, at any value, hides to NULL. */
export function hideOf(mask: Mask | null, type: ValueType): Hide | null {
  try {
    return mask?.hide(type) ?? null;
  } catch {
    return toNull;
  }
}

/** Writes what hides a value; false for NULL, which is what a value comes to that cannot be hidden. */
export function hidden(hide: Hide, source: Uint8Array, from: number, to: number, out: ByteWriter): boolean {
  const start = out.length;
  try {
    if (hide(source, from, to, out)) return true;
  } catch {
    // As NULL.
  }
  out.cut(start);
  return false;
}

/** The same behind its length, as a field of a row is. */
export function writeHidden(hide: Hide, source: Uint8Array, from: number, to: number, out: ByteWriter): void {
  const start = out.length;
  out.int32(-1);
  if (hidden(hide, source, from, to, out)) out.setInt32(start, out.length - start - 4);
}
