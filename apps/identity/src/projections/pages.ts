export interface Page {
  /** 0: 100. */
  readonly limit: number;
  /** The last page's `next`; empty for the first. */
  readonly cursor: string;
}
export interface Paged<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly next: string;
}

/** How many rows to ask for: one more than the page, which tells whether there is another. */
export const rowsFor = ({ limit }: Page): number => sizeOf(limit) + 1;

export function paged<T>(rows: readonly T[], { limit }: Page, cursorOf: (item: T) => string): Paged<T> {
  const items = rows.slice(0, sizeOf(limit));
  const last = items.at(-1);
  return { items, next: rows.length > items.length && last !== undefined ? cursorOf(last) : "" };
}

const sizeOf = (limit: number) => Math.min(limit || 100, 1000);
