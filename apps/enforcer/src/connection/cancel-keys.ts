import { randomBytes } from "node:crypto";

/** The keys this node's clients were given to cancel with; each is random and means one session. */
export class CancelKeys<Target> {
  readonly #targets = new Map<string, Target>();

  /** A key nobody has; `forget` it with the session. */
  issue(): Uint8Array {
    for (;;) {
      const key = randomBytes(8);
      if (!this.#targets.has(key.toString("hex"))) return key;
    }
  }

  remember(key: Uint8Array, target: Target): void {
    this.#targets.set(Buffer.from(key).toString("hex"), target);
  }

  forget(key: Uint8Array): void {
    this.#targets.delete(Buffer.from(key).toString("hex"));
  }

  find(key: Uint8Array): Target | undefined {
    return this.#targets.get(Buffer.from(key).toString("hex"));
  }
}
