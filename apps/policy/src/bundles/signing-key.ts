import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
export function keepSigningKey(folder: string): SigningKey {
  const path = join(folder, "signing.key.pem");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(path)) {
    const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
    placeOnce(path, pem.toString(), 0o600);
  }
  let key: KeyObject;
  try {
    key = readSigningKey(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Error(`${path} must hold an Ed25519 private key in PEM: ${(cause as Error).message}`, { cause });
  }
  const publicPem = createPublicKey(createPrivateKey(key.export({ type: "pkcs8", format: "pem" })))
    .export({ type: "spki", format: "pem" })
    .toString();
  const publicPath = join(folder, "signing.pub.pem");
  if (!existsSync(publicPath) || readFileSync(publicPath, "utf8") !== publicPem) {
    rmSync(publicPath, { force: true });
    placeOnce(publicPath, publicPem, 0o644);
  }
  return { key, publicPem };
}

/** Whole or not at all, and the first of several processes wins. */
function placeOnce(path: string, text: string, mode: number): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
