/**
 * The statement within `PREPARE name (types) AS statement`, as spelled: what follows the first AS outside parentheses,
 * quotes and comments. AS is a reserved word, so no name before it can be one unquoted. null where there is none; the
 * caller compares what comes out with what the parser saw.
 */
export function preparedText(prepare: string): string | null {
  const token = /\s+|--[^\n]*|\/\*|(?:[uU]&)?"(?:[^"]|"")*"|'(?:[^']|'')*'|[\p{L}_][\p{L}\p{N}_$]*|./suy;
  let depth = 0;
  for (let match = token.exec(prepare); match; match = token.exec(prepare)) {
    const [text] = match;
    if (text === "/*") token.lastIndex = commentEnd(prepare, token.lastIndex);
    else if (text === "(") depth += 1;
    else if (text === ")") depth -= 1;
    else if (depth === 0 && text.toLowerCase() === "as") return prepare.slice(token.lastIndex).trim();
  }
  return null;
}

/** Comments nest. */
function commentEnd(text: string, from: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  let depth = 1;
  for (let match = mark.exec(text); match; match = mark.exec(text)) {
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return text.length;
}
