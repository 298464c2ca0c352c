import { createHash } from "node:crypto";
import { Lru } from "./lru.js";

/** Longer contents are kept by their digest, so that what is remembered has a bound. */
const LONGEST = 512;

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
    const whole = this.content(value);
    const content = whole.length > LONGEST ? createHash("sha256").update(whole).digest("base64") : whole;
    const number = this.#byContent.get(content) ?? this.#next++;
    this.#byContent.set(content, number);
    this.#byIdentity.set(value, number);
    return number;
  }
}
