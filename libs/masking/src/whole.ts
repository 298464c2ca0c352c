import type { Hide } from "./transform.js";
import type { PgType } from "./types/pg-type.js";

/** Hides whole values of a type: its neutral value, or SQL NULL where it has none. @param direct see `MaskRequest`. */
export function wholeOf(type: PgType, format: "text" | "binary", direct: boolean): Hide {
  if (type.family === "padded" && direct) return stars;
  const neutral = type.neutral?.[format] ?? null;
  return () => neutral;
}

/** `char(n)`: as long as the column is, which says nothing of the value. */
function stars(value: Uint8Array): Uint8Array {
  let length = 0;
  for (let i = 0; i < value.length; i++) if ((value[i]! & 0xc0) !== 0x80) length++;
  return Buffer.alloc(length, "*");
}
