import { createServer } from "node:net";

/** @throws Error that says which setting moves the port, where it is taken. */
export function requireFreePort(host: string, port: number, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      const { code } = cause;
      const says =
        code === "ENOTFOUND" || code === "EADDRNOTAVAIL"
          ? `${host} is no address of this machine: set COUNTERFOIL_HOST to one that is`
          : code === "EADDRINUSE"
            ? `${host}:${port} is taken: stop what listens there, or set ${setting} to another port`
            : `${host}:${port} cannot be used (${code}): set ${setting} to another port`;
      reject(new Error(says, { cause }));
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}
