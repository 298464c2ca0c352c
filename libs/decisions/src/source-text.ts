/** One policy of a document, as written. */
export interface PolicySource {
  readonly text: string;
  /** Where it begins in the document, in UTF-16 units. */
  readonly offset: number;
}

/**
 * Cuts a document into its policies, in the order written. A policy ends at a `;` outside of strings and comments
 * (Cedar grammar, `Policy ::= {Annotation} Effect '(' Scope ')' {Condition} ';'`). What follows the last `;` is a piece
 * of its own unless it is blank, so nothing is lost.
 */
export function splitPolicies(document: string): readonly PolicySource[] {
  const pieces: PolicySource[] = [];
  let start = -1;
  for (const { at, char } of significant(document)) {
    if (start < 0) start = at;
    if (char === ";") {
      pieces.push({ text: document.slice(start, at + 1), offset: start });
      start = -1;
    }
  }
  if (start >= 0) pieces.push({ text: document.slice(start).trimEnd(), offset: start });
  return pieces;
}

/** How deep brackets nest. */
export function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const { char } of significant(text)) {
    if ("([{".includes(char)) deepest = Math.max(deepest, ++depth);
    else if (")]}".includes(char)) depth -= 1;
  }
  return deepest;
}

/** The characters that are neither blank, nor in a comment, nor inside a string (of which only the quotes are told). */
function* significant(text: string): Generator<{ readonly at: number; readonly char: string }> {
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === "/" && text[at + 1] === "/") {
      const end = text.indexOf("\n", at);
      if (end < 0) return;
      at = end;
    } else if (char === '"') {
      yield { at, char };
      for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at++;
      if (at < text.length) yield { at, char };
    } else if (!/\s/.test(char)) {
      yield { at, char };
    }
  }
}

/** Line and column of an offset in UTF-16 units, both from 1; the column counts characters. */
export function position(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: [...before.slice(lineStart)].length + 1 };
}

/** Cedar counts bytes of UTF-8. */
export function fromByteOffset(text: string, bytes: number): number {
  return Buffer.from(text, "utf8").subarray(0, bytes).toString("utf8").length;
}
