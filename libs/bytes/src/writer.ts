/** Up to this, bytes cost less copied one by one than a call out of JavaScript. */
const SHORT = 64;

/** Writes big-endian fields into a buffer that grows. (`#grow` comes first each time: it may replace the buffer.) */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(Math.max(capacity, 16));
  }

  get length(): number {
    return this.#length;
  }

  uint8(value: number): this {
    const at = this.#grow(1);
    this.#buffer[at] = value;
    return this;
  }

  int16(value: number): this {
    const at = this.#grow(2);
    this.#buffer.writeInt16BE(value, at);
    return this;
  }

  uint16(value: number): this {
    const at = this.#grow(2);
    this.#buffer.writeUInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#grow(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  uint32(value: number): this {
    const at = this.#grow(4);
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.length);
    if (value.length > SHORT) this.#buffer.set(value, at);
    else for (let i = 0; i < value.length; i++) this.#buffer[at + i] = value[i]!;
    return this;
  }

  /** Part of `source`: saves a view a call. */
  slice(source: Uint8Array, start: number, end: number): this {
    if (start === end) return this;
    const at = this.#grow(end - start);
    if (end - start <= SHORT) for (let i = start; i < end; i++) this.#buffer[at + i - start] = source[i]!;
    else if (source instanceof Buffer) source.copy(this.#buffer, at, start, end);
    else this.#buffer.set(source.subarray(start, end), at);
    return this;
  }

  utf8(value: string): this {
    const size = Buffer.byteLength(value, "utf8");
    const at = this.#grow(size);
    this.#buffer.write(value, at, "utf8");
    return this;
  }

  /** UTF-8 and a NUL. A NUL inside would end the string early, so it becomes a space. */
  cstring(value: string): this {
    return this.utf8(value.replaceAll("\0", " ")).uint8(0);
  }

  /** Overwrites four bytes at `at`, for a length that is known only later. */
  setInt32(at: number, value: number): this {
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  /** A buffer to write into directly, at least `size` bytes from `length` on, until anything else is written. */
  room(size: number): Buffer {
    this.#length = this.#grow(size);
    return this.#buffer;
  }

  /** So many bytes of the room, from `length` on, have been written. */
  advance(size: number): this {
    this.#grow(size);
    return this;
  }

  /** Forgets what was written from `length` on. */
  cut(length: number): this {
    this.#length = Math.min(length, this.#length);
    return this;
  }

  /** What was written; the writer begins anew and never touches it again. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = this.#buffer.subarray(this.#length);
    this.#length = 0;
    return taken;
  }

  #grow(size: number): number {
    const at = this.#length;
    const needed = at + size;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2, 256));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#length = needed;
    return at;
  }
}
