import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { Principal, Refusal, ResourcePart, SessionFacts } from "#commands";
import { edgeV1 } from "#contracts";
import type { Protocol } from "#protocols";
import { CancelKeys } from "../connection/cancel-keys.js";
import { farewell } from "../connection/farewell.js";
import { type UpstreamConnection, UpstreamFailure } from "../connection/upstreams.js";
import { type ControlPlane, ControlPlaneAway } from "../control/control-plane.js";
import type { ListenerTls } from "../listener/certificate.js";
import type { AllSemantics } from "../semantics/registry.js";
import { logIn, type ProvedClient, type RefusedLogin, type TokenFound, type TokenNotFound } from "./login.js";
import { refusal } from "./refusals.js";
import { Session, type SessionServices } from "./session.js";

export interface FrontDoorOptions {
  readonly services: SessionServices;
  readonly semantics: AllSemantics;
  readonly control: Pick<ControlPlane, "call">;
  readonly allowPlaintext: boolean;
  /** Of the answers to those whose token does not exist. */
  readonly mockKey: Uint8Array;
  readonly tls: () => ListenerTls | null;
  readonly opened: (session: Session) => void;
  readonly ended: (session: Session) => void;
  /** A cancel key that is no session's of ours. */
  readonly cancelElsewhere: (key: Uint8Array) => void;
}

/** Everything up to the proof must be done by then; a silent client costs a socket, and not for long. */
const HANDSHAKE_MS = 10_000;

interface Opening {
  readonly tokenId: string;
  ended: Refusal | null;
}

/** A login that is refused after its proof, told natively. */
class Turned extends Error {
  constructor(
    readonly told: Refusal,
    readonly tokenFault = "",
  ) {
    super(told.message);
  }
}

/** Sees each connection from its first byte to its session: proof, lease, policy, resource, welcome. */
export class FrontDoor {
  readonly #cancelKeys = new CancelKeys<Session>();

  /** Leased or about to be, and not a session yet: what ends sessions must end these too. */
  readonly #opening = new Map<string, Opening>();

  constructor(private readonly options: FrontDoorOptions) {}

  /** Those that match are refused instead of opened. */
  refuseOpening(matches: (sessionId: string, tokenId: string) => boolean, told: Refusal): void {
    for (const [sessionId, opening] of this.#opening) {
      if (matches(sessionId, opening.tokenId)) opening.ended = told;
    }
  }

  /** False where no session of ours has the key. */
  cancel(key: Uint8Array): boolean {
    const session = this.#cancelKeys.find(key);
    session?.cancel();
    return session !== undefined;
  }

  async serve(socket: Socket, protocol: Protocol): Promise<void> {
    const { services } = this.options;
    const address = socket.remoteAddress ?? "";
    socket.on("error", () => socket.destroy());
    const stopDeadline = services.clock.after(HANDSHAKE_MS, () => socket.destroy());
    try {
      const result = await logIn(socket, {
        protocol,
        tls: this.options.tls(),
        allowPlaintext: this.options.allowPlaintext,
        mockKey: this.options.mockKey,
        lookup: (tokenId) => this.#lookup(tokenId, protocol),
      });
      if (result.kind === "cancel") this.cancel(result.key) || this.options.cancelElsewhere(result.key);
      else if (result.kind === "refused") this.#recordRefused(protocol, address, result);
      else if (result.kind === "proved") {
        stopDeadline();
        await this.#open(result.client, protocol, address);
      }
    } catch (error) {
      services.log.error({ error: String(error) }, "a login failed unexpectedly");
      socket.destroy();
    } finally {
      stopDeadline();
    }
  }

