import { createHash } from "node:crypto";
import { Lru } from "./lru.js";

const LONGEST = 512;

/** Stands for a content where it is remembered: itself or, so that this has a bound, its digest. */
export const bounded = (content: string): string =>
  content.length > LONGEST ? createHash("sha256").update(content).digest("base64") : content;

/**
 * Small numbers for values that are equal by content. A value met again by identity costs one WeakMap lookup. Numbers
 * are never given twice, so forgetting a value only costs a miss later.
 */
export class Interner<T extends object> {
  readonly #byIdentity = new WeakMap<T, number>();
  readonly #byContent: Lru<string, number>;
  #next = 1;

  constructor(
    limit: number,
    private readonly content: (value: T) => string,
  ) {
    this.#byContent = new Lru(limit);
  }

  number(value: T): number {
    const known = this.#byIdentity.get(value);
    if (known !== undefined) return known;
    const content = bounded(this.content(value));
    const number = this.#byContent.get(content) ?? this.#next++;
    this.#byContent.set(content, number);
    this.#byIdentity.set(value, number);
    return number;
  }
}
