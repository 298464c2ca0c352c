import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import { keepKeyFile } from "#bus/nest";
import { PEPPER_BYTES } from "#tokens";

export const KEYS = Symbol("TokenKeys");

export interface TokenKeys {
  /** Keys the hashes of secrets. */
  readonly pepper: Uint8Array;
  readonly grantKey: KeyObject;
  readonly grantPublicKey: KeyObject;
}

/**
 * Reads `pepper` and `grant.key.pem` (Ed25519, PKCS #8), and makes them on the first start, readable by their owner only.
 * @throws Error for a file that holds something else.
 */
export async function keepKeys(folder: string): Promise<TokenKeys> {
  const pepperFile = join(folder, "pepper");
  const grantFile = join(folder, "grant.key.pem");
  const hex = await keepKeyFile(pepperFile, () => `${randomBytes(PEPPER_BYTES).toString("hex")}\n`);
  const pepper = Buffer.from(hex.trim(), "hex");
  if (pepper.length < PEPPER_BYTES) throw new Error(`${pepperFile} must hold ${PEPPER_BYTES} bytes in hexadecimal`);
  const pem = await keepKeyFile(grantFile, () =>
    generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  const grantKey = privateKeyOf(pem, grantFile);
  return { pepper, grantKey, grantPublicKey: createPublicKey(pem) };
}

function privateKeyOf(pem: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
    throw new Error(`it is ${key.asymmetricKeyType}`);
  } catch (cause) {
    throw new Error(`${path} must hold an Ed25519 private key in PEM: ${(cause as Error).message}`, { cause });
  }
}
