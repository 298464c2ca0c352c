import { ByteWriter } from "#bytes";
import type { Mask, ValueType } from "#commands";

/** A mask by what it makes of a value. */
export const maskBy = (shown: (value: Buffer) => Uint8Array | null, labels: readonly string[] = []): Mask => ({
  labels,
  hide: () => (source, from, to, out) => {
    const bytes = shown(Buffer.from(source.subarray(from, to)));
    if (bytes) out.bytes(bytes);
    return bytes !== null;
  },
});

/** What a mask makes of a value that has others around it, of which, as of itself, nothing may change. */
export function maskedBy(mask: Mask, value: Uint8Array, type: ValueType): Buffer | null {
  const around = Buffer.from("around");
  const source = Buffer.concat([around, value, around]);
  const out = new ByteWriter(16).bytes(around);
  const shown = mask.hide(type)(source, around.length, around.length + value.length, out);
  if (!source.equals(Buffer.concat([around, value, around]))) throw new Error("a mask has written into its source");
  const written = out.take();
  if (written.toString("latin1", 0, around.length) !== "around") throw new Error("a mask has changed what was there");
  if (!shown && written.length > around.length) throw new Error("a mask has written something for NULL");
  return shown ? written.subarray(around.length) : null;
}
