import type { HostPart } from "#commands";
import type { Clock } from "../clock.js";

/** Nobody could be reached at a host, or what is there is not ready for anybody. */
export class HostAway extends Error {
  override readonly name = "HostAway";
  /** @param why continues "the host": `cannot be reached (ECONNREFUSED)`. */
  constructor(
    readonly why: string,
    options?: ErrorOptions,
  ) {
    super(`the host ${why}`, options);
  }
}

interface Away {
  readonly error: HostAway;
  readonly failures: number;
  readonly retryAt: number;
  probing: boolean;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Which hosts are away, and when each is tried again. A host that is away costs one session at a time a wait, and all
 * others nothing: they are told at once. The pause between two tries doubles, up to five seconds.
 */
export class HostHealth {
  readonly #away = new Map<string, Away>();

  constructor(private readonly clock: Clock) {}

  /** @throws HostAway at once while the host is known to be away; whatever `dial` throws. */
  async use<T>({ host, port }: HostPart, dial: () => Promise<T>): Promise<T> {
    const key = `${host} ${port}`;
    const before = this.#away.get(key);
    if (before && (before.probing || this.clock.now() < before.retryAt)) throw before.error;
    if (before) before.probing = true;
    try {
      const result = await dial();
      this.#away.delete(key);
      return result;
    } catch (error) {
      if (!(error instanceof HostAway)) this.#away.delete(key);
      // Those that were under way when the first of them failed are the same failure.
      else if (this.#away.get(key) === before) this.#failed(key, error, (before?.failures ?? 0) + 1);
      throw error;
    }
  }

  #failed(key: string, error: HostAway, failures: number): void {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
    this.#away.set(key, { error, failures, retryAt: this.clock.now() + pause, probing: false });
  }
}
