export { type NatsOptions, type PrivateNats, startNats } from "./nats.js";
export { findNats } from "./nats-binary.js";
export { keepNatsKeys } from "./nats-keys.js";
export { type PostgresOptions, type PrivatePostgres, removePostgres, startPostgres } from "./postgres.js";
export { adopt } from "./reaper.js";
