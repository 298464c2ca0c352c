import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Inject, Injectable, Logger, type OnApplicationShutdown } from "@nestjs/common";
import { Bus } from "#bus";
import { tokensV1 } from "#contracts";
import { systemCall } from "../http/caller.js";

/** What is known of one. */
export interface RefusedExchange {
  readonly reason: string;
  readonly message: string;
  /** Empty where the token names none that is trusted. */
  readonly issuer: string;
  /** As the issuer signed them; empty where nothing is proven. */
  readonly subject: string;
  readonly subjectTokenId: string;
  /** Empty where the token was not accepted. */
  readonly principalId: string;
  readonly resource: string;
  readonly clientAddress: string;
}

/** Those alike that are not told yet: how many, and the last of them. */
interface Gathered {
  readonly last: RefusedExchange;
  readonly count: number;
  readonly since: number;
  readonly addresses: readonly string[];
}

const WITHIN_MS = 60_000;
const MOST_ADDRESSES = 10;
const MOST_PRINCIPALS = 1_000;

/**
 * Tells the log of refused exchanges: the first of a kind at once, what follows within a minute as one entry that counts
 * it. A kind is a reason and an issuer, and of a token that was accepted its principal: however many come from whoever can
 * only knock, the entries stay few, and none of them hides what befalls a principal.
 */
@Injectable()
export class RefusedExchanges implements OnApplicationShutdown {
  readonly #kinds = new Map<string, Gathered | null>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #log = new Logger("api");

  constructor(@Inject(Bus) private readonly bus: Bus) {}

  /** Never rejects: it is refused whether or not that can be told. */
  async note(refused: RefusedExchange): Promise<void> {
    const kind = this.#kindOf(refused);
    const one = { last: refused, count: 1, since: Date.now(), addresses: [refused.clientAddress] };
    if (this.#kinds.has(kind)) {
      this.#kinds.set(kind, together(this.#kinds.get(kind) ?? null, one));
      return;
    }
    this.#begin(kind);
    await this.#tell(kind, one);
  }

  /** What is gathered is told before it is forgotten. */
  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    const left = [...this.#kinds];
    await Promise.all(left.map(([kind, gathered]) => gathered && this.#tell(kind, gathered)));
  }

  #kindOf({ reason, issuer, principalId }: RefusedExchange): string {
    const known = JSON.stringify([reason, issuer, principalId]);
    return this.#kinds.has(known) || this.#kinds.size < MOST_PRINCIPALS ? known : JSON.stringify([reason, issuer]);
  }

  #begin(kind: string): void {
    this.#kinds.set(kind, null);
    const timer = setTimeout(() => void this.#close(kind), WITHIN_MS);
    timer.unref();
    this.#timers.set(kind, timer);
  }

  async #close(kind: string): Promise<void> {
    const gathered = this.#kinds.get(kind);
    this.#kinds.delete(kind);
    this.#timers.delete(kind);
    if (!gathered) return;
    this.#begin(kind);
    await this.#tell(kind, gathered);
  }

  /** What cannot be told is kept for the next time. */
  async #tell(kind: string, gathered: Gathered): Promise<void> {
    const { last, count, since, addresses } = gathered;
    const { clientAddress: _, ...said } = last;
    const request = create(tokensV1.RecordRefusalRequestSchema, {
      ...{ ...said, clientAddresses: [...addresses], count, since: timestampFromMs(since) },
    });
    try {
      await this.bus.call(tokensV1.Tokens.method.recordRefusal, request, systemCall("token exchange"));
    } catch (error) {
      this.#log.warn(`${count} refused exchanges (${last.reason}) are not in the log yet: ${(error as Error).message}`);
      this.#kinds.set(kind, together(gathered, this.#kinds.get(kind) ?? null));
    }
  }
}

function together(earlier: Gathered | null, later: Gathered | null): Gathered | null {
  if (!earlier || !later) return earlier ?? later;
  return {
    last: later.last,
    count: earlier.count + later.count,
    since: earlier.since,
    addresses: [...new Set([...earlier.addresses, ...later.addresses])].slice(0, MOST_ADDRESSES),
  };
}
