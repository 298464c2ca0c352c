import type { ColumnRef, ColumnUse } from "#commands";
import type { Trace } from "./trace.js";

/** A use, without the column and where it stands. */
export type Use =
  | { readonly action: "filter"; readonly use: Extract<ColumnUse, { action: "filter" }>["use"] }
  | { readonly action: "order"; readonly use: Extract<ColumnUse, { action: "order" }>["use"] };

export const FILTER = {
  equality: { action: "filter", use: "equality" },
  join: { action: "filter", use: "join" },
  pattern: { action: "filter", use: "pattern" },
  range: { action: "filter", use: "range" },
  presence: { action: "filter", use: "presence" },
  other: { action: "filter", use: "other" },
} as const satisfies Record<string, Use>;
export const ORDER = {
  sort: { action: "order", use: "sort" },
  group: { action: "order", use: "group" },
  distinct: { action: "order", use: "distinct" },
  plan: { action: "order", use: "plan" },
} as const satisfies Record<string, Use>;

/** What is noted of a use besides the column. */
export interface Noted {
  readonly use: Use;
  readonly clause: string;
  readonly by: string;
  readonly against: Against;
}

/** What else has a say in it: nothing but what the text spells out, other columns as they stand, or more than that. */
export type Against = "text" | "columns" | "anything";

/** The uses of columns seen so far, each once. */
export class Uses {
  /** Whether who asks gives the arguments of functions that are called here. */
  readonly takesArguments: boolean = true;
  readonly list: ColumnUse[] = [];
  readonly #seen = new Map<ColumnRef | null, Set<string>>();

  note(trace: Trace, noted: Noted): void {
    for (const source of trace.sources) this.#note(source, noted);
    if (trace.leaks) this.#note(null, noted);
  }

  add(uses: readonly ColumnUse[]): void {
    for (const use of uses) {
      if (use.action !== "copy" && this.#isNew(use.column, use.action + use.use + use.clause)) this.list.push(use);
    }
  }

  #note(column: ColumnRef | null, { use, clause, by }: Noted): void {
    if (this.#isNew(column, use.action + use.use + clause)) this.list.push({ ...use, column, clause, by });
  }

  #isNew(column: ColumnRef | null, key: string): boolean {
    const seen = this.#seen.get(column);
    if (seen?.has(key)) return false;
    if (seen) seen.add(key);
    else this.#seen.set(column, new Set([key]));
    return true;
  }
}

/**
 * Within a view or a function that was there before: what its author wrote about fixed values, and in which order or
 * groups it gives its rows, is not the asker's question. What compares a column by more than equality with another one
 * could be, since that other one may be written to; and what a function is given is the asker's.
 */
export class AuthorsUses extends Uses {
  constructor(override readonly takesArguments: boolean) {
    super();
  }

  override note(trace: Trace, { use: noted, against, ...where }: Noted): void {
    const { action, use } = noted;
    if (against === "text" || action === "order") return;
    const equal = use === "equality" || use === "join";
    if (equal && !(this.takesArguments && against === "anything")) return;
    super.note({ ...trace, leaks: trace.leaks && this.takesArguments }, { use: noted, against, ...where });
  }
}

/** Nothing is kept: for what is only looked at. */
export class NoUses extends Uses {
  override note(): void {}
  override add(): void {}
}
