import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { edgeV1 } from "#contracts";
import { Spool } from "#spool";
import type { Clock } from "../clock.js";
import type { ControlPlane } from "../control/control-plane.js";
import type { Log } from "../log.js";
import { Recorder } from "./recorder.js";
import { Shipper } from "./shipper.js";

/** The folder of a process's spool. */
export const spoolFolder = (folder: string, number: number): string =>
  join(folder, number === 1 ? "spool" : `spool-${number}`);

interface Left {
  readonly folder: string;
  readonly spool: Spool;
  readonly shipper: Shipper;
}

/** Ships what is left of processes that a node no longer has, since it was told to have fewer, and removes it then. */
export class LeftSpools {
  readonly #left = new Set<Left>();

  constructor(
    folder: string,
    workers: number,
    private readonly control: Pick<ControlPlane, "publish">,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    for (const name of readdirSync(folder)) {
      const number = Number(/^spool-(\d+)$/.exec(name)?.[1] ?? 0);
      if (number > workers) this.#open(join(folder, name));
    }
  }

  ship(): void {
    for (const { shipper } of this.#left) shipper.ship();
  }

  acknowledged(acknowledged: edgeV1.SpoolAcknowledged): void {
    for (const left of this.#left) {
      left.shipper.acknowledged(acknowledged);
      if (left.spool.unacknowledged === 0) void this.#close(left, true);
    }
  }

  async stop(): Promise<void> {
    for (const left of this.#left) await this.#close(left, false);
  }

  #open(folder: string): void {
    try {
      const spool = Spool.open({ folder });
      new Recorder(spool, this.clock).opened();
      this.#left.add({ folder, spool, shipper: new Shipper(spool, this.control, this.clock, this.log) });
    } catch (error) {
      this.log.warn({ folder, error: String(error) }, "records of an earlier process cannot be shipped");
    }
  }

  async #close(left: Left, empty: boolean): Promise<void> {
    if (!this.#left.delete(left)) return;
    left.shipper.stop();
    await left.spool.close().catch(() => {});
    if (empty) rmSync(left.folder, { recursive: true, force: true });
  }
}
