import type { Prepared } from "#protocols";
import type { Understanding } from "#sql";

/**
 * What a text's tables are. The server settles that when a statement is prepared, and again only where the search_path is
 * another or one of the tables has changed: a table of the same name that is made nearer on the path it does not notice.
 */
export interface Meaning {
  readonly path: string;
  readonly tables: Understanding["byPath"];
  /** A list of nothing else. */
  readonly alone: readonly Meaning[];
}

const meanings = new WeakMap<Understanding["byPath"], Meaning>();

/** The same object for the same text as long as names mean the same. */
export function meaningOf({ byPath }: Pick<Understanding, "byPath">, path: string): Meaning {
  let meaning = meanings.get(byPath);
  if (meaning?.path !== path) {
    const alone: Meaning[] = [];
    meaning = { path, tables: byPath, alone };
    alone.push(meaning);
    meanings.set(byPath, meaning);
  }
  return meaning;
}

/** Whether a name stands for another table. One that was not known may have been made by the same transaction. */
export function differ(one: Meaning, other: Meaning): boolean {
  for (const [name, table] of one.tables) if ((other.tables.get(name) ?? table) !== table) return true;
  return false;
}

/** Whether a statement that was prepared surely means to the server what it means now; that is noted. */
export function stillMeans(prepared: Prepared, meaning: Meaning): boolean {
  const before = prepared.meanings as readonly Meaning[] | undefined;
  if (!before) prepared.meanings = meaning.alone;
  else if (!before.includes(meaning)) {
    const there = before.find(({ path }) => path === meaning.path);
    if (there && differ(there, meaning)) return false;
    prepared.meanings = [...before.filter((other) => other !== there), meaning];
  }
  return true;
}
