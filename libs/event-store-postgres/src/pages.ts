import type { modelV1 } from "#contracts";
import { Refused } from "#event-store";

/** Which part of a list is asked for. */
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

/** A row's place in a list by time, newest first. */
export interface Place {
  readonly at: Date;
  readonly id: string;
}

const DEFAULT_LIMIT = 100;
const MOST = 1000;

export const pageOf = (request?: modelV1.PageRequest): Page => ({
  limit: request?.limit ?? 0,
  cursor: request?.cursor ?? "",
});

/** How many rows to ask for: one more than the page, which tells whether there is another. */
export const rowsFor = ({ limit }: Page): number => sizeOf(limit) + 1;

export function paged<T>(rows: readonly T[], { limit }: Page, cursorOf: (item: T) => string): Paged<T> {
  const items = rows.slice(0, sizeOf(limit));
  const last = items.at(-1);
  return { items, next: rows.length > items.length && last !== undefined ? cursorOf(last) : "" };
}

/** Milliseconds only: for columns that hold no more. */
export const cursorAt = ({ at, id }: Place): string => `${at.getTime()}.${id}`;

/** Where the page goes on; null: at the beginning. @throws Refused `invalid` for what is no cursor of `cursorAt` */
export function placeOf({ cursor }: Page): Place | null {
  if (cursor === "") return null;
  const found = /^(\d{1,15})\.([0-9A-Za-z-]{1,64})$/.exec(cursor);
  if (!found) throw new Refused("invalid", "the cursor is not one of ours: begin without", { field: "cursor" });
  return { at: new Date(Number(found[1])), id: found[2]! };
}

const sizeOf = (limit: number) => Math.min(limit || DEFAULT_LIMIT, MOST);
