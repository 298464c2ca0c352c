import {
  type DynamicModule,
  Inject,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from "@nestjs/common";
import { DataSource } from "typeorm";
import { type DatabaseOptions, openDatabase } from "./database.js";
import { PostgresEventStore } from "./postgres-store.js";
import { Sequencer } from "./sequencer.js";

const OPTIONS = Symbol("event store options");

/** The database (migrated), the store, and a candidate for the sequencer. */
@Module({})
export class EventStoreModule implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #dataSource: DataSource;
  readonly #sequencer: Sequencer;

  constructor(@Inject(DataSource) dataSource: DataSource, @Inject(OPTIONS) options: DatabaseOptions) {
    const log = new Logger(EventStoreModule.name);
    const logger = { info: (text: string) => log.log(text), warn: (text: string) => log.warn(text) };
    this.#dataSource = dataSource;
    this.#sequencer = new Sequencer({ databaseUrl: options.databaseUrl, logger });
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
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#sequencer.stop();
    await this.#dataSource.destroy();
  }
}
