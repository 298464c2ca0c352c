export type { Logger } from "./candidate.js";
export { type DatabaseOptions, openDatabase } from "./database.js";
export { EventStoreModule } from "./event-store.module.js";
export { type Migration, migrate, SERVICE_ROLE } from "./migrate.js";
export { PostgresEventStore } from "./postgres-store.js";
export { eventStoreMigrations } from "./schema.js";
export { Sequencer } from "./sequencer.js";
