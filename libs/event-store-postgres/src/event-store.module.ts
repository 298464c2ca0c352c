import {
  type DynamicModule,
  Inject,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from "@nestjs/common";
import { DataSource } from "typeorm";
import { Bus } from "#bus";
import { type DatabaseOptions, openDatabase } from "./database.js";
import { PostgresEventStore } from "./postgres-store.js";
import { Relay } from "./relay.js";
import { Sequencer } from "./sequencer.js";

const OPTIONS = Symbol("event store options");

/** The database (migrated), the store, and this process's candidates for the sequencer and the relay. Needs BusModule. */
@Module({})
export class EventStoreModule implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #dataSource: DataSource;
  readonly #sequencer: Sequencer;
  readonly #relay: Relay;

  constructor(
    @Inject(DataSource) dataSource: DataSource,
    @Inject(PostgresEventStore) store: PostgresEventStore,
    @Inject(Bus) bus: Bus,
    @Inject(OPTIONS) { databaseUrl }: DatabaseOptions,
  ) {
    const log = new Logger(EventStoreModule.name);
    const logger = { info: (text: string) => log.log(text), warn: (text: string) => log.warn(text) };
    this.#dataSource = dataSource;
    this.#sequencer = new Sequencer({ databaseUrl, logger });
    this.#relay = new Relay({ databaseUrl, store, bus, logger });
  }

  static forRoot(options: DatabaseOptions): DynamicModule {
    return {
      module: EventStoreModule,
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: DataSource, useFactory: () => openDatabase(options) },
        {
          provide: PostgresEventStore,
          useFactory: (dataSource: DataSource) => new PostgresEventStore(dataSource),
          inject: [DataSource],
        },
      ],
      exports: [DataSource, PostgresEventStore],
    };
  }

  onApplicationBootstrap(): void {
    this.#sequencer.start();
    this.#relay.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.#sequencer.stop(), this.#relay.stop()]);
    await this.#dataSource.destroy();
  }
}
