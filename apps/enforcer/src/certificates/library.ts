import { webcrypto } from "node:crypto";

/** Loaded when it is first needed: most of a second start is without it, and a node is ready sooner. */
export async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto);
  return x509;
}
