/** A name that gets another meaning, or none, once the server confirms the message that says so. */
export interface Change<T> {
  readonly key: string;
  readonly segment: number;
  /** What the name meant; corrected when an earlier change turns out not to have happened. */
  before: T | undefined;
}

/**
 * Names (of statements, of portals) as they will be if everything that was sent succeeds. The server may refuse a
 * change, so each can be undone; and what is sent behind the end of the segment that a change belongs to (a Sync, a
 * Query) would run whether or not the change happened, so it must not rely on it before the answer is here.
 */
export class Names<T> {
  readonly #named = new Map<string, T>();
  /** Of the name that is empty, apart: it has another with every command. */
  #unnamed: T | undefined;
  /** Changes the server has not answered, in the order of sending. */
  #unsettled: Change<T>[] = [];
  /** Counts what names that SQL can use have come to mean, or ceased to: the unnamed is not among them. */
  version = 0;
  /** Bytes that are kept of what has a name, about. */
  kept = 0;
  readonly #sizeOf: (meaning: T) => number;

  /** @param sizeOf bytes that are kept of a meaning; always the same of the same */
  constructor(sizeOf: (meaning: T) => number) {
    this.#sizeOf = sizeOf;
  }

  get(key: string): T | undefined {
    return key === "" ? this.#unnamed : this.#named.get(key);
  }

  /** Every meaning there is. */
  forEach(visit: (meaning: T, key: string) => void): void {
    if (this.#unnamed !== undefined) visit(this.#unnamed, "");
    if (this.#named.size > 0) this.#named.forEach(visit);
  }

  change(key: string, meaning: T | undefined, segment: number): Change<T> {
    const change = { key, segment, before: this.get(key) };
    this.#unsettled.push(change);
    this.#set(key, meaning);
    return change;
  }

  /** Takes every name's meaning away. */
  clear(segment: number): Change<T>[] {
    const keys: string[] = [];
    this.forEach((_meaning, key) => {
      keys.push(key);
    });
    return keys.map((key) => this.change(key, undefined, segment));
  }

  settle(change: Change<T>): void {
    // Answers come in the order of sending, so it is the first but for what an error has left.
    if (this.#unsettled[0] === change) this.#unsettled.shift();
    else this.#unsettled = this.#unsettled.filter((other) => other !== change);
  }

  undo(change: Change<T>): void {
    // The last is undone first.
    const at = this.#unsettled.lastIndexOf(change);
    if (at < 0) return;
    this.#unsettled.splice(at, 1);
    let next = at;
    while (next < this.#unsettled.length && this.#unsettled[next]!.key !== change.key) next++;
    const later = this.#unsettled[next];
    if (later) later.before = change.before;
    else this.#set(change.key, change.before);
  }

  /** Whether a change of an earlier segment is still unanswered: of `key`, or of any that `matters`. */
  unsettledBefore(segment: number, matters: (key: string) => boolean): boolean {
    return (
      this.#unsettled.length > 0 && this.#unsettled.some((change) => change.segment < segment && matters(change.key))
    );
  }

  /** Takes the meaning from the names whose meaning is over for the server; those with a change under way stay. */
  forget(over: (meaning: T, key: string) => boolean, gone: (meaning: T) => void): void {
    const changing = this.#unsettled.length > 0 ? new Set(this.#unsettled.map(({ key }) => key)) : null;
    this.forEach((meaning, key) => {
      if (!over(meaning, key) || changing?.has(key)) return;
      this.#set(key, undefined);
      gone(meaning);
    });
  }

  #set(key: string, meaning: T | undefined): void {
    if (key === "") {
      this.#unnamed = meaning;
      return;
    }
    this.version++;
    const before = this.#named.get(key);
    if (before !== undefined) this.kept -= this.#sizeOf(before);
    if (meaning === undefined) this.#named.delete(key);
    else {
      this.#named.set(key, meaning);
      this.kept += this.#sizeOf(meaning);
    }
  }
}
