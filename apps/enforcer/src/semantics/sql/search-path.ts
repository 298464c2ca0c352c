/** The value of search_path as a connection's start-up gives it (SplitIdentifierString); null where it is not one. */
export function parseSearchPath(text: string): readonly string[] | null {
  const path: string[] = [];
  let rest = text.trim();
  if (rest === "") return [];
  for (;;) {
    const [whole, quoted, plain] = /^(?:"((?:[^"]|"")+)"|([^\s",]+))\s*/.exec(rest) ?? [];
    if (whole === undefined) return null;
    path.push(quoted?.replaceAll('""', '"') ?? plain!.toLowerCase());
    rest = rest.slice(whole.length);
    if (rest === "") return path;
    if (!rest.startsWith(",")) return null;
    rest = rest.slice(1).trimStart();
  }
}
