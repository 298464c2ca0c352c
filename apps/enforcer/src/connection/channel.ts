import type { Socket } from "node:net";
import { farewell } from "./farewell.js";

/** What may wait for a slow reader before nothing more is read from the other side. */
const WINDOW = 256 * 1024;

export interface ChannelEvents {
  data(chunk: Buffer): void;
  /** It takes bytes again after it was clogged. */
  drained(): void;
  /** The other end is gone, in order or not; once. */
  closed(): void;
}

/** Below this, pieces cost less joined than apart. */
const JOINED_UP_TO = 16 * 1024;

/** A socket of a session: what is written leaves together at `flush`, and it says when it is clogged. */
export class Channel {
  bytesIn = 0;
  bytesOut = 0;
  /** What waits for `flush`, which mostly is one piece. */
  #piece: Uint8Array | null = null;
  #pieces: Uint8Array[] = [];
  #waiting = 0;
  #closed = false;
  #events: ChannelEvents | null = null;

  constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on("error", () => socket.destroy());
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    this.socket.on("data", (chunk: Buffer) => {
      this.bytesIn += chunk.length;
      if (!this.#closed) events.data(chunk);
    });
    this.socket.on("drain", () => this.#drained());
    this.socket.on("end", () => this.#gone());
    this.socket.on("close", () => this.#gone());
    if (this.socket.destroyed || this.socket.readableEnded) setImmediate(() => this.#gone());
    else this.socket.resume();
  }

  get clogged(): boolean {
    return this.#waiting + this.socket.writableLength > WINDOW;
  }

  get closed(): boolean {
    return this.#closed || this.socket.destroyed;
  }

  /** @param bytes kept until they are sent: they must not be changed. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.closed) return;
    this.bytesOut += bytes.length;
    this.#waiting += bytes.length;
    if (this.#piece === null) {
      this.#piece = bytes;
      return;
    }
    const last = this.#pieces.length - 1;
    const joined = neighbours(last < 0 ? this.#piece : this.#pieces[last]!, bytes);
    if (joined === null) this.#pieces.push(bytes);
    else if (last < 0) this.#piece = joined;
    else this.#pieces[last] = joined;
  }

  flush(): void {
    const { socket, clogged } = this;
    if (this.#waiting === 0) return;
    const first = this.#piece!;
    const rest = this.#pieces;
    const bytes = this.#waiting;
    this.#piece = null;
    if (rest.length > 0) this.#pieces = [];
    this.#waiting = 0;
    if (!socket.writable) return;
    if (rest.length === 0) socket.write(first);
    else if (bytes <= JOINED_UP_TO) socket.write(Buffer.concat([first, ...rest], bytes));
    else {
      socket.cork();
      socket.write(first);
      for (const piece of rest) socket.write(piece);
      socket.uncork();
    }
    // What the network takes at once, no "drain" tells of.
    if (clogged && !this.clogged && !socket.writableNeedDrain) setImmediate(() => this.#drained());
  }

  /** Stops or lets go on reading. */
  reading(on: boolean): void {
    if (on === !this.socket.isPaused()) return;
    if (on) this.socket.resume();
    else this.socket.pause();
  }

  /** Sends what is written, then closes. */
  end(): void {
    this.#closed = true;
    this.flush();
    farewell(this.socket);
  }

  #drained(): void {
    if (!this.#closed && !this.clogged) this.#events?.drained();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed();
  }
}

/** Both in one piece, where they lie side by side: what passes unchanged mostly does. */
function neighbours(before: Uint8Array, behind: Uint8Array): Uint8Array | null {
  const { buffer, byteOffset, length } = before;
  if (buffer !== behind.buffer || byteOffset + length !== behind.byteOffset) return null;
  return Buffer.from(buffer, byteOffset, length + behind.length);
}
