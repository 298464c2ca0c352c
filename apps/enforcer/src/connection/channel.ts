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

/** A socket of a session: writes are batched until `flush`, and it says when it is clogged. */
export class Channel {
  bytesIn = 0;
  bytesOut = 0;
  #corked = false;
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
    this.socket.on("drain", () => {
      if (!this.#closed && !this.clogged) events.drained();
    });
    this.socket.on("end", () => this.#gone());
    this.socket.on("close", () => this.#gone());
    if (this.socket.destroyed || this.socket.readableEnded) setImmediate(() => this.#gone());
    else this.socket.resume();
  }

  get clogged(): boolean {
    return this.socket.writableLength > WINDOW;
  }

  get closed(): boolean {
    return this.#closed || this.socket.destroyed;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.closed || !this.socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      this.socket.cork();
    }
    this.bytesOut += bytes.length;
    this.socket.write(bytes);
  }

  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.socket.uncork();
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

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed();
  }
}
