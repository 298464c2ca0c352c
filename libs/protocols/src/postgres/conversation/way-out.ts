import { ByteWriter, type FrameAssembler } from "#bytes";
import type { ServerStep } from "../../protocol.js";

/** Rewritten bytes leave in pieces of about this size. */
const PIECE = 64 * 1024;
/** Up to this, what passes before something rewritten is copied to it rather than sent apart. */
const JOINED_UP_TO = 4096;

/**
 * Where the server's messages go to the client, in their order: as they came and in pieces as large as they came, or
 * written anew. Each function that deals with the message at hand is the last that is called for it.
 */
export class WayOut {
  readonly #frames: FrameAssembler;
  /** Rewritten messages that have not left; what passes behind them while they are here joins them. */
  readonly #rewritten = new ByteWriter(1024);
  readonly #ready: ServerStep[] = [];
  /** Ours, for the client, as soon as the message that is passing has passed. */
  #aside: Uint8Array[] = [];

  constructor(frames: FrameAssembler) {
    this.#frames = frames;
  }

  /** The next step that is due. */
  next(): ServerStep | undefined {
    return this.#ready.length > 0 ? this.#ready.shift() : undefined;
  }

  get due(): boolean {
    return this.#ready.length > 0;
  }

  /** What is here is worth sending before more is looked at. */
  get full(): boolean {
    return this.#rewritten.length >= PIECE || this.#ready.length > 0;
  }

  /** Nothing waits before what comes next. */
  get empty(): boolean {
    return this.#rewritten.length === 0;
  }

  /** What the client can be sent now of a message of our own; it follows by itself where it has to wait. */
  say(message: Uint8Array): Uint8Array {
    if (!this.#frames.midway) return message;
    this.#aside.push(message);
    return new Uint8Array(0);
  }

  /** Between two messages: what was said while the first was on its way goes now. */
  sayWhatWaits(): void {
    if (this.#aside.length === 0 || this.#frames.midway) return;
    const anew = this.anew();
    for (const message of this.#aside.splice(0)) anew.bytes(message);
  }

  /** Where something is written anew, behind what goes before it. */
  readonly anew = (): ByteWriter => {
    if (this.#rewritten.length > 0) return this.#rewritten;
    const passed = this.#frames.passed();
    if (!passed) return this.#rewritten;
    if (passed.length <= JOINED_UP_TO) this.#rewritten.bytes(passed);
    else this.#ready.push({ kind: "forward", bytes: passed });
    return this.#rewritten;
  };

  /** The message at hand passes. It is small and all here: it joins what is rewritten before it. */
  pass(): true {
    if (this.#rewritten.length > 0) {
      this.#rewritten.bytes(this.#frames.whole() as Uint8Array);
      this.#frames.drop();
    } else this.#frames.pass();
    return true;
  }

  /** The message at hand passes, of whatever size, as far as it is here. */
  passStreamed(): true {
    if (this.#rewritten.length > 0) this.emit();
    this.#frames.pass();
    return true;
  }

  /** Something else in place of the message at hand. */
  replace(message: Uint8Array): true {
    this.anew().bytes(message);
    this.#frames.drop();
    return true;
  }

  /** Nothing in place of the message at hand. */
  swallow(): true {
    this.#frames.drop();
    return true;
  }

  /** Gives what is here out as steps, and another step behind it. */
  emit(behind: ServerStep | null = null): void {
    if (this.#rewritten.length > 0) this.#ready.push({ kind: "forward", bytes: this.#rewritten.take() });
    const passed = this.#frames.passed();
    if (passed) this.#ready.push({ kind: "forward", bytes: passed });
    if (behind) this.#ready.push(behind);
  }
}
