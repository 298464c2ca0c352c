import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
export function keepKeys(folder: string): TokenKeys {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pepperFile = join(folder, "pepper");
  const grantFile = join(folder, "grant.key.pem");
  const pepper = Buffer.from(
    keep(pepperFile, () => randomBytes(PEPPER_BYTES).toString("hex")),
    "hex",
  );
  if (pepper.length < PEPPER_BYTES) throw new Error(`${pepperFile} must hold ${PEPPER_BYTES} bytes in hexadecimal`);
  const pem = keep(grantFile, () =>
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

/** The file's text; whole or not at all, and the first of several processes wins. */
function keep(path: string, make: () => string): string {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  writeFileSync(draft, `${make().trim()}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, "utf8").trim();
}
