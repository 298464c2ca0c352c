import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type MaskPlan, NOTHING_MASKED, type Refusal } from "#commands";
import type { ClientLoginStep, Conversation, Gate, Outcome, UpstreamLoginStep, UpstreamReady } from "../protocol.js";
import { postgres } from "./protocol.js";

/** The pure machines between real sockets: no TLS, and a decision that each test makes. */
export class Relay {
  readonly outcomes: { readonly outcome: Outcome }[] = [];
  readonly gates: Gate[] = [];
  decide: (gate: Gate) => Refusal | MaskPlan | Promise<Refusal | MaskPlan> = () => NOTHING_MASKED;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #cancels = new Map<string, Uint8Array>();
  readonly errors: unknown[] = [];

  constructor(readonly upstream: URL) {
    this.#server = createServer((socket) => {
      this.#session(socket).catch((error) => {
        this.errors.push(error);
        socket.destroy();
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #dial(): Socket {
    const { hostname, port, searchParams } = this.upstream;
    const folder = searchParams.get("host");
    const socket = folder?.startsWith("/")
      ? connect(`${folder}/.s.PGSQL.${port || 5432}`)
      : connect(Number(port), decodeURIComponent(hostname));
    return this.#watch(socket);
  }

  #watch(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    return socket;
  }

  async #session(client: Socket): Promise<void> {
    this.#watch(client);
    const login = postgres.clientLogin({
      tls: false,
      allowPlaintext: true,
      nonce: randomBytes(18),
      mockKey: randomBytes(32),
    });
    const hello = await this.#loginOf(client, login);
    if (!hello) return;
    const server = this.#dial();
    const ready = await this.#upstreamLogin(server, hello.settings);
    const welcome = login.welcome(ready, randomBytes(32));
    this.#cancels.set(Buffer.from(welcome.cancelKey).toString("hex"), ready.cancelKey);
    client.write(welcome.bytes);
    const conversation = postgres.conversation({ messageLimit: 1 << 24, parameters: ready.parameters });
    const pump = this.#pump(conversation, client, server);
    client.on("data", (chunk) => {
      conversation.pushClient(chunk);
      pump.client();
    });
    server.on("data", (chunk) => {
      conversation.pushServer(chunk);
      pump.server();
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.end());
    for (const [rest, push] of [
      [login.surplus(), (bytes: Uint8Array) => conversation.pushClient(bytes)],
      [ready.rest, (bytes: Uint8Array) => conversation.pushServer(bytes)],
    ] as const) {
      if (rest.length > 0) push(rest);
    }
    pump.server();
  }

  #pump(conversation: Conversation, client: Socket, server: Socket) {
    let waiting = false;
    const settle = (gate: Gate, decided: Refusal | MaskPlan) => {
      if (!("code" in decided)) return server.write(conversation.allow(gate, decided));
      const { toServer, toClient } = conversation.deny(gate, decided);
      server.write(toServer);
      return client.write(toClient);
    };
    const fromClient = () => {
      for (
        let step = waiting ? null : conversation.nextClient();
        step;
        step = waiting ? null : conversation.nextClient()
      ) {
        if (step.kind === "outcome") this.outcomes.push(step);
        else if (step.kind === "gate") {
          const { gate } = step;
          this.gates.push(gate);
          const decided = this.decide(gate);
          if (!(decided instanceof Promise)) {
            settle(gate, decided);
            continue;
          }
          waiting = true;
          client.write(conversation.notice("waiting", "", ""));
          void decided.then((late) => {
            waiting = false;
            settle(gate, late);
            fromClient();
          });
        } else if (step.kind === "reply" || step.kind === "fault") client.write(step.bytes);
        else server.write(step.bytes);
        if (step.kind === "fault") client.end();
      }
    };
    const fromServer = () => {
      for (let step = conversation.nextServer(); step; step = conversation.nextServer()) {
        if (step.kind === "outcome") this.outcomes.push(step);
        else if (step.kind === "ask") server.write(step.bytes);
        else if (step.kind !== "stop") client.write(step.bytes);
        if (step.kind === "fault") client.end();
      }
      fromClient();
    };
    return { client: fromClient, server: fromServer };
  }

  async #loginOf(client: Socket, login: ReturnType<typeof postgres.clientLogin>) {
    for (;;) {
      const [chunk] = (await once(client, "data")) as [Buffer];
      const steps: ClientLoginStep[] = [...login.receive(chunk)];
      for (let step = steps.shift(); step; step = steps.shift()) {
        if (step.kind === "send") client.write(step.bytes);
        else if (step.kind === "lookup") {
          steps.push(...login.verify(step.tokenId === "abc" ? postgres.verifier("secret", Buffer.from("salt")) : null));
        } else if (step.kind === "verified") {
          client.removeAllListeners("data").pause();
          queueMicrotask(() => client.resume());
          return step.hello;
        } else if (step.kind === "cancel") {
          const key = this.#cancels.get(Buffer.from(step.key).toString("hex"));
          if (key) this.#dial().end(postgres.cancelRequest(key));
          client.end();
          return null;
        } else if (step.kind === "refuse") {
          client.end(step.bytes);
          return null;
        }
      }
    }
  }

  async #upstreamLogin(server: Socket, settings: ReadonlyMap<string, string>): Promise<UpstreamReady> {
    const { username, password, pathname } = this.upstream;
    const login = postgres.upstreamLogin({
      username: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: pathname.slice(1),
      tls: "disable",
      settings,
      nonce: randomBytes(18),
      target: "any",
      oldest: false,
    });
    await once(server, "connect");
    const act = (steps: readonly UpstreamLoginStep[]): UpstreamReady | null => {
      for (const step of steps) {
        if (step.kind === "send") server.write(step.bytes);
        else if (step.kind === "ready") return step.upstream;
        else if (step.kind === "failed") throw new Error(step.refusal.message);
      }
      return null;
    };
    for (let ready = act(login.start()); ; ) {
      if (ready) return ready;
      const [chunk] = (await once(server, "data")) as [Buffer];
      ready = act(login.receive(chunk));
    }
  }
}
