export { type PostgresOptions, type PrivatePostgres, removePostgres, startPostgres } from "./postgres.js";
export { adopt } from "./reaper.js";