  async #lookup(tokenId: string, protocol: Protocol): Promise<TokenFound | TokenNotFound | Refusal> {
    const { services, control } = this.options;
    if (!services.policy.fresh) return refusal.controlPlaneAway();
    if (!services.recorder.accepts) return refusal.recordsWaiting();
    try {
      const answer = await control.call(edgeV1.EdgeTokens.method.lookup, { tokenId, protocol: protocol.name });
      const { found, resource, verifier, refused } = answer;
      return found ? { resource, verifier } : { fault: refused };
    } catch (error) {
      if (error instanceof ControlPlaneAway) return refusal.controlPlaneAway();
      services.log.warn({ error: String(error) }, "the control plane refused to look a token up");
      return { fault: "" };
    }
  }

  async #open(client: ProvedClient, protocol: Protocol, address: string): Promise<void> {
    const sessionId = randomUUID();
    const { services } = this.options;
    const semantics = this.options.semantics.get(protocol.semantics)!;
    const opening: Opening = { tokenId: client.hello.tokenId, ended: null };
    this.#opening.set(sessionId, opening);
    let leased = false;
    let upstream: UpstreamConnection | null = null;
    try {
      const resource = this.#resource(client, protocol);
      const unsettled = semantics.refusesSettings(client.hello.settings);
      if (unsettled) throw new Turned(unsettled);
      const lease = await this.#redeem(client, protocol, address, sessionId);
      leased = true;
      this.#admit(lease, resource, address);
      upstream = await services.upstreams.dial(resource, protocol, client.hello.settings);
      await semantics.prepare(resource);
      if (client.inbox.ended) throw new Error("the client went away");
      if (opening.ended) throw new Turned(opening.ended);
      if (!services.policy.fresh) throw new Turned(refusal.controlPlaneAway());
      // The policy may be another by now, and only sessions are told.
      const facts = this.#admit(lease, resource, address);
      const { ready } = upstream;
      const welcome = this.#cancelKeys.issue((random) => client.login.welcome(ready, random));
      const session: Session = new Session(services, {
        ...{ protocol, semantics, resource, client, upstream, lease, facts },
        welcome: welcome.bytes,
        ended: () => {
          this.#cancelKeys.forget(welcome.cancelKey);
          this.options.ended(session);
        },
      });
      this.#cancelKeys.remember(welcome.cancelKey, session);
      this.options.opened(session);
      session.start().catch((error) => session.end("fault", String(error), refusal.notOpened()));
    } catch (error) {
      upstream?.socket.destroy();
      // The client has no part in it that the resource cannot be had.
      const unopened = error instanceof UpstreamFailure;
      if (leased) this.#giveBack(sessionId, unopened);
      const told = this.#toldOf(error);
      services.log.warn({ resource: client.resource, error: causesOf(error) }, "a session could not be opened");
      const tokenFault = error instanceof Turned ? error.tokenFault : "";
      const cause = unopened ? causesOf(error.cause) : "";
      const { tokenId } = client.hello;
      const refused = { refusal: told, tokenId, tokenFault, cause };
      this.#recordRefused(protocol, address, refused, leased ? sessionId : "");
      client.inbox.detach();
      farewell(client.socket, client.login.refuse(told));
    } finally {
      this.#opening.delete(sessionId);
    }
  }

  /** The resource comes from the token; the start-up may name it, but not another. */
  #resource({ resource: name, hello }: ProvedClient, protocol: Protocol): ResourcePart {
    const resource = this.options.services.policy.current?.bundle.resources.find((each) => each.name === name);
    if (!resource || resource.protocol !== protocol.name) throw new Turned(refusal.notServed(name));
    const { database } = resource.upstream;
    if (hello.database !== "" && hello.database !== database && hello.database !== name) {
      throw new Turned(refusal.otherDatabase(hello.database, name, database));
    }
    return resource;
  }

  async #redeem(client: ProvedClient, protocol: Protocol, address: string, sessionId: string): Promise<edgeV1.Lease> {
    const { outcome, uses } = await this.options.control.call(edgeV1.EdgeTokens.method.redeem, {
      tokenId: client.hello.tokenId,
      sessionId,
      protocol: protocol.name,
      clientAddress: address,
      clientApplication: client.hello.application,
    });
    if (outcome.case === "lease" && outcome.value.principal) {
      if (outcome.value.resource !== client.resource) throw new Turned(refusal.notServed(outcome.value.resource));
      return outcome.value;
    }
    const fault = outcome.case === "refused" ? outcome.value : "";
    throw new Turned(refusal.tokenNotUsable(fault, uses), fault);
  }

  #admit(lease: edgeV1.Lease, resource: ResourcePart, clientAddress: string): SessionFacts {
    const { policy, clock } = this.options.services;
    const { id, issuer, subject, name, groups, run, onBehalfOf } = lease.principal!;
    const principal: Principal = { id, issuer, subject, name, groups, run, onBehalfOf };
    const facts: SessionFacts = { principal, resource: resource.name, scope: lease.scope, clientAddress };
    const verdict = policy.current!.decider.connect(facts, clock.now());
    if (verdict.kind === "deny") throw new Turned(refusal.denied(verdict));
    return facts;
  }

  #giveBack(sessionId: string, unopened: boolean): void {
    this.options.control.call(edgeV1.EdgeTokens.method.release, { sessionId, unopened }).catch(() => {
      // It ends with its lease.
    });
  }

  #toldOf(error: unknown): Refusal {
    if (error instanceof Turned) return error.told;
    if (error instanceof UpstreamFailure) return error.refusal;
    if (error instanceof ControlPlaneAway) return refusal.controlPlaneAway();
    return refusal.notOpened();
  }

  /** Logins by nobody must not use up what sessions need: past `ok` they are only logged. */
  #recordRefused(
    protocol: Protocol,
    clientAddress: string,
    { refusal: told, tokenId, tokenFault, cause = "" }: RefusedLogin,
    sessionId = "",
  ): void {
    const { recorder, log } = this.options.services;
    const { code, message } = told;
    const said = { clientAddress, tokenId, code, tokenFault, cause };
    try {
      if (!recorder.accepts) throw new Error("the spool is nearly full");
      recorder.record(sessionId, "loginRefused", { protocol: protocol.name, message, ...said });
    } catch (error) {
      log.warn({ ...said, error: String(error) }, "a refused login could not be recorded");
    }
  }
}

const LONGEST_CAUSE = 1_000;

/** What an error says, and what is behind it. */
function causesOf(error: unknown): string {
  const said: string[] = [];
  for (let cause = error; cause !== undefined && said.length < 5; cause = (cause as { cause?: unknown }).cause) {
    const each = cause instanceof AggregateError ? cause.errors.map(causesOf).join("; ") : messageOf(cause);
    if (each !== "" && !said.includes(each)) said.push(each);
    if (!(cause instanceof Error)) break;
  }
  return said.join(": ").slice(0, LONGEST_CAUSE);
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
