export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * JSON Canonicalization Scheme (RFC 8785): no white space, properties sorted by UTF-16 code units, numbers and strings as
 * ECMAScript writes them, so that everybody hashes the same bytes.
 *
 * @throws TypeError for what JSON can't say: NaN, infinities, undefined, bigint, lone surrogates
 */
export function canonicalJson(value: Json): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical form`);
      return String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return canonicalArray(value);
      return canonicalObject(value as { readonly [key: string]: Json });
    default:
      throw new TypeError(`${typeof value} has no canonical form`);
  }
}

// Loops, and no lists in between: this is most of what sealing an entry costs.

function canonicalArray(values: readonly Json[]): string {
  let text = "";
  for (const value of values) text += text === "" ? canonicalJson(value) : `,${canonicalJson(value)}`;
  return `[${text}]`;
}

function canonicalObject(value: { readonly [key: string]: Json }): string {
  let text = "";
  for (const key of Object.keys(value).sort()) {
    text += `${text === "" ? "" : ","}${quoted(key)}:${canonicalJson(value[key]!)}`;
  }
  return `{${text}}`;
}

/** ASCII without control characters, quotes and backslashes: nothing to escape, no surrogate. Most names and texts. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (/\p{Surrogate}/u.test(text)) throw new TypeError("a lone surrogate has no canonical form");
  return JSON.stringify(text);
}
