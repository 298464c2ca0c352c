import { Inject, Injectable } from "@nestjs/common";
import { Bus, BusFailure } from "#bus";
import { type CallContext, identityV1, policyV1 } from "#contracts";

/** A pool that opens its connections asks twice each; who moves a resource waits no longer than this. */
const REMEMBERED_MS = 2_000;
const MOST_REMEMBERED = 10_000;

/**
 * Which enforcer may serve which resource: those of the resource's group. An enforcer elsewhere learns nothing of a token,
 * and spends no use of it.
 */
@Injectable()
export class Reach {
  readonly #enforcers = new Remembered();
  readonly #resources = new Remembered();

  constructor(@Inject(Bus) private readonly bus: Bus) {}

  /** @throws BusUnavailable, or BusFailure, where it can't be known now */
  async includes(enforcerId: string, resource: string, context: CallContext): Promise<boolean> {
    const [of, needed] = await Promise.all([
      this.#enforcers.get(enforcerId, () => this.#groupOfEnforcer(enforcerId, context)),
      this.#resources.get(resource, () => this.#groupOfResource(resource, context)),
    ]);
    return of !== null && of === needed;
  }

  async #groupOfEnforcer(id: string, context: CallContext): Promise<string | null> {
    const found = await this.bus.call(identityV1.Identity.method.getEnforcer, { id }, context).catch(nullWhereAbsent);
    return found && !found.removed ? found.group : null;
  }

  async #groupOfResource(name: string, context: CallContext): Promise<string | null> {
    const found = await this.bus.call(policyV1.Policy.method.getResource, { name }, context).catch(nullWhereAbsent);
    return found?.group ?? null;
  }
}

function nullWhereAbsent(error: unknown): null {
  if (error instanceof BusFailure && error.code === "not_found") return null;
  throw error;
}

/** Answers for a short time; who asks meanwhile waits for the same one. A failure is not remembered. */
class Remembered {
  readonly #known = new Map<string, { readonly until: number; readonly answer: Promise<string | null> }>();

  get(key: string, ask: () => Promise<string | null>): Promise<string | null> {
    const now = performance.now();
    const known = this.#known.get(key);
    if (known && known.until > now) return known.answer;
    if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
    const answer = ask();
    this.#known.set(key, { until: now + REMEMBERED_MS, answer });
    answer.catch(() => this.#known.delete(key));
    return answer;
  }
}
