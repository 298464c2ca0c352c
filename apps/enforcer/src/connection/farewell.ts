import type { Socket } from "node:net";

/** What somebody who is told goodbye has to read it and to close. */
const GRACE_MS = 1_000;

/** Sends the last bytes and closes; a peer that does not read or close keeps nothing of ours. */
export function farewell(socket: Socket, bytes?: Uint8Array): void {
  if (socket.destroyed) return;
  const late = setTimeout(() => socket.destroy(), GRACE_MS);
  late.unref();
  socket.once("close", () => clearTimeout(late));
  socket.on("error", () => socket.destroy());
  socket.resume();
  if (bytes) socket.end(bytes);
  else socket.end();
}
