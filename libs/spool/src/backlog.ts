import { Recent } from "./recent.js";
import type { Frame } from "./segment.js";
import { SegmentReader } from "./segment-reader.js";

/** A file of records. The newest of the source that is written to grows. */
export interface Segment {
  readonly path: string;
  readonly first: number;
  /** The last record in it; `first - 1` when it has none. */
  last: number;
  bytes: number;
  /** What its records' checksums begin with. */
  readonly seed: number;
}

/** Of records that are not shipped yet. */
const KEPT_IN_MEMORY = 4 << 20;
const MIB = 1 << 20;

/** The records of one source: to be read in order, and forgotten once they are safe elsewhere. */
export class Backlog {
  /** The newest records, so that shipping them reads no file. */
  readonly recent = new Recent(KEPT_IN_MEMORY);
  readonly #reader = new SegmentReader();
  #acknowledged: number;

  /**
   * @param source UUID: with the sequence number it names a record for ever.
   * @param segments oldest first; whoever writes them keeps them up to date.
   * @param last the newest record that is on disk.
   */
  constructor(
    readonly source: string,
    readonly segments: Segment[],
    acknowledged: number,
    public last: number,
  ) {
    this.#acknowledged = acknowledged;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The oldest record that can be read; what is before it was acknowledged, or is lost. */
  get oldest(): number {
    return this.segments[0]?.first ?? this.#acknowledged + 1;
  }

  /** Nothing of what is on disk is left to be shipped. */
  get done(): boolean {
    return this.#acknowledged >= this.last;
  }

  /** Records after `after` that are on disk, oldest first: at least one if there is one, else at most `limitBytes`. */
  async read(after: number, limitBytes = MIB): Promise<readonly Frame[]> {
    const first = after + 1;
    if (first > this.last) return [];
    const recent = this.recent.take(first, this.last, limitBytes);
    if (recent) return recent;
    const segment = this.segments.findLast((candidate) => candidate.first <= first);
    if (!segment) throw new RangeError(`sequence ${first} has been freed`);
    return this.#reader.read(segment, first, this.last, limitBytes);
  }

  /** Whether that is new. */
  acknowledge(sequence: number): boolean {
    const reached = Math.min(sequence, this.last);
    if (reached <= this.#acknowledged) return false;
    this.#acknowledged = reached;
    return true;
  }

  /** Takes an acknowledgement back, as far as the records are still here. Whether there are any. */
  goBack(sequence: number): boolean {
    const reached = Math.max(sequence, this.oldest - 1);
    if (reached >= this.#acknowledged) return false;
    this.#acknowledged = reached;
    return true;
  }

  /** Forgets the segments of which every record is acknowledged, the newest only where it is told to, and returns them. */
  cut(newestToo: boolean): Segment[] {
    const kept = this.segments.findIndex(({ last }) => last > this.#acknowledged);
    const most = newestToo ? this.segments.length : this.segments.length - 1;
    return this.segments.splice(0, Math.max(0, Math.min(kept < 0 ? most : kept, most)));
  }
}
