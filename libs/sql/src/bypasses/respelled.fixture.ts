/** The same statement written otherwise, and inside others: for what goes by meaning, that changes nothing. */
import fc from "fast-check";

/** A number from 0 up to and without `below`. */
type Pick = (below: number) => number;

const picked = <T>(make: (pick: Pick) => T): fc.Arbitrary<T> =>
  fc.noBias(fc.array(fc.nat(2 ** 16), { size: "max", maxLength: 120 })).map((picks) => {
    let at = 0;
    return make((below) => (picks[at++] ?? 0) % below);
  });

/** Tokens of SQL, as far as it takes to leave alone what is quoted: strings, dollar quotes, identifiers, comments. */
const TOKENS =
  /(?<space>\s+)|(?<opaque>--[^\n\r]*[\n\r]?|\/\*[\s\S]*?\*\/|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|(?:[uU]&|[bBxXnN])?'(?:[^']|'')*'|(\$[a-zA-Z_]*\$)[\s\S]*?\3|(?:[uU]&)?"(?:[^"]|"")*"|\$?\d[\w.]*)|(?<word>[a-zA-Z_\u0080-\uffff][\w$\u0080-\uffff]*)|[\s\S]/gu;

const SPACES = [
  " ",
  "\n",
  "\t",
  "\f",
  "  ",
  "/**/",
  " /* ' */ ",
  '/* /* " */ $$ */',
  " -- ; drop table x\n",
  "\r\n--\n",
];
/** Of the shop, and no keywords. */
const NAMES = new Set(
  "customers orders payments people accounts transfers contacts events email phone card ssn iban mail note".split(" "),
);

/** With other case, spaces, comments and quotes. */
export const respelled = (text: string): fc.Arbitrary<string> =>
  picked((pick) => {
    const nested = /\/\*[^*]*\/\*/.test(text);
    if (nested) return text;
    let written = "";
    let quote = false;
    for (const { 0: token, groups } of text.matchAll(TOKENS)) {
      // Strings that only a line break parts are one.
      if (groups?.space !== undefined) written += quote || pick(3) < 2 ? token : SPACES[pick(SPACES.length)];
      else if (groups?.word !== undefined) written += word(token, pick);
      else written += token;
      if (groups?.space === undefined) quote = token.endsWith("'");
    }
    return written;
  });

function word(name: string, pick: Pick): string {
  const way = pick(4);
  if (way === 0) return name;
  if (way === 1 && NAMES.has(name)) return `"${name}"`;
  if (way === 2 && NAMES.has(name))
    return `U&"${name.replace(/[aeiou]/, (v) => `\\00${v.charCodeAt(0).toString(16)}`)}"`;
  return name.replace(/[a-z]/gi, (letter) => (pick(2) === 0 ? letter.toUpperCase() : letter.toLowerCase()));
}

type Nest = (text: string) => string;
/** Around what gives rows. */
const AROUND_ROWS: readonly Nest[] = [
  (x) => `select * from (${x}) w`,
  (x) => `with w as (${x}) select * from w`,
  (x) => `with w as materialized (${x}), v as (table w) select * from v`,
  (x) => `select (select w::text from (${x}) w limit 1)`,
  (x) => `select to_json(w) from (${x}) w`,
  (x) => `select array(select w from (${x}) w)`,
  (x) => `select v.* from (select 1) o, lateral (${x}) v`,
  (x) => `(${x}) union all (${x})`,
  (x) => `select coalesce(w, w) from (${x}) w`,
];
/** Around the whole. */
const AROUND_ALL: readonly Nest[] = [(x) => `copy (${x}) to stdout`, (x) => `declare w cursor for ${x}`];
const AROUND_WRITES: readonly Nest[] = [
  (x) => `with w as (${x}) select ${/\breturning\b/i.test(x) ? "* from w" : "1"}`,
  (x) => `explain analyze ${x}`,
];

export const GIVES_ROWS = /^(select|values|table|with)\b/i;
const WRITES = /^(insert|update|delete|merge)\b/i;
/** SELECT INTO, writes in WITH and several statements stand nowhere but at the top. */
const ONLY_AT_TOP = /\binto\b|;|^with\b[\s\S]*\b(insert|update|delete|merge)\b/i;
/** A string that does not end takes what stands behind it: put twice, it ends. */
const ENDLESS = /^[^']*('[^']*'[^']*)*'[^']*$/;

/** Inside others, where its kind can be. */
export const nested = (text: string): fc.Arbitrary<string> =>
  picked((pick) => {
    if (ONLY_AT_TOP.test(text) && !/^(insert|merge)\b[^;]*$/i.test(text)) return text;
    if (ENDLESS.test(text)) return text;
    if (WRITES.test(text)) return AROUND_WRITES[pick(AROUND_WRITES.length)]!(text);
    if (!GIVES_ROWS.test(text)) return text;
    let around = text;
    for (let left = pick(3); left > 0; left--) around = AROUND_ROWS[pick(AROUND_ROWS.length)]!(around);
    return pick(4) === 3 ? AROUND_ALL[pick(AROUND_ALL.length)]!(around) : around;
  });
