import { randomUUID } from "node:crypto";
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { headers, type Msg, type Subscription } from "@nats-io/transport-node";
import { type CustomTransportStrategy, type MessageHandler, Server } from "@nestjs/microservices";
import { lastValueFrom } from "rxjs";
import { busV1, enforcerOf, HEADER } from "#contracts";
import type { Bus } from "../bus.js";
import { actorOf, commandIdOf } from "../call-headers.js";
import { BusFailure } from "../failures.js";
import { failureOf } from "./failure-of.js";
import type { BusCall, Endpoint } from "./rpc.js";

/** Answers the methods of the application's controllers; replicas of a service share the requests. */
export class BusServer extends Server implements CustomTransportStrategy {
  private readonly subscriptions: Subscription[] = [];
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly bus: Bus) {
    super();
  }

  async listen(started: (error?: unknown) => void): Promise<void> {
    try {
      for (const [subject, handler] of this.messageHandlers) {
        const endpoint = handler.extras as Endpoint | undefined;
        if (!endpoint?.method) throw new Error(`${subject} is answered without @Rpc or @EdgeRpc`);
        const callback = (error: Error | null, message: Msg) => {
          if (error) this.logger.error(error);
          else this.take(message, handler, endpoint);
        };
        this.subscriptions.push(this.bus.nats.subscribe(subject, { queue: endpoint.method.parent.name, callback }));
      }
      // Whoever was told that we listen may ask at once.
      await this.bus.nats.flush();
      started();
    } catch (error) {
      started(error);
    }
  }

  /** Takes no more requests, and ends when those under way are answered. The connection stays. */
  async close(): Promise<void> {
    const draining = this.bus.connected;
    await Promise.all(
      this.subscriptions
        .splice(0)
        .map((s) => (draining && !s.isClosed() ? s.drain().catch(() => {}) : s.unsubscribe())),
    );
    await Promise.all(this.underWay);
    if (this.bus.connected) await this.bus.nats.flush();
  }

  on(): never {
    throw new Error("the bus has no events: see `status()` of its connection");
  }

  unwrap<T>(): T {
    return this.bus as T;
  }

  private take(message: Msg, handler: MessageHandler, endpoint: Endpoint): void {
    const answering = this.answer(message, handler, endpoint).finally(() => this.underWay.delete(answering));
    this.underWay.add(answering);
  }

  private async answer(message: Msg, handler: MessageHandler, endpoint: Endpoint): Promise<void> {
    const { input, output } = endpoint.method;
    try {
      const request = read(() => fromBinary(input, message.data), input.typeName);
      const answer = this.transformToObservable(await handler(request, callOf(message, endpoint)));
      const body = toBinary(output, create(output, (await lastValueFrom(answer)) as Message));
      if (body.length > this.bus.maxPayload) {
        throw new BusFailure("too_large", `the answer has ${body.length} bytes, over the bus's ${this.bus.maxPayload}`);
      }
      message.respond(body);
    } catch (error) {
      this.fail(message, error);
    }
  }

  private fail(message: Msg, error: unknown): void {
    let failure = failureOf(error);
    if (!failure) {
      const reference = randomUUID();
      this.logger.error(`${message.subject} failed (${reference})`, detailOf(error));
      failure = create(busV1.FailureSchema, {
        code: "internal",
        message: `the service failed; its log says why under ${reference}`,
      });
    }
    const outcome = headers();
    outcome.set(HEADER.outcome, "failure");
    try {
      message.respond(toBinary(busV1.FailureSchema, failure), { headers: outcome });
    } catch (unsent) {
      this.logger.error(`${message.subject} could not be answered`, detailOf(unsent));
    }
  }
}

function callOf(message: Msg, endpoint: Endpoint): BusCall {
  const commandId = commandIdOf(message.headers);
  if (!commandId) throw new BusFailure("invalid", `the header ${HEADER.commandId} must be a UUID`);
  if (endpoint.edge) {
    const enforcerId = enforcerOf(message.subject);
    return { enforcerId, context: { actor: { id: `enforcer:${enforcerId}`, name: enforcerId, roles: [] }, commandId } };
  }
  const actor = actorOf(message.headers);
  if (!actor) throw new BusFailure("invalid", `the header ${HEADER.actor} must say who asks`);
  return { enforcerId: null, context: { actor, commandId } };
}

function read<T>(decode: () => T, name: string): T {
  try {
    return decode();
  } catch {
    throw new BusFailure("invalid", `the request is no ${name}`);
  }
}

/** The stack with those of its causes. */
function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by: ${detailOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
