/** Whether a pattern asks for some character that is there, and not for anything: `%`, `_%`, `.*` and `a?` do not. */
export function hasLiteral(operator: string, pattern: string): boolean {
  if (operator === "^@") return pattern !== "";
  if (operator.includes("~~")) return /[^%_\\]/.test(pattern);
  // An expression; what stands between `|` may each match alone.
  return pattern.split("|").every((branch) => {
    const certain = branch.replace(/\\./g, "a").replace(/(\[[^\]]*\]|\([^)]*\)|.)([*?]|\{0?,[^}]*\})/g, "");
    return /[^.^$()[\]{}+*?\\]/.test(certain);
  });
}
