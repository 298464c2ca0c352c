import type { Hide } from "./mask.js";
import type { PgType } from "./types/pg-type.js";

/** Hides whole values of a type: its neutral value, or SQL NULL where it has none. @param direct see `MaskRequest`. */
export function wholeOf(type: PgType, format: "text" | "binary", direct: boolean): Hide {
  if (type.family === "padded" && direct) return stars;
  const neutral = type.neutral?.[format];
  return neutral ? always(neutral) : toNull;
}

/** One value for all. */
export const always =
  (value: Uint8Array): Hide =>
  (_source, _from, _to, out) => {
    out.bytes(value);
    return true;
  };

export const toNull: Hide = () => false;

/** `char(n)`: as long as the column is, which says nothing of the value. */
const stars: Hide = (source, from, to, out) => {
  const target = out.room(to - from);
  const start = out.length;
  let end = start;
  for (let at = from; at < to; at++) if ((source[at]! & 0xc0) !== 0x80) target[end++] = STAR;
  out.advance(end - start);
  return true;
};

const STAR = 0x2a;
