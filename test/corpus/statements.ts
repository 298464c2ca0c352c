import { loadModule, scanSync } from "libpg-query";

await loadModule();

/** The statements of a script for psql, without what is psql's own: commands, and rows behind COPY FROM STDIN. */
export function statementsOf(script: string): string[] {
  const sql = script.replace(/^(copy\b[^;]*from stdin[^;]*;[^\n]*\n)[\s\S]*?^\\\.$/gim, "$1").replace(/^\\.*$/gm, "");
  const bytes = Buffer.from(sql);
  const statements: string[] = [];
  let from = 0;
  for (const end of ends(sql)) {
    statements.push(bytes.toString("utf8", from, end));
    from = end + 1;
  }
  return statements.map((text) => text.trim()).filter((text) => text !== "");
}

/** Where its semicolons are, in bytes; by the end of the line where the lexer refuses the script. */
function ends(sql: string): number[] {
  try {
    return scanSync(sql)
      .tokens.filter(({ text }) => text === ";")
      .map(({ start }) => start);
  } catch {
    return [...sql.matchAll(/;[ \t]*(--.*)?$/gm)].map(({ index }) => Buffer.byteLength(sql.slice(0, index)));
  }
}
