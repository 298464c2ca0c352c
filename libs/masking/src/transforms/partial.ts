import { isUtf8 } from "node:buffer";
import type { Hide } from "../mask.js";
import { numberProblem, type Options, type TransformDefinition, unknownOption } from "../transform.js";

const DEFAULT_KEEP_LAST = 4;
/** A longer one is no domain's last label, and a longer one no domain: text that was made to look like one. */
const LAST_LABEL_AT_MOST = 18;
const DOMAIN_AT_MOST = 64;
/** Longer hidden stretches are shown this long, so a long text does not show its length. */
const HIDDEN_AT_MOST = 64;

/**
 * Shows the first and last few characters of a text, at most half of it: what is shorter is hidden whole. In an e-mail
 * address the numbers count in the part before the `@`; of the domain only its last label shows, all of it with
 * `keep_domain`; what is longer than domains are is no e-mail address. Other types than text get their neutral value.
 * Options: `keep_first`, `keep_last` (0 to 32; only `keep_last` 4 where neither is given), `mask` (one printable ASCII
 * character, default `*`), `keep_domain` (`true` or `false`, default `false`).
 */
export const partial: TransformDefinition = {
  whole: false,
  check(options) {
    const { mask, keep_domain: keepDomain } = options;
    const problem =
      unknownOption(options, ["keep_first", "keep_last", "mask", "keep_domain"]) ??
      numberProblem(options, "keep_first", 0, 32) ??
      numberProblem(options, "keep_last", 0, 32);
    if (problem) return problem;
    if (mask !== undefined && !/^[!-~]$/.test(mask)) return "needs one printable ASCII character in `mask`";
    if (keepDomain !== undefined && !/^(true|false)$/.test(keepDomain))
      return "needs `true` or `false` in `keep_domain`";
    return null;
  },
  hide({ options, type, whole }) {
    if (type.family !== "text" && type.family !== "padded") return whole;
    return partly(options, type.family === "padded", whole);
  },
};

function partly(options: Options, padded: boolean, whole: Hide): Hide {
  const given = options.keep_first ?? options.keep_last;
  const first = Number(options.keep_first ?? 0);
  const last = Number(options.keep_last ?? (given === undefined ? DEFAULT_KEEP_LAST : 0));
  const mask = (options.mask ?? "*").charCodeAt(0);
  const keepDomain = options.keep_domain === "true";

  return (value, from, to, out) => {
    // Bytes of another client encoding could be cut in the middle of a character.
    const ascii = isAscii(value, from, to);
    if (!ascii && !isUtf8(value.subarray(from, to))) return whole(value, from, to, out);
    let end = to;
    if (padded) while (end > from && value[end - 1] === BLANK) end--;
    const at = atSignOf(value, from, end);
    const target = out.room(to - from);
    const start = out.length;
    let length: number;
    if (at === -1) {
      length = hidePart(value, from, end, ascii, first, last, mask, target, start);
    } else {
      length = hidePart(value, from, at, ascii, first, last, mask, target, start);
      target[length++] = AT;
      const shown = keepDomain ? at + 1 : lastDot(value, end);
      if (shown > at + 1) length = hidePart(value, at + 1, shown, ascii, 0, 0, mask, target, length);
      length = copy(value, shown, end, target, length);
    }
    // What pads char(n) stays, so the value keeps its width.
    length = copy(value, end, to, target, length);
    out.advance(length - start);
    return true;
  };
}

const AT = 0x40;
const DOT = 0x2e;
const BLANK = 0x20;

/** Where the one `@` of something like `name@domain.tld` in `value[from, end)` stands, else -1. */
function atSignOf(value: Uint8Array, from: number, end: number): number {
  let at = -1;
  let dot = -1;
  for (let i = from; i < end; i++) {
    const byte = value[i]!;
    if (byte <= BLANK) return -1;
    if (byte === DOT) dot = i;
    else if (byte === AT) {
      if (at !== -1) return -1;
      at = i;
    }
  }
  if (at <= from || dot <= at + 1 || end - dot < 3) return -1;
  if (end - dot - 1 > LAST_LABEL_AT_MOST || end - at - 1 > DOMAIN_AT_MOST) return -1;
  for (let i = dot + 1; i < end; i++) if (!isLetter(value[i]!)) return -1;
  return at;
}

/** Short values cost less looked at here than a call out of JavaScript. */
function isAscii(value: Uint8Array, from: number, to: number): boolean {
  let bits = 0;
  for (let i = from; i < to; i++) bits |= value[i]!;
  return bits < 0x80;
}

function lastDot(value: Uint8Array, end: number): number {
  let at = end - 1;
  while (value[at] !== DOT) at--;
  return at;
}

const isLetter = (byte: number) => (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a);

/** Writes `value[from, to)` hidden but for its first and last characters; gives the new length of `out`. */
function hidePart(
  value: Uint8Array,
  from: number,
  to: number,
  ascii: boolean,
  first: number,
  last: number,
  mask: number,
  out: Uint8Array,
  length: number,
): number {
  const characters = ascii ? to - from : charactersOf(value, from, to);
  if ((first + last) * 2 > characters) first = last = 0;
  const headEnd = ascii ? from + first : behindFirst(value, from, to, first);
  const tailStart = ascii ? to - last : beforeLast(value, to, last);
  length = copy(value, from, headEnd, out, length);
  const hidden = Math.min(characters - first - last, HIDDEN_AT_MOST);
  for (let left = hidden; left > 0; left--) out[length++] = mask;
  return copy(value, tailStart, to, out, length);
}

function behindFirst(value: Uint8Array, from: number, to: number, characters: number): number {
  let at = from;
  for (let left = characters; left > 0; left--)
    do at++;
    while (at < to && !startsCharacter(value[at]!));
  return at;
}

function beforeLast(value: Uint8Array, to: number, characters: number): number {
  let at = to;
  for (let left = characters; left > 0; left--)
    do at--;
    while (!startsCharacter(value[at]!));
  return at;
}

function charactersOf(value: Uint8Array, from: number, to: number): number {
  let characters = 0;
  for (let i = from; i < to; i++) if (startsCharacter(value[i]!)) characters++;
  return characters;
}

const startsCharacter = (byte: number) => (byte & 0xc0) !== 0x80;

function copy(value: Uint8Array, from: number, to: number, out: Uint8Array, length: number): number {
  for (let i = from; i < to; i++) out[length++] = value[i]!;
  return length;
}
