/** As the grammar of each names its operator; SIMILAR TO has none of its own. */
export type PatternKind = "like" | "similar" | "regular" | "prefix";

/**
 * Whether a pattern surely asks for a character that it spells out. Only the plainest are read: letters and such, `%`
 * and `_`, or `^` and `$` at the ends of a regular expression. What holds anything else could match every text.
 */
export function needsLiteral(kind: PatternKind, pattern: string): boolean {
  switch (kind) {
    case "prefix":
      return pattern !== "";
    case "like":
      return /[^%_]/.test(pattern) && !pattern.includes("\\");
    case "similar":
      return /[^%_]/.test(pattern) && !/[\\|*+?{}()[\]^$.]/.test(pattern);
    case "regular":
      return /^\^?[^\\|*+?{}()[\]^$.]+\$?$/.test(pattern);
  }
}
