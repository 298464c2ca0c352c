import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from "@nestjs/common";
import { Enforcers } from "../projections/enforcers.js";
import { BusAccess } from "./bus-access.js";

const EVERY_MS = 5000;

/** Notes every few seconds which enforcers are connected, as the bus tells it: enforcers need do nothing for it. */
@Injectable()
export class Presence implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = new Logger(Presence.name);
  private round: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private ended = false;
  private failing = false;

  constructor(
    @Inject(BusAccess) private readonly busAccess: BusAccess,
    @Inject(Enforcers) private readonly enforcers: Enforcers,
  ) {}

  onApplicationBootstrap(): void {
    this.later();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.ended = true;
    clearTimeout(this.timer);
    await this.round;
  }

  async note(): Promise<void> {
    const connected = await this.busAccess.connected();
    if (connected.size > 0) await this.enforcers.see([...connected], new Date());
  }

  private later(): void {
    if (this.ended) return;
    this.timer = setTimeout(() => {
      this.round = this.attempt().finally(() => this.later());
    }, EVERY_MS);
    this.timer.unref();
  }

  private async attempt(): Promise<void> {
    try {
      await this.note();
      this.failing = false;
    } catch (error) {
      // Once for each time it begins to fail.
      if (!this.failing) this.log.warn(`which enforcers are connected is not known now: ${(error as Error).message}`);
      this.failing = true;
    }
  }
}
