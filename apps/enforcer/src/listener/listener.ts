import { createServer, type Server, type Socket } from "node:net";
import { readIntoOneBuffer } from "../connection/one-buffer.js";
import type { ListenerConfig } from "../enforcer.config.js";
import type { Log } from "../log.js";

/** The address cannot be listened on. */
export class ListenFailed extends Error {
  override readonly name = "ListenFailed";
  constructor({ protocol, bind, port }: ListenerConfig, cause: NodeJS.ErrnoException) {
    const why =
      cause.code === "EADDRINUSE"
        ? `another process has port ${port}; stop it, or give this listener another port`
        : cause.code === "EACCES"
          ? `this user may not listen on port ${port}; use one above 1023`
          : cause.code === "EADDRNOTAVAIL"
            ? `${bind} is no address of this machine`
            : cause.message;
    super(`cannot listen for ${protocol} on ${bind}:${port}: ${why}`, { cause });
  }
}

/**
 * Takes connections and hands each on at once: nothing here waits for a client, so a silent one delays nobody. What comes
 * past `maxConnections` is closed; by our own count, since a server that shares its port would offer it round in circles.
 * @throws ListenFailed
 */
export async function listen(
  config: ListenerConfig,
  maxConnections: number,
  log: Log,
  serve: (socket: Socket) => void,
): Promise<Server> {
  let open = 0;
  let dropped = 0;
  const server = createServer((accepted) => {
    if (open >= maxConnections) {
      accepted.destroy();
      // One line for many: whoever floods the port must not flood the log.
      if (dropped++ % 1000 === 0) log.warn({ maxConnections, dropped }, "more connections than this listener takes");
      return;
    }
    open++;
    const socket = readIntoOneBuffer(accepted);
    socket.once("close", () => open--);
    serve(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new ListenFailed(config, error)));
    server.listen({ host: config.bind, port: config.port, backlog: 1024 }, resolve);
  });
  server.on("error", (error) => log.error({ error: String(error) }, "the listener failed"));
  return server;
}
