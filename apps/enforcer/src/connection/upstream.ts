import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { Refusal, ResourcePart } from "#commands";
import type { Protocol, UpstreamLogin, UpstreamLoginStep, UpstreamReady } from "#protocols";
import { CredentialMissing, resolveCredential } from "./credential.js";
import { Inbox } from "./inbox.js";
import { upstreamTls } from "./upstream-tls.js";

const DIAL_MS = 10_000;

/** The resource could not be reached. The refusal is fit for the client; the cause is for the node's own log. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  constructor(
    readonly refusal: Refusal,
    cause?: unknown,
  ) {
    super(refusal.message, { cause });
  }
}

export interface UpstreamConnection {
  readonly socket: Socket;
  readonly ready: UpstreamReady;
}

/**
 * A logged-in connection to the resource, with its real credential.
 * @throws UpstreamFailure whose sentences name the resource, never its address, user or secret.
 */
export function dialUpstream(
  resource: ResourcePart,
  protocol: Protocol,
  settings: ReadonlyMap<string, string>,
): Promise<UpstreamConnection> {
  return reach(resource, async (socket, deadline) => {
    const login = protocol.upstreamLogin({
      username: resource.credential.username,
      password: secretOf(resource),
      database: resource.upstream.database,
      tls: resource.upstream.tls,
      settings,
      nonce: randomBytes(24),
    });
    return logIn(resource, socket, login, deadline);
  });
}

/** Stops what runs on the upstream under `key`; the answer is only that it was asked. */
export async function cancelUpstream(resource: ResourcePart, protocol: Protocol, key: Uint8Array): Promise<void> {
  await reach(resource, async (plain) => {
    let socket = plain;
    if (resource.upstream.tls !== "disable") {
      // The key is a secret too: TLS is taken the way a login would take it, and no login follows.
      const login = protocol.upstreamLogin({
        username: "",
        password: "",
        database: "",
        tls: resource.upstream.tls,
        settings: new Map(),
        nonce: randomBytes(24),
      });
      socket = await untilTls(resource, plain, login);
    }
    await new Promise<void>((done) => {
      socket.once("close", () => done());
      socket.resume();
      socket.end(protocol.cancelRequest(key));
    });
  });
}

/** Dials, and gives up on everything `use` does when the time is over. */
async function reach<T>(
  resource: ResourcePart,
  use: (socket: Socket, deadline: NodeJS.Timeout) => Promise<T>,
): Promise<T> {
  const socket = connect({ host: resource.upstream.host, port: resource.upstream.port, noDelay: true });
  socket.on("error", () => {});
  const deadline = setTimeout(() => socket.destroy(new Error("it took too long")), DIAL_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("it closed the connection")));
    });
    return await use(socket, deadline);
  } catch (error) {
    socket.destroy();
    throw asFailure(resource, error);
  } finally {
    clearTimeout(deadline);
  }
}

async function logIn(
  resource: ResourcePart,
  plain: Socket,
  login: UpstreamLogin,
  deadline: NodeJS.Timeout,
): Promise<UpstreamConnection> {
  let socket = plain;
  let inbox = new Inbox(socket);
  let steps: readonly UpstreamLoginStep[] = login.start();
  for (;;) {
    for (const step of steps) {
      if (step.kind === "send") socket.write(step.bytes);
      else if (step.kind === "failed") throw new UpstreamFailure(step.refusal);
      else if (step.kind === "ready") {
        clearTimeout(deadline);
        const rest = Buffer.concat([step.upstream.rest, ...inbox.detach()]);
        if (socket.destroyed || inbox.ended) throw new Error("it closed the connection");
        return { socket, ready: { ...step.upstream, rest } };
      }
    }
    if (steps.at(-1)?.kind === "start-tls") {
      inbox.detach();
      socket = await takeTls(resource, socket);
      inbox = new Inbox(socket);
      steps = login.tlsStarted();
      continue;
    }
    const chunk = await inbox.next();
    if (!chunk) throw new Error("it closed the connection");
    steps = login.receive(chunk);
  }
}

async function untilTls(resource: ResourcePart, socket: Socket, login: UpstreamLogin): Promise<Socket> {
  const inbox = new Inbox(socket);
  for (let steps = login.start(); ; ) {
    for (const step of steps) if (step.kind === "send") socket.write(step.bytes);
    if (steps.at(-1)?.kind === "start-tls") {
      inbox.detach();
      return takeTls(resource, socket);
    }
    const chunk = steps.some((step) => step.kind === "failed") ? null : await inbox.next();
    if (!chunk) throw new Error("it does not take TLS");
    steps = login.receive(chunk);
  }
}

function takeTls(resource: ResourcePart, socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secured = tlsConnect({ ...upstreamTls(resource.upstream), socket }, () => resolve(secured));
    secured.on("error", reject);
    socket.once("close", () => reject(new Error("it closed the connection")));
  });
}

function secretOf(resource: ResourcePart): string {
  return resolveCredential(resource.credential.password);
}

function asFailure({ name }: ResourcePart, error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  if (error instanceof CredentialMissing) {
    return new UpstreamFailure(
      {
        code: "unavailable",
        message: `The enforcer has no credential for ${name}.`,
        hint: "An administrator can look at the enforcer's log and correct the resource's credential reference.",
      },
      error,
    );
  }
  const { code } = error as NodeJS.ErrnoException;
  return new UpstreamFailure(
    {
      code: "unavailable",
      message: `The resource ${name} cannot be reached${code ? ` (${code})` : ""}.`,
      hint: "Try again later; an administrator finds the cause in the enforcer's log.",
    },
    error,
  );
}
