import { connect, createServer, type Server, type Socket } from "node:net";

/** A relay that notes what the server says to each client: so that real clients' wires can be compared. */
export class Tap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #said: Buffer[][] = [];

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer({ noDelay: true }, (client) => {
      const server = connect({ ...target, noDelay: true });
      const said: Buffer[] = [];
      this.#said.push(said);
      server.on("data", (chunk: Buffer) => said.push(chunk));
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => this.#sockets.delete(from));
      }
    });
  }

  static async to(target: { readonly host: string; readonly port: number }): Promise<Tap> {
    const tap = new Tap(target);
    await new Promise<void>((listening) => tap.#server.listen(0, "127.0.0.1", listening));
    return tap;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** What was said since the last time, a connection each, oldest first. */
  taken(): Buffer[] {
    return this.#said.splice(0).map((chunks) => Buffer.concat(chunks));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }
}
