import { randomBytes } from "node:crypto";

/** The keys this node's clients were given to cancel with; each has a secret of its own and means one session. */
export class CancelKeys<Target> {
  readonly #targets = new Map<string, Target>();

  /** Has something made with a key that nobody has. `remember` it at once, and `forget` it with the session. */
  issue<Made extends { readonly cancelKey: Uint8Array }>(make: (random: Uint8Array) => Made): Made {
    for (;;) {
      const made = make(randomBytes(32));
      if (!this.find(made.cancelKey)) return made;
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
