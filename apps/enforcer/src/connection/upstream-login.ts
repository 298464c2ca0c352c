import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import type { HostPart, ResourcePart } from "#commands";
import type { Protocol, UpstreamLogin, UpstreamLoginOptions, UpstreamLoginStep, UpstreamReady } from "#protocols";
import { endpointBinding } from "../certificates/endpoint-binding.js";
import { HostAway } from "./host-health.js";
import { Inbox } from "./inbox.js";
import { intoOneBuffer } from "./one-buffer.js";
import { certificateFault, upstreamTls } from "./upstream-tls.js";

/** For the network to answer at all; a host that is not there must not cost more. */
const CONNECT_MS = 3_000;
/** For everything together. */
const LOGIN_MS = 10_000;

/** The server answered and will not have us: trying again, or elsewhere, ends the same. */
export class UpstreamRefused extends Error {
  override readonly name = "UpstreamRefused";
  constructor(
    readonly failed: Extract<UpstreamLoginStep, { kind: "failed" }>,
    cause?: unknown,
  ) {
    super(failed.refusal.message, { cause });
  }
}

/** What is said of the resource, to go on from "the resource". */
export const predicateOf = ({ message }: UpstreamRefused) => message.replace(/^the resource /, "");

export interface LoggedIn {
  readonly socket: Socket;
  readonly ready: UpstreamReady;
}

type Login = Pick<UpstreamLoginOptions, "username" | "password" | "settings" | "target" | "deriveKey">;

/** Logs in at one host. @throws HostAway, UpstreamRefused */
export async function logInAt(
  host: HostPart,
  resource: ResourcePart,
  protocol: Protocol,
  options: Login,
): Promise<LoggedIn> {
  const { database, tls } = resource.upstream;
  const attempt = (oldest: boolean) =>
    reach(host, (socket) => {
      const login = protocol.upstreamLogin({ ...options, database, tls, nonce: randomBytes(24), oldest });
      return new Handshake(host, resource, protocol, socket).untilReady(login);
    });
  try {
    return await attempt(false);
  } catch (error) {
    if (error instanceof UpstreamRefused && error.failed.fault === "version") return attempt(true);
    throw error;
  }
}

/** Stops what runs at the host under `key`; the answer is only that it was asked. @throws HostAway, UpstreamRefused */
export async function cancelAt(
  host: HostPart,
  resource: ResourcePart,
  protocol: Protocol,
  key: Uint8Array,
): Promise<void> {
  await reach(host, async (plain) => {
    const { database, tls } = resource.upstream;
    const handshake = new Handshake(host, resource, protocol, plain);
    // The key is a secret too: TLS is taken the way a login would take it, and no login follows.
    const login = protocol.upstreamLogin({
      ...{ username: "", password: "", settings: new Map(), nonce: randomBytes(24) },
      ...{ database, tls, target: "any", oldest: false },
    });
    const socket = tls === "disable" ? plain : await handshake.untilTls(login);
    await new Promise<void>((done) => {
      socket.once("close", () => done());
      socket.resume();
      socket.end(protocol.cancelRequest(key));
    });
  });
}

/** Dials, and gives up on everything `use` does when the time is over. */
async function reach<T>({ host, port }: HostPart, use: (socket: Socket) => Promise<T>): Promise<T> {
  const socket: Socket = connect({ host, port, noDelay: true, onread: intoOneBuffer(() => socket) });
  let late = false;
  const giveUp = () => {
    late = true;
    socket.destroy();
  };
  socket.on("error", () => {});
  let deadline = setTimeout(giveUp, CONNECT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed")));
    });
    clearTimeout(deadline);
    deadline = setTimeout(giveUp, LOGIN_MS);
    return await use(socket);
  } catch (error) {
    socket.destroy();
    if (error instanceof UpstreamRefused || error instanceof HostAway) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why = late ? "does not answer" : `cannot be reached${code ? ` (${code})` : ""}`;
    throw new HostAway(why, { cause: error });
  } finally {
    clearTimeout(deadline);
  }
}

/** The steps of a login machine, carried out on a socket. */
class Handshake {
  #inbox: Inbox;

  constructor(
    private readonly host: HostPart,
    private readonly resource: ResourcePart,
    private readonly protocol: Protocol,
    private socket: Socket,
  ) {
    this.#inbox = new Inbox(socket);
  }

  async untilReady(login: UpstreamLogin): Promise<LoggedIn> {
    for (let steps = login.start(); ; ) {
      for (const step of steps) {
        this.#carryOut(step);
        if (step.kind !== "ready") continue;
        const rest = Buffer.concat([step.upstream.rest, ...this.#inbox.detach()]);
        if (this.socket.destroyed || this.#inbox.ended) throw closed();
        return { socket: this.socket, ready: { ...step.upstream, rest } };
      }
      steps =
        steps.at(-1)?.kind === "start-tls"
          ? login.tlsStarted(await this.#takeTls())
          : login.receive(await this.#next());
    }
  }

  async untilTls(login: UpstreamLogin): Promise<Socket> {
    for (let steps = login.start(); ; steps = login.receive(await this.#next())) {
      for (const step of steps) this.#carryOut(step);
      if (steps.at(-1)?.kind !== "start-tls") continue;
      await this.#takeTls();
      this.#inbox.detach();
      return this.socket;
    }
  }

  #carryOut(step: UpstreamLoginStep): void {
    if (step.kind === "send") this.socket.write(step.bytes);
    else if (step.kind === "failed") {
      const refused = new UpstreamRefused(step);
      throw step.fault === "passing" ? new HostAway(predicateOf(refused), { cause: refused }) : refused;
    }
  }

  async #next(): Promise<Buffer> {
    const chunk = await this.#inbox.next();
    if (!chunk) throw closed();
    return chunk;
  }

  /** @returns the channel's binding. */
  async #takeTls(): Promise<Uint8Array | null> {
    this.#inbox.detach();
    const secured = await secure(this.socket, {
      ...upstreamTls(this.resource.upstream, this.host),
      ALPNProtocols: [...this.protocol.alpn],
    });
    this.socket = secured;
    this.#inbox = new Inbox(secured);
    const { raw } = secured.getPeerCertificate();
    return raw ? endpointBinding(raw) : null;
  }
}

async function secure(socket: Socket, options: ConnectionOptions): Promise<TLSSocket> {
  try {
    return await new Promise<TLSSocket>((resolve, reject) => {
      const secured = tlsConnect({ ...options, socket }, () => resolve(secured));
      secured.on("error", reject);
      socket.once("close", () => reject(closed()));
    });
  } catch (error) {
    const fault = certificateFault(error);
    const { code } = error as NodeJS.ErrnoException;
    if (!fault && !code?.startsWith("ERR_SSL_")) throw error;
    const message = fault
      ? `the resource is not trusted: its certificate ${fault}`
      : `the resource and the enforcer could not agree on TLS (${code})`;
    const hint = "An administrator can correct the resource's certificate, or its host and ca in the declaration.";
    throw new UpstreamRefused(
      { kind: "failed", fault: "refused", refusal: { code: "unavailable", message, hint } },
      error,
    );
  }
}

const closed = () => new Error("it closed the connection");
