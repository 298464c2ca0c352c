/**
 * Of one session's records: up to which one the disk must have all before a command leaves. What is taken back should the
 * connection be lost need not be there before a command that could let it last. By then it mostly is: a session's
 * transactions are alike, so the disk is given the last of their writes while the write itself still runs.
 */
export class DiskOrder {
  #revocable = 0;
  /** Writes that can be taken back, so far and in the transaction before. */
  #writes = 0;
  #writesBefore = 0;
  #ahead = 0;

  /**
   * @param sequence the command's own record
   * @param needs the disk must have it before what it does lasts
   * @param revocable it does not last by itself
   * @returns 0: nothing
   */
  first(sequence: number, needs: boolean, revocable: boolean): number {
    if (revocable) {
      if (needs) this.#write(sequence);
      return 0;
    }
    const first = needs ? sequence : this.#revocable;
    if (this.#revocable > 0) this.#end();
    return first;
  }

  /** The record that will probably be waited for next, once; 0: none. */
  ahead(): number {
    const sequence = this.#ahead;
    this.#ahead = 0;
    return sequence;
  }

  #write(sequence: number): void {
    this.#revocable = sequence;
    this.#ahead = ++this.#writes === this.#writesBefore ? sequence : 0;
  }

  #end(): void {
    this.#writesBefore = this.#writes;
    this.#writes = 0;
    this.#revocable = 0;
    this.#ahead = 0;
  }
}
