/** Fields of a row, as ranges of its bytes: short ones cost less looked at here than a view and a call out of JavaScript. */

export function same(wanted: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[from + i] !== wanted[i]) return false;
  return true;
}

export function contains(bytes: Uint8Array, from: number, to: number, wanted: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === wanted) return true;
  return false;
}
