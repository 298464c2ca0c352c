import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { headers, type Msg, type MsgHdrs, type NatsConnection, RequestError } from "@nats-io/transport-node";
import { busV1, type CallContext, edgeRecordsSubject, edgeSubject, edgeV1, HEADER, rpcSubject } from "#contracts";
import { commandHeader, headersOf } from "./call-headers.js";
import { BusFailure, BusUnavailable } from "./failures.js";

export interface CallOptions {
  /** Milliseconds; 5000 where absent. */
  readonly timeoutMs?: number;
}
export interface EdgeCallOptions extends CallOptions {
  /** UUID: the same again is the same command and has the same answer. A new one where absent. */
  readonly commandId?: string;
}

/** An edge.v1 RecordBatch, encoded. */
export interface EncodedBatch {
  /** Of exactly these records: source, first and last sequence. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const TIMEOUT_MS = 5000;
const LAST_WORDS_MS = 2000;

/** One connection to the bus, for requests, pushes and records. Reconnects for ever. */
export class Bus {
  private away = false;

  constructor(
    /** For JetStream and whatever else has no method here. */
    readonly nats: NatsConnection,
  ) {
    void this.watch();
  }

  /** False while the connection is lost; requests then fail at once. */
  get connected(): boolean {
    return !this.away && !this.nats.isClosed();
  }

  /**
   * Asks a control service.
   * @throws BusFailure where it refuses or fails. @throws BusUnavailable where nobody answers.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    context: CallContext,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    return this.ask(rpcSubject(method), method, request, headersOf(context), options);
  }

  /** Asks as enforcer `enforcerId`. @throws as `call` does. */
  callEdge<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    enforcerId: string,
    request: MessageInitShape<I>,
    options: EdgeCallOptions = {},
  ): Promise<MessageShape<O>> {
    const header = commandHeader(options.commandId ?? randomUUID());
    return this.ask(edgeSubject(method, enforcerId), method, request, header, options);
  }

  /** Tells enforcers. A hint: one that is disconnected now does not hear it. */
  push(subject: string, push: MessageInitShape<typeof edgeV1.PushSchema>): void {
    this.nats.publish(subject, toBinary(edgeV1.PushSchema, create(edgeV1.PushSchema, push)));
  }

  /** Hears pushes; one that can't be read is left out. Returns what ends it. */
  subscribePush(subjects: readonly string[], handler: (push: edgeV1.Push) => void): () => void {
    const subscriptions = subjects.map((subject) =>
      this.nats.subscribe(subject, {
        callback: (error, message) => {
          const push = error ? null : readPush(message);
          if (push) handler(push);
        },
      }),
    );
    return () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    };
  }

  /**
   * Publishes records and waits for the stream to have them. That is no durability: keep them until the audit service
   * has acknowledged. The same batch within the stream's window is stored once.
   * @throws BusUnavailable where the stream did not answer. @throws BusFailure `too_large` over `maxPayload`.
   */
  async publishRecords(enforcerId: string, { name, bytes }: EncodedBatch, options: CallOptions = {}): Promise<void> {
    const header = headers();
    header.set("Nats-Msg-Id", name);
    const reply = await this.request(edgeRecordsSubject(enforcerId), bytes, header, options);
    const acknowledged = reply.json<{ stream?: string; error?: { description?: string } }>();
    if (acknowledged.error || !acknowledged.stream) {
      throw new BusUnavailable(`the records stream refused a batch: ${acknowledged.error?.description ?? "no stream"}`);
    }
  }

  /** Bytes of the largest message. */
  get maxPayload(): number {
    return this.nats.info?.max_payload ?? 1024 * 1024;
  }

  /** Sends what is under way, then disconnects. A server that says nothing is not waited for. */
  async close(): Promise<void> {
    if (this.nats.isClosed()) return;
    const over = new AbortController();
    const late = sleep(LAST_WORDS_MS, undefined, { signal: over.signal }).catch(() => {});
    if (this.connected) await Promise.race([this.nats.drain().catch(() => {}), late]);
    over.abort();
    await this.nats.close();
  }

  private async ask<I extends DescMessage, O extends DescMessage>(
    subject: string,
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    header: MsgHdrs,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    const body = toBinary(method.input, create(method.input, request));
    const reply = await this.request(subject, body, header, options);
    if (reply.headers?.get(HEADER.outcome) === "failure") {
      const failure = fromBinary(busV1.FailureSchema, reply.data);
      throw new BusFailure(failure.code, failure.message, failure.details);
    }
    return fromBinary(method.output, reply.data);
  }

  private async request(subject: string, body: Uint8Array, header: MsgHdrs, options: CallOptions): Promise<Msg> {
    if (!this.connected) throw new BusUnavailable("the bus is away");
    if (body.length > this.maxPayload) {
      throw new BusFailure("too_large", `a message of ${body.length} bytes is over the bus's ${this.maxPayload}`);
    }
    try {
      return await this.nats.request(subject, body, { timeout: options.timeoutMs ?? TIMEOUT_MS, headers: header });
    } catch (cause) {
      const silent = cause instanceof RequestError && cause.isNoResponders();
      throw new BusUnavailable(silent ? `nobody answers ${subject}` : `no answer to ${subject}`, { cause });
    }
  }

  private async watch(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === "disconnect") this.away = true;
      if (status.type === "reconnect") this.away = false;
    }
  }
}

function readPush(message: Msg): edgeV1.Push | null {
  try {
    return fromBinary(edgeV1.PushSchema, message.data);
  } catch {
    return null;
  }
}
