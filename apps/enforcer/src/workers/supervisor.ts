import cluster, { type Worker } from "node:cluster";
import type { EnforcerConfig } from "../enforcer.config.js";
import { createLog, type Log } from "../log.js";
import type { ForOthers, FromWorker } from "./messages.js";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
/** A worker drains in less. */
const DRAIN_MS = 15_000;

/** The first worker ended before it was ready; it has said why itself. */
export class WorkerFailed extends Error {
  override readonly name = "WorkerFailed";
}

/**
 * A node of several processes. Each is a whole enforcer with a spool of its own; they share the port, which is taken here:
 * this process hands each connection to the next of them and sees nothing of what goes over it. One that ends takes its own
 * sessions along, and is replaced.
 */
export class Supervisor {
  readonly #workers = new Map<number, Worker>();
  readonly #pauses = new Map<number, number>();
  readonly #log: Log;
  #ports: readonly number[] = [];
  #draining: Promise<void> | null = null;

  private constructor({ logLevel }: EnforcerConfig) {
    this.#log = createLog(logLevel);
    cluster.setupPrimary({ stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  /** Ready with its first worker, which makes what the others then find in the folder. @throws WorkerFailed */
  static async start(config: EnforcerConfig): Promise<Supervisor> {
    const supervisor = new Supervisor(config);
    await new Promise<void>((ready, failed) => {
      supervisor.#fork(1, true, ready).once("exit", () => failed(new WorkerFailed("the enforcer did not start")));
    });
    for (let number = 2; number <= config.workers; number++) supervisor.#fork(number, true);
    return supervisor;
  }

  /** The ports listened on, in the order of the configuration. */
  get ports(): readonly number[] {
    return this.#ports;
  }

  /** Every worker ends its sessions with a native error and ships what it can. Twice is once. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    const ended = [...this.#workers.values()].map(
      (worker) => new Promise<void>((resolve) => worker.once("exit", () => resolve())),
    );
    this.#signal("SIGTERM");
    const late = setTimeout(() => this.#signal("SIGKILL"), DRAIN_MS);
    await Promise.all(ended);
    clearTimeout(late);
  }

  #fork(number: number, fresh: boolean, ready = () => {}): Worker {
    const worker = cluster.fork({
      // What V8's threads have freed is used again by all (mallopt(3)): some 10 MB of an idle worker.
      MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? "1",
      COUNTERFOIL_WORKER: `${number}${fresh ? "" : " again"}`,
    });
    this.#workers.set(number, worker);
    let wasReady = false;
    worker.on("message", (message: FromWorker) => {
      if (message.kind !== "ready") return this.#passOn(message, worker);
      wasReady = true;
      this.#ports = message.ports;
      this.#pauses.delete(number);
      ready();
    });
    worker.once("exit", (code, signal) => {
      this.#workers.delete(number);
      // Before any was ready there is no node.
      if (this.#draining || (!wasReady && this.#ports.length === 0)) return;
      this.#log.warn({ worker: number, ended: signal ?? code }, "a worker ended; another takes its place");
      this.#replace(number);
    });
    worker.on("error", (error) => this.#log.warn({ worker: number, error: String(error) }, "a worker is not reached"));
    return worker;
  }

  #replace(number: number): void {
    const pause = this.#pauses.get(number) ?? FIRST_PAUSE_MS;
    this.#pauses.set(number, Math.min(pause * 2, LONGEST_PAUSE_MS));
    setTimeout(() => {
      if (!this.#draining) this.#fork(number, false);
    }, pause);
  }

  /** Not a message: whoever is too young to hear one ends at once. */
  #signal(signal: NodeJS.Signals): void {
    for (const worker of this.#workers.values()) worker.process.kill(signal);
  }

  #passOn(message: ForOthers, from: Worker): void {
    for (const worker of this.#workers.values()) if (worker !== from && worker.isConnected()) worker.send(message);
  }
}
