import type { SessionEffect, TracedColumn } from "#sql";

/** What earlier commands of the session have made of its names. Immutable. */
export interface Names {
  /** Null is the session's default. */
  readonly searchPath: readonly string[] | null;
  /** SET LOCAL: until the transaction ends. */
  readonly localPath: readonly string[] | null;
  readonly temporary: readonly string[];
  readonly cursors: ReadonlyMap<string, readonly TracedColumn[]>;
}

const FRESH: Names = { searchPath: null, localPath: null, temporary: [], cursors: new Map() };

interface InFlight {
  readonly ordinal: number;
  readonly batch: number;
  readonly changesNames: boolean;
}

/**
 * Follows search_path, temporary relations and cursors through a session.
 *
 * A command's effects count at once for what follows in its batch: should it fail, the server skips that. What comes in
 * a later batch waits until the command is over (`settled`). A failure or ROLLBACK takes back what its transaction did;
 * where it cannot be known what a ROLLBACK TO left, names are uncertain until they are set again.
 */
export class SessionNames {
  #now = FRESH;
  /** As of the last time nothing was in flight and no transaction open. */
  #committed = FRESH;
  #inFlight: InFlight[] = [];
  #failed = false;
  #rolledBack = false;
  #uncertain = false;
  #waiting: { readonly batch: number; wake(): void }[] = [];

  get now(): Names {
    return this.#now;
  }

  /** The search path in force cannot be known. */
  get uncertain(): boolean {
    return this.#uncertain;
  }

  /** Undefined where the names are certain for a command of this batch, else when they are. */
  settled(batch: number): Promise<void> | undefined {
    if (!this.#mustWait(batch)) return undefined;
    return new Promise((wake) => this.#waiting.push({ batch, wake }));
  }

  /** A command goes on its way. */
  sent(ordinal: number, batch: number, effects: readonly SessionEffect[]): void {
    const before = this.#now;
    for (const effect of effects) this.#now = applied(this.#now, effect);
    if (effects.some((effect) => effect.kind === "searchPath" || effect.kind === "discards")) this.#uncertain = false;
    this.#inFlight.push({ ordinal, batch, changesNames: this.#now !== before });
  }

  /** It is over. */
  over(ordinal: number, tag: string, failed: boolean): void {
    this.#inFlight = this.#inFlight.filter((command) => command.ordinal !== ordinal);
    if (failed) this.#failed = true;
    if (/\bROLLBACK\b/.test(tag)) this.#rolledBack = true;
  }

  /** Called when the server's answers have been dealt with. */
  settle(transaction: "idle" | "active" | "failed"): void {
    if (this.#inFlight.length === 0) this.#settleAt(transaction);
    const ready = this.#waiting.filter(({ batch }) => !this.#mustWait(batch));
    this.#waiting = this.#waiting.filter(({ batch }) => this.#mustWait(batch));
    for (const { wake } of ready) wake();
  }

  #settleAt(transaction: "idle" | "active" | "failed"): void {
    const changed = this.#now !== this.#committed;
    if (transaction === "idle") {
      if (changed && (this.#failed || this.#rolledBack)) this.#now = this.#committed;
      if (this.#now.localPath) this.#now = { ...this.#now, localPath: null };
      this.#committed = this.#now;
      this.#failed = this.#rolledBack = false;
    } else if (transaction === "active" && this.#rolledBack) {
      // Still open after a ROLLBACK: it was one to a savepoint.
      if (changed) this.#uncertain = true;
      this.#failed = this.#rolledBack = false;
    }
  }

  #mustWait(batch: number): boolean {
    return this.#inFlight.some((command) => command.changesNames && command.batch < batch);
  }
}

function applied(names: Names, effect: SessionEffect): Names {
  switch (effect.kind) {
    case "searchPath":
      return effect.local
        ? { ...names, localPath: effect.path }
        : { ...names, searchPath: effect.path, localPath: null };
    case "createsTemporary":
      return { ...names, temporary: [...new Set([...names.temporary, effect.name])] };
    case "declares":
      return { ...names, cursors: new Map([...names.cursors, [effect.cursor, effect.outputs]]) };
    case "closes": {
      const cursors = new Map(names.cursors);
      if (effect.cursor === null) cursors.clear();
      else cursors.delete(effect.cursor);
      return { ...names, cursors };
    }
    case "discards":
      return FRESH;
    case "prepares":
    case "executes":
    case "deallocates":
    case "fetches":
    case "changesCatalog":
      return names;
    default:
      return effect satisfies never;
  }
}
