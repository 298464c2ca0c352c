import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { headers } from "@nats-io/transport-node";
import { type Bus, BusFailure } from "#bus";
import { busV1, type CallContext, HEADER, rpcSubject } from "#contracts";

export interface Asked {
  readonly method: string;
  readonly request: unknown;
  readonly actor: CallContext["actor"];
  readonly commandId: string;
}

type Answer<I extends DescMessage, O extends DescMessage> = (request: MessageShape<I>) => MessageInitShape<O>;

/** Stands for the services: answers each method as the test says, over the real bus, and keeps what was asked. */
export class ControlPlane {
  readonly asked: Asked[] = [];
  private readonly answers = new Map<string, (request: never) => unknown>();
  private readonly listening = new Set<string>();

  constructor(private readonly bus: Bus) {}

  on<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, answer: Answer<I, O>): void {
    const subject = rpcSubject(method);
    this.answers.set(subject, answer as never);
    if (this.listening.has(subject)) return;
    this.listening.add(subject);
    this.bus.nats.subscribe(subject, {
      callback: (_, message) => {
        const answer = this.answers.get(subject);
        if (!answer) return;
        const request = fromBinary(method.input, message.data);
        this.asked.push({
          method: method.name,
          request,
          actor: JSON.parse(message.headers?.get(HEADER.actor) ?? "null"),
          commandId: message.headers?.get(HEADER.commandId) ?? "",
        });
        try {
          const answered = create(method.output, answer(request as never) as MessageInitShape<O>);
          message.respond(toBinary(method.output, answered));
        } catch (error) {
          const failed = headers();
          failed.set(HEADER.outcome, "failure");
          const { code, details } = error instanceof BusFailure ? error : { code: "internal", details: {} };
          const failure = create(busV1.FailureSchema, { code, message: (error as Error).message, details });
          message.respond(toBinary(busV1.FailureSchema, failure), { headers: failed });
        }
      },
    });
  }

  last(method: string): Asked {
    const found = this.asked.findLast((asked) => asked.method === method);
    if (!found) throw new Error(`${method} was not asked`);
    return found;
  }

  forget(): void {
    this.asked.length = 0;
  }
}

export function refuse(code: string, message: string, details: Record<string, string> = {}): never {
  throw new BusFailure(code, message, details);
}
