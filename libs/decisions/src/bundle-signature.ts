import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { Bundle } from "#commands";
import { BundleRefused, readParts } from "./bundle-content.js";

/**
 * Signing and verifying what goes to the enforcers. The messages are protobuf, and this library knows no contracts: it
 * takes their shape, and a function that decodes the signed bytes.
 */

/** `policy.v1.SignedBundle`. */
export interface SignedBundleShape {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly parts: readonly { readonly name: string; readonly content: Uint8Array }[];
}

/** `policy.v1.BundleManifest`. */
export interface ManifestShape {
  readonly group: string;
  readonly epoch: bigint;
  readonly issuedAtMs: bigint;
  readonly leaseSeconds: number;
  readonly parts: readonly { readonly name: string; readonly sha256: Uint8Array }[];
}

/** `policy.v1.SignedBeat`. */
export interface SignedBeatShape {
  readonly beat: Uint8Array;
  readonly signature: Uint8Array;
}

/** `policy.v1.Beat`. */
export interface BeatShape {
  readonly group: string;
  readonly epoch: bigint;
  readonly issuedAtMs: bigint;
}

/** What a beat says: that `epoch` was the newest of `group` at `issuedAt`. */
export interface VerifiedBeat {
  readonly group: string;
  readonly epoch: number;
  /** Milliseconds since the epoch, by the control plane's clock. */
  readonly issuedAt: number;
}

const BUNDLE = "counterfoil bundle v1\0";
const BEAT = "counterfoil beat v1\0";

/** Ed25519 over the manifest's bytes under the domain of bundles. */
export const signManifest = (manifest: Uint8Array, key: KeyObject): Uint8Array => signed(BUNDLE, manifest, key);

/** Ed25519 over the beat's bytes under the domain of beats. */
export const signBeat = (beat: Uint8Array, key: KeyObject): Uint8Array => signed(BEAT, beat, key);

/** SHA-256, by which a manifest names its parts. */
export const partDigest = (content: Uint8Array): Uint8Array => createHash("sha256").update(content).digest();

/** @throws BundleRefused for text that is no Ed25519 private key. */
export const readSigningKey = (pem: string): KeyObject => readKey(() => createPrivateKey(pem));

/** @throws BundleRefused for text that is no Ed25519 public key. */
export const readVerifyKey = (pem: string): KeyObject => readKey(() => createPublicKey(pem));

/**
 * A bundle whose signature, parts and shape are all right. Whose group it is and whether its epoch is new enough is
 * the caller's question.
 * @param publicKey PEM, or a key from `readVerifyKey`.
 * @param decode the protobuf decoder of BundleManifest; runs only on bytes whose signature is right.
 * @throws BundleRefused
 */
export function verifyBundle(
  bundle: SignedBundleShape,
  publicKey: string | KeyObject,
  decode: (manifest: Uint8Array) => ManifestShape,
): Bundle & { readonly issuedAt: number } {
  check(BUNDLE, bundle.manifest, bundle.signature, publicKey, "bundle");
  const manifest = decode(bundle.manifest);
  const parts = new Map(bundle.parts.map(({ name, content }) => [name, content]));
  if (parts.size !== bundle.parts.length || parts.size !== manifest.parts.length) {
    throw new BundleRefused("the bundle's parts are not those its manifest names");
  }
  for (const { name, sha256 } of manifest.parts) {
    const content = parts.get(name);
    if (!content || !Buffer.from(partDigest(content)).equals(sha256)) {
      throw new BundleRefused(`part ${name} of the bundle is not what its manifest names`);
    }
  }
  if (manifest.group === "" || manifest.leaseSeconds < 1)
    throw new BundleRefused("the bundle's manifest is incomplete");
  return {
    ...readParts(parts),
    group: manifest.group,
    epoch: whole(manifest.epoch),
    issuedAt: whole(manifest.issuedAtMs),
    leaseSeconds: manifest.leaseSeconds,
  };
}

/**
 * @param publicKey PEM, or a key from `readVerifyKey`.
 * @param decode the protobuf decoder of Beat; runs only on bytes whose signature is right.
 * @throws BundleRefused
 */
export function verifyBeat(
  beat: SignedBeatShape,
  publicKey: string | KeyObject,
  decode: (beat: Uint8Array) => BeatShape,
): VerifiedBeat {
  check(BEAT, beat.beat, beat.signature, publicKey, "beat");
  const { group, epoch, issuedAtMs } = decode(beat.beat);
  return { group, epoch: whole(epoch), issuedAt: whole(issuedAtMs) };
}

const signed = (domain: string, bytes: Uint8Array, key: KeyObject): Uint8Array =>
  sign(null, Buffer.concat([Buffer.from(domain, "latin1"), bytes]), key);

function check(domain: string, bytes: Uint8Array, signature: Uint8Array, key: string | KeyObject, what: string): void {
  const publicKey = typeof key === "string" ? readVerifyKey(key) : key;
  if (!verify(null, Buffer.concat([Buffer.from(domain, "latin1"), bytes]), publicKey, signature)) {
    throw new BundleRefused(`the ${what}'s signature is wrong`);
  }
}

function readKey(read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (cause) {
    throw new BundleRefused("the key is not PEM", { cause });
  }
  if (key.asymmetricKeyType !== "ed25519") throw new BundleRefused("the key is not an Ed25519 key");
  return key;
}

function whole(value: bigint): number {
  if (value < 1n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BundleRefused(`${value} is out of range`);
  return Number(value);
}
