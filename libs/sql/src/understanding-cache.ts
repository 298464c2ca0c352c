import type { Catalog, SqlContext } from "./catalog.js";
import type { Understanding } from "./understanding.js";

/** Longer texts are hardly ever sent twice. */
const LONGEST = 32 * 1024;

/** What has been understood, by text and what its names meant. A catalog that is gone takes its part along. */
export class UnderstandingCache {
  private readonly catalogs = new WeakMap<Catalog, Generations>();

  /** @param bytes roughly what one catalog's texts may take. */
  constructor(private readonly bytes: number) {}

  get(text: string, context: SqlContext): Understanding | undefined {
    return this.catalogs.get(context.catalog)?.get(keyOf(text, context));
  }

  set(text: string, context: SqlContext, understanding: Understanding): void {
    if (text.length > LONGEST) return;
    let texts = this.catalogs.get(context.catalog);
    if (!texts) this.catalogs.set(context.catalog, (texts = new Generations(this.bytes / 2)));
    texts.set(keyOf(text, context), understanding);
  }
}

/**
 * Two maps: when the young one is full it becomes the old one, and what was old and not asked for goes. So a flood of
 * texts that come once does not take along those that come again and again.
 */
class Generations {
  private young = new Map<string, Understanding>();
  private old = new Map<string, Understanding>();
  private weight = 0;

  constructor(private readonly limit: number) {}

  get(key: string): Understanding | undefined {
    const known = this.young.get(key);
    if (known) return known;
    const aged = this.old.get(key);
    if (aged) this.set(key, aged);
    return aged;
  }

  set(key: string, understanding: Understanding): void {
    if (this.weight > this.limit) {
      this.old = this.young;
      this.young = new Map();
      this.weight = 0;
    }
    this.young.set(key, understanding);
    this.weight += weightOf(key, understanding);
  }
}

/** Bytes, by rule of thumb: two a character of the text, and what each name or column comes to. */
function weightOf(key: string, { operations, uses, statements }: Understanding): number {
  let names = 0;
  for (const { tablesRead, tablesWritten, columnsRead, columnsWritten, functions } of operations) {
    names += tablesRead.length + tablesWritten.length + columnsRead.length + columnsWritten.length + functions.length;
  }
  let columns = 0;
  for (const { outputs, stores } of statements) columns += (outputs?.length ?? 0) + stores.length;
  return 1_000 + key.length * 4 + names * 80 + (columns + uses.length) * 200 + statements.length * 500;
}

/** No name holds a zero byte. */
function keyOf(text: string, context: SqlContext): string {
  const { searchPath, temporary, provisional, defaultPath, role, foreign, gone } = context;
  const path = searchPath === null ? "\0\0any" : searchPath.join("\0");
  if (!temporary?.length && !provisional && !defaultPath && role === undefined && !foreign && !gone)
    return `${path}\0\0\0${text}`;
  const more = [
    temporary?.join("\0"),
    defaultPath?.join("\0"),
    JSON.stringify(role),
    provisional,
    foreign,
    gone?.join("\0"),
  ];
  return `${path}\0\0${more.join("\0\0")}\0\0\0${text}`;
}
