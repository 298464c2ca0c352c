/** A bounded map; what was used longest ago goes first. */
export class Lru<K, V> {
  readonly #entries = new Map<K, V>();

  constructor(
    private readonly limit: number,
    private readonly evicted: (value: V) => void = () => {},
  ) {}

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.limit) {
      const [oldest, dropped] = this.#entries.entries().next().value!;
      this.#entries.delete(oldest);
      this.evicted(dropped);
    }
    this.#entries.set(key, value);
  }

  clear(): void {
    for (const value of this.#entries.values()) this.evicted(value);
    this.#entries.clear();
  }

  get size(): number {
    return this.#entries.size;
  }
}
