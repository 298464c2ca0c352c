import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";

/**
 * What comes from the network is read here, whichever socket it comes to, and copied out at its own length. Left to
 * itself Node allocates 64 KiB for each read and shrinks them to what came, mostly a hundred bytes.
 */
const BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** For the options of a socket: it reads by way of the one buffer, and is like any other. */
export function intoOneBuffer(socket: () => Socket): OnReadOpts {
  return {
    buffer: BUFFER,
    callback(length) {
      const chunk = Buffer.allocUnsafe(length);
      BUFFER.copy(chunk, 0, 0, length);
      return socket().push(chunk);
    },
  };
}

/**
 * The accepted socket's connection as a socket that reads so. Node takes this option for sockets it is asked to make, and
 * not for those a server accepts: so the connection goes over to a new one, as when it is sent to another process.
 */
export function readIntoOneBuffer(accepted: Socket): Socket {
  const giving = accepted as unknown as { _handle: object | null };
  const handle = giving._handle;
  if (!handle) return accepted;
  giving._handle = null;
  accepted.destroy();
  const socket: Socket = new Socket({ handle, onread: intoOneBuffer(() => socket) } as SocketConstructorOpts);
  return socket.setNoDelay(true);
}
