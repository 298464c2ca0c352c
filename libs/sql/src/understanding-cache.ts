import type { Catalog, SqlContext } from "./catalog.js";
import type { Understanding } from "./understanding.js";

/** Longer texts are hardly ever sent twice. */
const LONGEST = 32 * 1024;

/** What has been understood, by text and what its names meant. A catalog that is gone takes its part along. */
export class UnderstandingCache {
  private readonly catalogs = new WeakMap<Catalog, Map<string, Understanding>>();

  constructor(private readonly size: number) {}

  get(text: string, context: SqlContext): Understanding | undefined {
    return this.catalogs.get(context.catalog)?.get(keyOf(text, context));
  }

  set(text: string, context: SqlContext, understanding: Understanding): void {
    if (text.length > LONGEST) return;
    let texts = this.catalogs.get(context.catalog);
    if (!texts) this.catalogs.set(context.catalog, (texts = new Map()));
    texts.set(keyOf(text, context), understanding);
    if (texts.size <= this.size) return;
    // The oldest of a Map comes first.
    for (const oldest of texts.keys()) {
      texts.delete(oldest);
      break;
    }
  }
}

/** No name holds a zero byte. */
function keyOf(text: string, { searchPath, temporary, provisional, defaultPath, role }: SqlContext): string {
  const path = searchPath.join("\0");
  if (!temporary?.length && !provisional && !defaultPath && role === undefined) return `${path}\0\0\0${text}`;
  return `${path}\0\0${temporary?.join("\0")}\0\0${defaultPath?.join("\0")}\0\0${role}\0\0${provisional}\0\0\0${text}`;
}
