import { setTimeout as sleep } from "node:timers/promises";
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Bus, BusFailure, BusUnavailable, connectBus, type EncodedBatch } from "#bus";
import { type edgeV1, enforcerInbox, pushSubject } from "#contracts";
import type { Log } from "../log.js";
import { type ControlPlane, ControlPlaneAway, ControlPlaneRefused } from "./control-plane.js";

export interface BusControlOptions {
  readonly enforcerId: string;
  readonly group: string;
  readonly url: string;
  /** The text of the node's `.creds` file. */
  readonly credentials: string;
  readonly log: Log;
  readonly push: (push: edgeV1.Push) => void;
  /** The connection is there, for the first time or again: what was pushed meanwhile has been missed. */
  readonly connected: () => void;
}

const CALL_MS = 5_000;
const RETRY_MS = 1_000;

/** The control plane over the bus. Connects behind the caller's back, for ever; until then it is away. */
export class BusControl implements ControlPlane {
  #bus: Bus | null = null;
  readonly #awaiting: ((bus: Bus) => void)[] = [];
  #closed = false;

  constructor(private readonly options: BusControlOptions) {
    void this.#connect();
  }

  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    try {
      const bus = this.#bus ?? (await this.#firstConnection());
      return await bus.callEdge(method, this.options.enforcerId, request, { timeoutMs: CALL_MS });
    } catch (error) {
      throw translated(error);
    }
  }

  async publish(batch: EncodedBatch): Promise<void> {
    try {
      const bus = this.#bus ?? (await this.#firstConnection());
      await bus.publishRecords(this.options.enforcerId, batch);
    } catch (error) {
      throw translated(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#bus?.close();
  }

  /** While the node starts, what is asked waits for the bus as long as it would wait for an answer. */
  #firstConnection(): Promise<Bus> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new ControlPlaneAway("the bus is not connected")), CALL_MS);
      timer.unref();
      this.#awaiting.push((bus) => {
        clearTimeout(timer);
        resolve(bus);
      });
    });
  }

  async #connect(): Promise<void> {
    const { url, credentials, enforcerId, group, log } = this.options;
    while (!this.#closed && !this.#bus) {
      try {
        const bus = await connectBus({
          url,
          credentials,
          name: `enforcer ${enforcerId}`,
          inboxPrefix: enforcerInbox(enforcerId),
        });
        if (this.#closed) return void bus.close();
        bus.subscribePush([pushSubject.all, pushSubject.group(group), pushSubject.node(enforcerId)], this.options.push);
        await bus.nats.flush();
        this.#bus = bus;
        for (const resolve of this.#awaiting.splice(0)) resolve(bus);
        log.info("connected to the control plane");
        void this.#watch(bus);
        this.options.connected();
      } catch (error) {
        log.warn({ error: String(error) }, "the control plane's bus cannot be reached; trying again");
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  async #watch(bus: Bus): Promise<void> {
    for await (const { type } of bus.nats.status()) {
      if (type === "disconnect") this.options.log.warn("the control plane's bus is away");
      if (type === "reconnect") {
        this.options.log.info("the control plane's bus is back");
        this.options.connected();
      }
    }
  }
}

function translated(error: unknown): Error {
  if (error instanceof BusFailure) {
    // A service that failed has not refused: it may do better next time.
    const failed = error.code === "internal" || error.code === "unavailable";
    return failed
      ? new ControlPlaneAway(error.message, { cause: error })
      : new ControlPlaneRefused(error.code, error.message);
  }
  if (error instanceof BusUnavailable) return new ControlPlaneAway(error.message, { cause: error });
  return error as Error;
}
