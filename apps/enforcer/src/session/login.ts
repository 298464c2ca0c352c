import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import type { Refusal } from "#commands";
import type { ClientHello, ClientLogin, ClientLoginStep, Protocol } from "#protocols";
import { farewell } from "../connection/farewell.js";
import { Inbox } from "../connection/inbox.js";
import type { ListenerTls } from "../listener/certificate.js";

export interface LoginOptions {
  readonly protocol: Protocol;
  readonly tls: ListenerTls | null;
  readonly allowPlaintext: boolean;
  readonly mockKey: Uint8Array;
  /** What the secret is verified with, or why it cannot be; or why logins are refused just now. */
  readonly lookup: (tokenId: string) => Promise<TokenFound | TokenNotFound | Refusal>;
}

export interface TokenFound {
  readonly resource: string;
  readonly verifier: string;
}

export interface TokenNotFound {
  /** As in `LoginRefused.token_fault`. */
  readonly fault: string;
}

export type LoginResult =
  | { readonly kind: "proved"; readonly client: ProvedClient }
  | { readonly kind: "cancel"; readonly key: Uint8Array }
  /** It has been told. */
  | ({ readonly kind: "refused" } & RefusedLogin)
  | { readonly kind: "gone" };

export interface RefusedLogin {
  /** All that the client is told: not which tokens there are. */
  readonly refusal: Refusal;
  readonly tokenId: string;
  /** As in `LoginRefused.token_fault`. */
  readonly tokenFault: string;
  /** As in `LoginRefused.cause`. */
  readonly cause?: string;
}

/** A client that has proved its token's secret and waits for its welcome. */
export interface ProvedClient {
  readonly socket: Socket;
  readonly inbox: Inbox;
  readonly login: ClientLogin;
  readonly hello: ClientHello;
  readonly resource: string;
  readonly encrypted: boolean;
}

/** Sees a client through TLS and its proof. The caller destroys the socket where it takes too long. */
export async function logIn(plain: Socket, options: LoginOptions): Promise<LoginResult> {
  const login = options.protocol.clientLogin({
    tls: options.tls !== null,
    allowPlaintext: options.allowPlaintext,
    nonce: randomBytes(24),
    mockKey: options.mockKey,
  });
  let socket = plain;
  let inbox = new Inbox(socket);
  let found: TokenFound | null = null;
  let tokenId = "";
  /** Of a proof that fails now. */
  let tokenFault = "";
  const steps: ClientLoginStep[] = [];
  for (;;) {
    const step = steps.shift();
    if (!step) {
      const chunk = await inbox.next();
      if (!chunk) return { kind: "gone" };
      steps.push(...login.receive(chunk));
      continue;
    }
    switch (step.kind) {
      case "send":
        socket.write(step.bytes);
        break;
      case "start-tls": {
        const { context } = options.tls!;
        const received = Buffer.concat([step.received, ...inbox.detach()]);
        const secured = await takeTls(socket, received, context, options.protocol.alpn);
        if (!secured) return { kind: "gone" };
        socket = secured;
        inbox = new Inbox(socket);
        steps.push(...login.tlsStarted({ endpoint: await options.tls!.endpoint(), alpn: secured.alpnProtocol || "" }));
        break;
      }
      case "lookup": {
        tokenId = step.tokenId;
        const answer = await options.lookup(tokenId);
        if (answer && "code" in answer) {
          inbox.detach();
          farewell(socket, login.refuse(answer));
          return { kind: "refused", refusal: answer, tokenId, tokenFault };
        }
        found = "verifier" in answer ? answer : null;
        tokenFault = "fault" in answer ? answer.fault : "wrong_secret";
        steps.push(...login.verify(found?.verifier ?? null));
        break;
      }
      case "verified": {
        const { hello } = step;
        const { resource } = found!;
        return { kind: "proved", client: { socket, inbox, login, hello, resource, encrypted: socket !== plain } };
      }
      case "cancel":
        inbox.detach();
        farewell(socket);
        return { kind: "cancel", key: step.key };
      case "refuse": {
        inbox.detach();
        farewell(socket, step.bytes);
        const unproved = step.refusal.code === "unauthenticated";
        return {
          ...{ kind: "refused", refusal: step.refusal, tokenId: step.tokenId },
          tokenFault: unproved ? tokenFault : "",
        };
      }
      default:
        step satisfies never;
    }
  }
}

/** Null where the client goes, or its handshake fails, which is its own affair. */
async function takeTls(
  socket: Socket,
  received: Buffer,
  secureContext: SecureContext,
  alpn: readonly string[],
): Promise<TLSSocket | null> {
  if (received.length > 0) socket.unshift(received);
  const secured = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: [...alpn] });
  secured.on("error", () => secured.destroy());
  socket.on("close", () => secured.destroy());
  await new Promise<void>((over) => {
    secured.once("secure", over);
    secured.once("close", over);
  });
  return secured.destroyed ? null : secured;
}
