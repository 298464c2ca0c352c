import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from "@nestjs/common";
import { Bus } from "#bus";
import { pushSubject } from "#contracts";
import { Declarations } from "../projections/declarations.js";
import { BundleMaker } from "./bundle-maker.js";

/** Beats an enforcer may miss before its lease ends. */
const BEATS_A_LEASE = 5;
/** What a push has around a bundle. */
const ENVELOPE_BYTES = 1_024;

/**
 * Tells the enforcers. A push of a bundle is only fast; the beats carry the newest epoch out of the database, so an
 * enforcer that missed the push asks for the bundle.
 */
@Injectable()
export class BundlePublisher implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger(BundlePublisher.name);
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> = Promise.resolve();

  constructor(
    @Inject(Bus) private readonly bus: Bus,
    @Inject(Declarations) private readonly declarations: Declarations,
    @Inject(BundleMaker) private readonly maker: BundleMaker,
    @Inject("leaseSeconds") private readonly leaseSeconds: number,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.declarations.adoptLease();
    const beat = () => {
      this.#beating = this.#beating.then(() => this.#beat());
    };
    beat();
    this.#timer = setInterval(beat, (this.leaseSeconds * 1000) / BEATS_A_LEASE);
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#beating;
    this.maker.dispose();
  }

  /** The change is in force already; that an enforcer could not be told of it now is no failure of the change. */
  async publish(groups: readonly string[]): Promise<void> {
    for (const group of groups) {
      try {
        const { bundle, signed, bytes } = await this.maker.current(group);
        const subject = pushSubject.group(group);
        if (bytes + ENVELOPE_BYTES <= this.bus.maxPayload)
          this.bus.push(subject, { message: { case: "bundle", value: signed } });
        this.bus.push(subject, { message: { case: "beat", value: this.maker.beat(group, bundle.epoch) } });
      } catch (error) {
        this.#log.warn(`the bundle of ${group} was not pushed; the next beat tells of it: ${(error as Error).message}`);
      }
    }
  }

  /** Nothing is said while the database is away: nobody knows then which epoch is the newest. */
  async #beat(): Promise<void> {
    try {
      for (const [group, epoch] of await this.declarations.epochs()) {
        this.bus.push(pushSubject.group(group), { message: { case: "beat", value: this.maker.beat(group, epoch) } });
      }
    } catch (error) {
      this.#log.warn(`no beat: ${(error as Error).message}`);
    }
  }
}
