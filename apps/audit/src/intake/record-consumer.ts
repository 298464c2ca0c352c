import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, type JsMsg, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from "@nestjs/common";
import { DataSource } from "typeorm";
import { Bus, ensureStreams } from "#bus";
import { enforcerOf, pushSubject, STREAM } from "#contracts";
import { Announcer } from "./announcer.js";
import { gathered } from "./gathered.js";
import { type Reading, readMessage } from "./reading.js";
import { RecordIntake, type Taken } from "./record-intake.js";

const DURABLE = "audit";
const IN_FLIGHT = 128;
/** Of messages that are stored in one transaction: more of them live so long that collecting them costs more. */
const BATCH_BYTES = 512 << 10;
const ACK_WAIT_MS = 60_000;
/**
 * A batch that overtook another is tried again for longer than the stream remembers its id: sooner, the spool's sending it
 * again would go unheard.
 */
const GAP_TRIES = 40;
/** Until then it is an overtaking, or an enforcer that sends again from where the log is. */
const GAP_TOLD = 10;
const gapPauseMs = (deliveries: number) => Math.min(5_000, 250 * deliveries);
const LONGEST_BACKOFF_MS = 5_000;
/** An acknowledgement is a hint that may be lost, so it is said again while its spool is young. */
const REMIND_MS = 5_000;
const REMIND_FOR = "10 minutes";

/** How often what is in the log is taken out of the stream. */
const PURGE_MS = 5_000;

/** Consumes the enforcers' records, and tells each enforcer what is in the log: from then on it may forget it. */
@Injectable()
export class RecordConsumer implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger(RecordConsumer.name);
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #quit = () => {};

  constructor(
    private readonly bus: Bus,
    private readonly intake: RecordIntake,
    private readonly announcer: Announcer,
    private readonly dataSource: DataSource,
  ) {}

  onApplicationBootstrap(): void {
    this.#running = Promise.all([this.#run(), this.#remind(), this.#purge()]);
  }

  async onModuleDestroy(): Promise<void> {
    this.#stopping.abort();
    this.#quit();
    await this.#running;
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopped; ) {
      try {
        await this.#consume(() => {
          failures = 0;
        });
      } catch (error) {
        if (failures++ === 0 && !this.#stopped) this.#logger.warn(`records wait: ${(error as Error).message}`);
        await this.#pause(Math.min(LONGEST_BACKOFF_MS, 100 * 2 ** failures));
      }
    }
  }

  async #consume(working: () => void): Promise<void> {
    await ensureStreams(this.bus);
    const manager = await jetstreamManager(this.bus.nats, { checkAPI: false });
    await manager.consumers.add(STREAM.records.name, {
      durable_name: DURABLE,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: 4 * IN_FLIGHT,
    });
    const consumer = await jetstream(this.bus.nats).consumers.get(STREAM.records.name, DURABLE);
    const messages = await consumer.consume({
      max_messages: IN_FLIGHT,
      expires: 10_000,
      idle_heartbeat: 2_000,
      abort_on_missing_resource: true,
    });
    this.#quit = () => messages.stop();
    if (this.#stopped) messages.stop();
    let storing = Promise.resolve();
    try {
      for await (const batch of gathered(messages, ({ data }) => data.length, BATCH_BYTES)) {
        if (this.#stopped) break;
        // While the database stores the batch before.
        const readings = batch.map(({ subject, data }) => readMessage(enforcerOf(subject), data, new Date()));
        await storing;
        working();
        storing = this.#take(batch, readings);
      }
    } finally {
      messages.stop();
      await storing;
    }
  }

  /** Returns when the messages are dealt with: while the database is away, that is later, and the order is kept. */
  async #take(messages: readonly JsMsg[], readings: readonly Reading[]): Promise<void> {
    for (let failures = 0; !this.#stopped; ) {
      try {
        this.#answer(messages, await this.intake.take(readings));
        return;
      } catch (error) {
        if (failures++ === 0) this.#logger.warn(`records wait: ${(error as Error).message}`);
        for (const message of messages) message.working();
        await this.#pause(Math.min(LONGEST_BACKOFF_MS, 100 * 2 ** failures));
      }
    }
  }

  #answer(messages: readonly JsMsg[], taken: readonly Taken[]): void {
    const head = Math.max(...taken.map((one) => one.head));
    if (head > 0) this.announcer.announce(head);
    // The last of a spool says all.
    const reached = new Map<string, () => void>();
    messages.forEach((message, n) => {
      const { acknowledged, gap } = taken[n]!;
      const enforcerId = enforcerOf(message.subject);
      if (acknowledged && (acknowledged.sequence > 0 || gap)) {
        reached.set(`${enforcerId}\0${acknowledged.source}`, () => this.#acknowledge(enforcerId, acknowledged, gap));
      }
      const { deliveryCount } = message.info;
      if (gap && deliveryCount === GAP_TOLD) {
        this.#logger.warn(
          `records of ${enforcerId}/${acknowledged?.source} wait for records that did not come, since ${acknowledged?.sequence}`,
        );
      }
      if (gap && deliveryCount < GAP_TRIES) message.nak(gapPauseMs(deliveryCount));
      else message.ack();
    });
    for (const tell of reached.values()) tell();
  }

  #acknowledge(
    enforcerId: string,
    { source, sequence }: { readonly source: string; readonly sequence: number },
    gap = false,
  ): void {
    this.bus.push(pushSubject.node(enforcerId), {
      message: { case: "spoolAcknowledged", value: { source, sequence: BigInt(sequence), gap } },
    });
  }

  async #remind(): Promise<void> {
    while (!this.#stopped) {
      await this.#pause(REMIND_MS);
      if (this.#stopped || !this.bus.connected) continue;
      try {
        const rows: { enforcer_id: string; source: string; last_sequence: string }[] = await this.dataSource.query(
          `SELECT enforcer_id, source, last_sequence FROM audit.source
           WHERE last_sequence > 0 AND last_seen > now() - $1::interval`,
          [REMIND_FOR],
        );
        for (const row of rows) {
          this.#acknowledge(row.enforcer_id, { source: row.source, sequence: Number(row.last_sequence) });
        }
      } catch {
        // The database is away: said by the intake, and tried again.
      }
    }
  }

  /** The stream is a way, not a store: what every delivery is acknowledged of leaves it, so that it never fills up. */
  async #purge(): Promise<void> {
    for (let purged = 0; !this.#stopped; ) {
      await this.#pause(PURGE_MS);
      if (this.#stopped || !this.bus.connected) continue;
      try {
        const manager = await jetstreamManager(this.bus.nats, { checkAPI: false });
        const { stream_seq: taken } = (await manager.consumers.info(STREAM.records.name, DURABLE)).ack_floor;
        if (taken > purged) await manager.streams.purge(STREAM.records.name, { seq: taken + 1 });
        purged = taken;
      } catch {
        // The stream or the bus is away, which the consumer says: tried again.
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
