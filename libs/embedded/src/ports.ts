import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";

/** A port of 127.0.0.1 that is free now. @throws Error where `wanted` is taken */
export function freePort(wanted?: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code !== "EADDRINUSE") return reject(cause);
      reject(
        new Error(`port ${wanted} of 127.0.0.1 is taken by another process: stop it, or choose another port`, {
          cause,
        }),
      );
    });
    probe.listen({ host: "127.0.0.1", port: wanted ?? 0, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** The port written in `file` if there is one and it is free, else any. */
export async function rememberedPort(file: string): Promise<number> {
  const before = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (Number.isInteger(before) && before > 0 && before < 65_536) {
    const free = await freePort(before).catch(() => null);
    if (free) return free;
  }
  return freePort();
}
