import { createServer } from "node:net";

/** @throws Error that says which setting moves the port, where it is taken. */
export function requireFreePort(host: string, port: number, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "is taken: stop what listens there" : `cannot be used (${cause.code})`;
      reject(new Error(`${host}:${port} ${why}, or set ${setting} to another port`, { cause }));
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}
