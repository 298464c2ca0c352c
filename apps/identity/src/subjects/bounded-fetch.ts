/** An answer of an issuer is a few kilobytes. */
const MOST_BYTES = 512 * 1024;

/**
 * A fetch that follows no redirect and reads no more than 512 KiB, for documents of other people's servers.
 * @throws Error where it is larger; what fetch throws
 */
export async function boundedFetch(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: "error" });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error(`the document at ${url} has more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status, headers: response.headers });
}
