import { createHash } from "node:crypto";

/** A `.tar.gz` with one folder, and nats-server in it. */
export interface NatsRelease {
  readonly url: string;
  /** Of the archive, hex. */
  readonly sha256: string;
}

const VERSION = "2.10.29";
/** As in the Dockerfiles the official image is built from (github.com/nats-io/nats-docker, 2.10.x). */
const ARCHIVES: Readonly<Record<string, { readonly name: string; readonly sha256: string }>> = {
  "linux-x64": { name: "linux-amd64", sha256: "e314da74a83a1d3876db8814c27eb990fe729640fd6452025b441bcede8390da" },
  "linux-arm64": { name: "linux-arm64", sha256: "da4b27942ecfb4c5f0c54553d2e7f470ddda9d7581cfe8131b351a0e223ed401" },
};
const PATIENCE_MS = 180_000;

/** By Node's names of platform and architecture. */
export function releaseFor(platform: string, arch: string): NatsRelease | null {
  const archive = ARCHIVES[`${platform}-${arch}`];
  if (!archive) return null;
  const file = `nats-server-v${VERSION}-${archive.name}.tar.gz`;
  return {
    url: `https://github.com/nats-io/nats-server/releases/download/v${VERSION}/${file}`,
    sha256: archive.sha256,
  };
}

/** @throws Error where it can't be had, or is not what was pinned */
export async function fetchRelease({ url, sha256 }: NatsRelease): Promise<Uint8Array> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const archive = new Uint8Array(await response.arrayBuffer());
  if (createHash("sha256").update(archive).digest("hex") !== sha256) {
    throw new Error(`${url} is not the archive it should be: its checksum is another`);
  }
  return archive;
}
