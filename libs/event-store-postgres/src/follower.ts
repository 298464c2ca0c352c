import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import type { DataSource, EntityManager } from "typeorm";
import type { Bus } from "#bus";
import { STREAM } from "#contracts";
import type { SequencedEvent } from "#event-store";
import type { Logger } from "./candidate.js";
import type { PostgresEventStore } from "./postgres-store.js";
import { decodeStoredEvent } from "./stored-event.js";

export interface FollowerOptions {
  /** Names the checkpoint; unique over all services. */
  readonly name: string;
  readonly dataSource: DataSource;
  readonly store: PostgresEventStore;
  readonly bus: Bus;
  readonly logger: Logger;
  /**
   * Takes one event into the projection. Called for every event of the log, in order, in the transaction that moves the
   * checkpoint: its effects in the database happen exactly once. What it throws is tried again, for ever: it never skips.
   */
  readonly apply: (tx: EntityManager, event: SequencedEvent) => Promise<void>;
  /** Called after a commit that moved the checkpoint. */
  readonly committed?: (position: number) => void;
  /** Empties the projection, before it is built anew. */
  readonly reset: (tx: EntityManager) => Promise<void>;
}

const BATCH = 200;
const LONGEST_BACKOFF_MS = 2_000;
/** How long an event may go unnoticed where JetStream lost it, and nothing came after. */
const POLL_MS = 5_000;

/**
 * Keeps a projection of the whole log: live from JetStream, whose sequence is the position, and from the store wherever
 * JetStream has a gap, is behind or is gone. Any number of processes may follow under one name: the checkpoint's row
 * lock lets one at a time apply, and the others find it done.
 */
export class Follower {
  #stopped = true;
  #running: Promise<void> = Promise.resolve();
  #turn: Promise<unknown> = Promise.resolve();
  #interrupt = () => {};
  #position = 0;
  readonly #waiting = new Set<{ readonly position: number; readonly resolve: () => void }>();

  constructor(private readonly options: FollowerOptions) {}

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#interrupt();
    await this.#running;
    await this.#turn;
  }

  /** Resolves when the projection holds everything up to and with this position. */
  async reached(position: number): Promise<void> {
    if (this.#position >= position) return;
    await new Promise<void>((resolve) => this.#waiting.add({ position, resolve }));
  }

  /** Empties the projection and builds it anew from the store; readers see the old one, then one that grows. */
  async rebuild(): Promise<void> {
    const { dataSource, name, reset } = this.options;
    await this.#alone(() =>
      dataSource.transaction(async (tx) => {
        await this.#lockedPosition(tx);
        await reset(tx);
        await tx.query("UPDATE es.checkpoint SET pos = 0, epoch = epoch + 1 WHERE consumer = $1", [name]);
        this.#position = 0;
      }),
    );
    await this.#catchUp();
  }

  async #run(): Promise<void> {
    const { logger, name } = this.options;
    for (let failures = 0; !this.#stopped; ) {
      try {
        await this.#catchUp();
        failures = 0;
        await this.#followStream();
      } catch (error) {
        if (failures++ === 0)
          logger.warn(`${name} lost the event stream, reading the store: ${(error as Error).message}`);
        await this.#pause(Math.min(LONGEST_BACKOFF_MS, 50 * 2 ** failures));
      }
    }
  }

  /** Everything the store has and the projection has not. */
  #catchUp(): Promise<void> {
    return this.#alone(async () => {
      const { store } = this.options;
      this.#position = await this.#applied([]);
      for (let events = await store.readAll(this.#position, BATCH); events.length > 0 && !this.#stopped; ) {
        this.#position = await this.#applied(events);
        events = await store.readAll(this.#position, BATCH);
      }
    });
  }

  /** Returns when the stream must be asked for anew. */
  async #followStream(): Promise<void> {
    const consumer = await jetstream(this.options.bus.nats).consumers.get(STREAM.events.name, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.#position + 1,
    });
    const messages = await consumer.consume({ max_messages: BATCH, idle_heartbeat: 2_000, expires: 10_000 });
    let failure: unknown;
    const quit = (cause?: unknown) => {
      failure ??= cause;
      messages.stop();
    };
    this.#interrupt = () => quit();
    const poll = setInterval(() => this.#catchUp().catch(quit), POLL_MS);
    const watch = (async () => {
      for await (const status of messages.status()) {
        if (status.type === "stream_not_found") quit(new Error("the stream is gone"));
        // Its own recovery goes on from what it has delivered; we go on from what we have applied.
        if (status.type === "heartbeats_missed") quit(new Error("the stream fell silent"));
      }
    })();
    try {
      if (this.#stopped) quit();
      for await (const message of messages) {
        const event = decodeStoredEvent(message.data);
        if (event.position === this.#position + 1) await this.#alone(() => this.#applyNext(event));
        else if (event.position > this.#position) await this.#catchUp();
        if (failure) break;
      }
    } finally {
      clearInterval(poll);
      messages.stop();
      await watch.catch(() => {});
    }
    if (failure) throw failure;
  }

  async #applyNext(event: SequencedEvent): Promise<void> {
    this.#position = await this.#applied([event]);
  }

  /** Applies what is next and answers the position reached. */
  async #applied(events: readonly SequencedEvent[]): Promise<number> {
    const { dataSource, name, apply, committed } = this.options;
    let moved = false;
    const position = await dataSource.transaction(async (tx) => {
      const before = await this.#lockedPosition(tx);
      let reached = before;
      for (const event of events) {
        if (event.position <= reached) continue;
        // Rebuilt meanwhile, by another process: whoever comes next reads the store from there.
        if (event.position > reached + 1) break;
        await apply(tx, event);
        reached = event.position;
      }
      if (reached > before) {
        await tx.query("UPDATE es.checkpoint SET pos = $2 WHERE consumer = $1", [name, reached]);
      }
      moved = reached > before;
      return reached;
    });
    if (moved) committed?.(position);
    for (const waiting of this.#waiting) {
      if (waiting.position > position) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
    return position;
  }

  async #lockedPosition(tx: EntityManager): Promise<number> {
    const { name } = this.options;
    await tx.query("INSERT INTO es.checkpoint (consumer) VALUES ($1) ON CONFLICT DO NOTHING", [name]);
    const [row] = await tx.query("SELECT pos FROM es.checkpoint WHERE consumer = $1 FOR UPDATE", [name]);
    return Number(row.pos);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
