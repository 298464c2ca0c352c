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
      if (/\p{Surrogate}/u.test(value)) throw new TypeError("a lone surrogate has no canonical form");
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical form`);
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
      return `{${Object.keys(value)
        .sort()
        .map((key) => `${canonicalJson(key)}:${canonicalJson((value as { readonly [key: string]: Json })[key]!)}`)
        .join(",")}}`;
    default:
      throw new TypeError(`${typeof value} has no canonical form`);
  }
}
