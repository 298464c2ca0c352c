import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { Prefix } from "@nats-io/nkeys";
import { Codec } from "@nats-io/nkeys/lib/codec.js";
import { KP } from "@nats-io/nkeys/lib/kp.js";

/** What PKCS #8 puts before the seed of an Ed25519 key (RFC 8410, section 7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * An NKey of a seed whose Ed25519 is Node's. The library's own is JavaScript that derives the pair anew at every question:
 * milliseconds each time, a hundred of them and more in a young process, and nothing else runs meanwhile.
 */
export class NodeKeyPair extends KP {
  /** @throws NKeysError where it is no seed */
  constructor(seed: Uint8Array) {
    Codec.decodeSeed(seed);
    super(seed);
  }

  override getPublicKey(): string {
    const { prefix } = Codec.decodeSeed(this.getSeed());
    return new TextDecoder().decode(Codec.encode(prefix, this.#publicBytes()));
  }

  override getPrivateKey(): Uint8Array {
    return Codec.encode(Prefix.Private, Buffer.concat([this.getRawSeed(), this.#publicBytes()]));
  }

  override sign(input: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, input, this.#key()));
  }

  #publicBytes(): Buffer {
    return createPublicKey(this.#key()).export({ format: "der", type: "spki" }).subarray(-32);
  }

  #key(): KeyObject {
    return createPrivateKey({ key: Buffer.concat([PKCS8, this.getRawSeed()]), format: "der", type: "pkcs8" });
  }
}
