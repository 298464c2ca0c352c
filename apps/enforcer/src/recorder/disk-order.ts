/**
 * Of one session's records: up to which one the disk must have all before a command leaves. What is taken back should the
 * connection be lost need not be there before a command that could let it last.
 */
export class DiskOrder {
  #revocable = 0;

  /**
   * @param sequence the command's own record
   * @param needs the disk must have it before what it does lasts
   * @param revocable it does not last by itself
   * @returns 0: nothing
   */
  first(sequence: number, needs: boolean, revocable: boolean): number {
    if (revocable) {
      if (needs) this.#revocable = sequence;
      return 0;
    }
    const first = needs ? sequence : this.#revocable;
    this.#revocable = 0;
    return first;
  }
}
