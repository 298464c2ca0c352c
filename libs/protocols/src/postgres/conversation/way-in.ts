import type { FrameAssembler } from "#bytes";
import type { ClientStep } from "../../protocol.js";

const NOTHING = new Uint8Array(0);

/** Where the client's messages go to the server, in their order: as they came, with what is put between them. */
export class WayIn {
  readonly #frames: FrameAssembler;
  /** Due before the next message is looked at. */
  readonly #ready: ClientStep[] = [];

  constructor(frames: FrameAssembler) {
    this.#frames = frames;
  }

  /** The next step that is due. */
  next(): ClientStep | undefined {
    return this.#ready.length > 0 ? this.#ready.shift() : undefined;
  }

  get due(): boolean {
    return this.#ready.length > 0;
  }

  /** The message at hand passes. */
  pass(): true {
    this.#frames.pass();
    return true;
  }

  /** The message at hand passes, and is the last. */
  end(): true {
    this.#frames.pass();
    this.#ready.push({ kind: "end", bytes: this.#frames.passed() ?? NOTHING });
    return true;
  }

  /** Puts something between what has passed and what comes next. */
  insert(bytes: Uint8Array): void {
    this.emit({ kind: "forward", bytes });
  }

  /** Gives what has passed out as a step, and another step behind it. */
  emit(behind: ClientStep | null = null): void {
    const passed = this.#frames.passed();
    if (passed) this.#ready.push({ kind: "forward", bytes: passed });
    if (behind) this.#ready.push(behind);
  }
}
