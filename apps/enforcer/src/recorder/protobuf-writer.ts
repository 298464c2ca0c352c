const SLAB = 64 * 1024;
const SHORT = 64;
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/**
 * Protobuf's wire format, for the records that every command makes: the general encoder costs more than all else that is
 * done for a command seen before. Defaults are left out, as proto3 does.
 */
export class ProtobufWriter {
  #slab = Buffer.allocUnsafeSlow(SLAB);
  #from = 0;
  #at = 0;

  /** @param value below 2^53 */
  uint(field: number, value: number): this {
    if (value === 0) return this;
    this.#room(16);
    this.#varint((field << 3) | VARINT);
    this.#varint(value);
    return this;
  }

  text(field: number, value: string): this {
    return value === "" ? this : this.member(field, value);
  }

  /** Of a `oneof`, where the empty text says which it is. */
  member(field: number, value: string | Uint8Array): this {
    const mark = this.begin(field);
    if (typeof value !== "string") this.raw(value);
    else if (!this.#shortAscii(value)) {
      // UTF-8 has at most three bytes for a UTF-16 unit.
      this.#room(value.length * 3);
      this.#at += this.#slab.write(value, this.#at, "utf8");
    }
    return this.end(mark);
  }

  /** Most texts are: a call out of JavaScript costs more than they do. False where it is another, and nothing is written. */
  #shortAscii(text: string): boolean {
    if (text.length > SHORT) return false;
    this.#room(text.length);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      this.#slab[this.#at + i] = unit;
    }
    this.#at += text.length;
    return true;
  }

  /** Fields that are encoded already. */
  raw(encoded: Uint8Array): this {
    this.#room(encoded.length);
    this.#slab.set(encoded, this.#at);
    this.#at += encoded.length;
    return this;
  }

  /** Begins a field whose length is known only at its end; `end` is given what this gives. */
  begin(field: number): number {
    this.#room(6);
    this.#varint((field << 3) | LENGTH_DELIMITED);
    this.#at++;
    return this.#at - this.#from;
  }

  end(mark: number): this {
    const length = this.#at - this.#from - mark;
    if (length < 0x80) {
      this.#slab[this.#from + mark - 1] = length;
      return this;
    }
    // One byte was left for the length, and it takes more.
    const more = length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : 3;
    this.#room(more);
    const start = this.#from + mark;
    this.#slab.copyWithin(start + more, start, this.#at);
    this.#at = start - 1;
    this.#varint(length);
    this.#at += length;
    return this;
  }

  /** What was written; never touched again. */
  take(): Uint8Array {
    const taken = this.#slab.subarray(this.#from, this.#at);
    this.#from = this.#at;
    return taken;
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#slab[this.#at++] = (rest % 0x80) | 0x80;
    this.#slab[this.#at++] = rest;
  }

  #room(size: number): void {
    if (this.#at + size <= this.#slab.length) return;
    const written = this.#slab.subarray(this.#from, this.#at);
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB, 2 * (written.length + size)));
    this.#slab.set(written);
    this.#at = written.length;
    this.#from = 0;
  }
}
