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
    const last = this.#pieces.length - 1;
    const joined = last < 0 ? null : neighbours(this.#pieces[last]!, bytes);
    if (joined) this.#pieces[last] = joined;
    else this.#pieces.push(bytes);
  }

  flush(): void {
    const { socket, clogged } = this;
    if (this.#waiting === 0) return;
    const pieces = this.#pieces;
    const bytes = this.#waiting;
    this.#pieces = [];
    this.#waiting = 0;
    if (!socket.writable) return;
    if (pieces.length === 1) socket.write(pieces[0]!);
    else if (bytes <= JOINED_UP_TO) socket.write(Buffer.concat(pieces, bytes));
    else {
      socket.cork();
      for (const piece of pieces) socket.write(piece);
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
