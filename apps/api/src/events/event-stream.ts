import { create } from "@bufbuild/protobuf";
import type { Bus } from "#bus";
import { AUDIT_APPENDED, auditV1, type CallContext } from "#contracts";

const BATCH = 500;

export interface EventRange {
  /** Entries with an index greater than this. */
  readonly after: number;
  /** At most this many entries; undefined means no end. */
  readonly limit: number | undefined;
  /** Whether to go on with what is appended later. */
  readonly follow: boolean;
}

/**
 * The log's entries as lines of NDJSON, in order and without a gap. While following, an empty line every `heartbeatMs`
 * shows that the stream lives. Ends at the limit, at the log's head unless following, or when `signal` aborts.
 *
 * @throws what the bus throws; the reader resumes after the last index it saw
 */
export async function* eventLines(
  bus: Bus,
  { after, limit, follow }: EventRange,
  call: CallContext,
  { heartbeatMs, signal }: { heartbeatMs: number; signal: AbortSignal },
): AsyncGenerator<string, void, undefined> {
  const growth = follow ? new Growth(bus, signal) : undefined;
  let seen = after;
  let left = limit ?? Number.POSITIVE_INFINITY;
  try {
    while (left > 0 && !signal.aborted) {
      const entries = await list(bus, seen, Math.min(BATCH, left), call);
      for (const entry of entries) {
        // The index is dense, so a hole means that the answer is not the log.
        if (Number(entry.index) !== seen + 1) throw new Error(`entry ${entry.index} came after ${seen}`);
        seen += 1;
        left -= 1;
        yield `${line(entry)}\n`;
      }
      if (entries.length > 0) continue;
      if (!growth) return;
      if (!(await growth.next(heartbeatMs)) && !signal.aborted) yield "\n";
    }
  } finally {
    growth?.stop();
  }
}

async function list(bus: Bus, after: number, limit: number, call: CallContext): Promise<auditV1.Entry[]> {
  const request = create(auditV1.ListEntriesRequestSchema, { after: BigInt(after), limit });
  return (await bus.call(auditV1.Audit.method.listEntries, request, call)).entries;
}

/** The entry with its index put first. Canonicalised (RFC 8785), it is again the text that was hashed. */
function line({ index, json }: auditV1.Entry): string {
  return JSON.stringify({ index: Number(index), ...JSON.parse(json) });
}

/** Waits for the log to grow. What is announced between two waits is not lost. */
class Growth {
  private grown = false;
  private wake: (() => void) | null = null;
  private readonly subscription;

  constructor(bus: Bus, signal: AbortSignal) {
    this.subscription = bus.nats.subscribe(AUDIT_APPENDED, {
      callback: () => {
        this.grown = true;
        this.wake?.();
      },
    });
    signal.addEventListener("abort", () => this.wake?.(), { once: true });
  }

  /** True once the log has grown, false after `ms`. */
  async next(ms: number): Promise<boolean> {
    if (!this.grown) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.wake = null;
    }
    const grown = this.grown;
    this.grown = false;
    return grown;
  }

  stop(): void {
    this.subscription.unsubscribe();
  }
}
