import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { keepKeyFile } from "#bus/nest";
import { readSigningKey } from "#decisions";

/** What bundles and beats are signed with. */
export interface SigningKey {
  readonly key: KeyObject;
  /** SPKI PEM: what enforcers verify with. */
  readonly publicPem: string;
}

/**
 * The Ed25519 key in `signing.key.pem`, made on the first start (readable by its owner only), with its public half
 * beside it in `signing.pub.pem`.
 * @throws Error for a file that holds no such key.
 */
export async function keepSigningKey(folder: string): Promise<SigningKey> {
  const path = join(folder, "signing.key.pem");
  const pem = await keepKeyFile(path, () =>
    generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  let key: KeyObject;
  try {
    key = readSigningKey(pem);
  } catch (cause) {
    throw new Error(`${path} must hold an Ed25519 private key in PEM: ${(cause as Error).message}`, { cause });
  }
  const publicPem = createPublicKey(createPrivateKey(pem)).export({ type: "spki", format: "pem" }).toString();
  const publicPath = join(folder, "signing.pub.pem");
  const keepPublic = () => keepKeyFile(publicPath, () => publicPem, 0o644);
  if ((await keepPublic()) !== publicPem) {
    // Of a key that was there before.
    rmSync(publicPath, { force: true });
    await keepPublic();
  }
  return { key, publicPem };
}
