/** Token buckets by key: `burst` at once, `perSecond` in the long run. Holds at most `capacity` keys. */
export class RateLimit {
  private readonly buckets = new Map<string, { tokens: number; at: number }>();

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly now: () => number = Date.now,
    private readonly capacity = 10_000,
  ) {}

  /** Takes one; returns 0, or the seconds to wait where none is left. */
  take(key: string): number {
    const wait = this.wait(key);
    if (wait > 0) return wait;
    const tokens = this.tokens(key) - 1;
    this.buckets.delete(key);
    this.buckets.set(key, { tokens, at: this.now() });
    if (this.buckets.size > this.capacity) this.buckets.delete(this.buckets.keys().next().value as string);
    return 0;
  }

  /** The seconds until one is left, 0 where there is, taking none. */
  wait(key: string): number {
    const tokens = this.tokens(key);
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / this.perSecond);
  }

  private tokens(key: string): number {
    const bucket = this.buckets.get(key);
    if (!bucket) return this.burst;
    return Math.min(this.burst, bucket.tokens + ((this.now() - bucket.at) / 1000) * this.perSecond);
  }
}
