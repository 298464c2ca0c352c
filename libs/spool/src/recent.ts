import type { Frame } from "./segment.js";

/** The newest records, kept in memory until they are read once, so that shipping them reads no file. */
export class Recent {
  #frames: Frame[] = [];
  #from = 0;
  #bytes = 0;

  /** @param limitBytes payloads held at most; the oldest go first. */
  constructor(private readonly limitBytes: number) {}

  /** The record that follows the last one pushed. */
  push(frame: Frame): void {
    this.#frames.push(frame);
    this.#bytes += frame.payload.length;
    while (this.#bytes > this.limitBytes) this.#drop();
  }

  /**
   * Records from `first` up to `last`, dropped here with all before them: at least one if there is one, else at most
   * `limitBytes`. Null where `first` is not held.
   */
  take(first: number, last: number, limitBytes: number): readonly Frame[] | null {
    const oldest = this.#frames[this.#from];
    if (!oldest || oldest.sequence > first) return null;
    while (this.#from < this.#frames.length && this.#frames[this.#from]!.sequence < first) this.#drop();
    const taken: Frame[] = [];
    for (let bytes = 0; bytes < limitBytes; ) {
      const frame = this.#frames[this.#from];
      if (!frame || frame.sequence > last) break;
      taken.push(frame);
      bytes += frame.payload.length;
      this.#drop();
    }
    return taken;
  }

  #drop(): void {
    this.#bytes -= this.#frames[this.#from]!.payload.length;
    this.#from++;
    if (this.#from < 1024 && this.#from < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#from);
    this.#from = 0;
  }
}
