import type { Socket } from "node:net";

/** More than any login needs; what is beyond waits in the kernel. */
const WINDOW = 64 * 1024;

/** A socket's bytes, pulled: for the logins, before the relay takes over. */
export class Inbox {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | null = null;

  constructor(private readonly socket: Socket) {
    socket.on("data", this.#take);
    socket.on("end", this.#end);
    socket.on("close", this.#end);
    socket.on("error", this.#end);
  }

  /** The next bytes, or null when there are no more. */
  async next(): Promise<Buffer | null> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((wake) => (this.#wake = wake));
    }
    const chunk = this.#chunks.shift()!;
    this.#bytes -= chunk.length;
    if (this.#bytes < WINDOW && this.socket.isPaused()) this.socket.resume();
    return chunk;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Leaves the socket paused, without listeners, and gives what was not pulled. */
  detach(): readonly Buffer[] {
    this.socket.pause();
    this.socket.off("data", this.#take);
    this.socket.off("end", this.#end);
    this.socket.off("close", this.#end);
    this.socket.off("error", this.#end);
    return this.#chunks.splice(0);
  }

  readonly #take = (chunk: Buffer) => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= WINDOW) this.socket.pause();
    this.#wakeUp();
  };

  readonly #end = () => {
    this.#ended = true;
    this.#wakeUp();
  };

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
