import type { edgeV1 } from "#contracts";
import type { Backlog, Spool } from "#spool";
import type { Clock } from "../clock.js";
import type { ControlPlane } from "../control/control-plane.js";
import type { Log } from "../log.js";
import { encodeBatch } from "./record-batch.js";

/** Under the bus's default largest message of 1 MiB. */
const BATCH_BYTES = 256 * 1024;
/** Sent and not yet acknowledged; more waits on disk. */
const WINDOW_RECORDS = 20_000;
const RESEND_MS = 5_000;
const GATHER_MS = 25;

/**
 * Ships the spool in order, a source when all before it are acknowledged. Only the audit service's own acknowledgement
 * frees a record; what it does not acknowledge in time is sent again, and it recognises it by source and sequence.
 */
export class Shipper {
  #backlog: Backlog;
  #sent: number;
  #running = false;
  #again = false;
  #stopped = false;
  #resend: (() => void) | null = null;
  #planned: (() => void) | null = null;

  constructor(
    private readonly spool: Spool,
    private readonly control: Pick<ControlPlane, "publish">,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.#backlog = spool.backlog;
    this.#sent = this.#backlog.acknowledged;
    spool.onReadable(() => this.#soon());
  }

  /** Sends what there is; called whenever there may be more. */
  ship(): void {
    this.#again = true;
    if (!this.#running && !this.#stopped) void this.#run();
  }

  acknowledged({ source, sequence, gap }: edgeV1.SpoolAcknowledged): void {
    if (source !== this.#backlog.source) return;
    if (gap && this.spool.goBack(source, Number(sequence))) {
      this.log.warn({ source, sequence: Number(sequence) }, "the audit log has gone back; records are sent again");
      this.#sent = this.#backlog.acknowledged;
      this.ship();
      return;
    }
    this.spool.acknowledge(source, Number(sequence));
    this.#resend?.();
    this.#resend = null;
    if (this.#backlog === this.spool.backlog) {
      this.#sent = Math.max(this.#sent, this.#backlog.acknowledged);
    } else {
      this.#backlog = this.spool.backlog;
      this.#sent = this.#backlog.acknowledged;
    }
    if (this.#backlog.acknowledged < this.#sent) this.#resendLater();
    this.ship();
  }

  stop(): void {
    this.#stopped = true;
    this.#planned?.();
    this.#resend?.();
  }

  /** Every group commit brings a few records: some of them share a batch. */
  #soon(): void {
    this.#planned ??= this.clock.after(GATHER_MS, () => {
      this.#planned = null;
      this.ship();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        while (!this.#stopped && this.#sent - this.#backlog.acknowledged < WINDOW_RECORDS && (await this.#batch()));
      }
    } catch (error) {
      this.log.warn({ error: String(error) }, "records could not be shipped; they stay in the spool");
    } finally {
      this.#running = false;
      if (this.spool.unacknowledged > 0) this.#resendLater();
    }
  }

  async #batch(): Promise<boolean> {
    const backlog = this.#backlog;
    const frames = await backlog.read(this.#sent, BATCH_BYTES);
    if (frames.length === 0) return false;
    await this.control.publish(encodeBatch(backlog.source, frames, backlog.oldest));
    // It may have been acknowledged whole meanwhile.
    if (backlog === this.#backlog) this.#sent = Math.max(this.#sent, frames.at(-1)!.sequence);
    return true;
  }

  #resendLater(): void {
    if (this.#resend || this.#stopped) return;
    this.#resend = this.clock.after(RESEND_MS, () => {
      this.#resend = null;
      this.#sent = this.#backlog.acknowledged;
      this.ship();
    });
  }
}
